"""The contract of a tool in words: what it does, takes, returns and promises, and how it fails."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from penstock.contracts.policy import Taint
from penstock.contracts.tool import (
    REPEATABLE,
    Cost,
    EffectClass,
    IsolationTier,
    OnFailure,
    RetryAfter,
    ToolContract,
)
from penstock.ui import text
from penstock.ui.components import json_schema
from penstock.ui.components.markdown import escaped, sentence
from penstock.ui.components.table import show_table

_MICROS = 1_000_000
_WHERE = {
    IsolationTier.IN_PROCESS: "in the worker's own process",
    IsolationTier.SUBPROCESS: "in a process of its own, which is killed at the deadline",
}
_ON_FAILURE = {
    OnFailure.TELL: "the model is told, and may try something else",
    OnFailure.RAISE: "the node fails",
}


def if_worker_dies(contract: ToolContract) -> str:
    """Return what happens when a worker dies in the middle of a call."""
    looked_up = "it is looked up" if contract.has_probe else "a person is asked"
    match contract.effect:
        case EffectClass.READ:
            return "It changes nothing: the call is made again."
        case EffectClass.IDEMPOTENT:
            return (
                "Doing it twice comes to the same as doing it once: the call is made again, with"
                " the same arguments."
            )
        case EffectClass.TRANSACTIONAL:
            return (
                "What it had written was rolled back with the transaction: the call is made again."
            )
        case EffectClass.KEYED:
            lives = text.age(contract.key_lifetime_s or 0)
            return (
                "The service knows the call by its key: it is made again with the same key, which"
                f" the service remembers for {lives}. After that it may have happened, and"
                f" {looked_up}."
            )
        case EffectClass.PROBE:
            return (
                f"It may have happened. {text.age(contract.margin_s)} after its deadline, when it"
                " can no longer land, it is looked up; where that cannot tell, a person is asked."
            )
        case EffectClass.UNSAFE:
            return (
                "It may have happened, and nothing can find out: its run waits until a person has"
                " said whether it did."
            )


def is_worst_case(contract: ToolContract, *, is_adopted: bool) -> bool:
    """Tell whether an adopted tool has no declared terms, so that the worst is assumed."""
    return (
        is_adopted
        and contract.effect is EffectClass.UNSAFE
        and contract.taints == frozenset(Taint)
        and not (contract.scopes or contract.tags or contract.facts)
    )


def provenance(contract: ToolContract, *, is_adopted: bool) -> str:
    """Return where a contract comes from."""
    if is_worst_case(contract, is_adopted=is_adopted):
        return (
            "Nobody has said what this tool does, so the worst is taken for true: it acts outside,"
            " cannot be looked up, is tried once, and its results are not to be trusted."
            " `adopt(…)` in `declare(…, tools=[…])` says more."
        )
    if is_adopted:
        return "It is somebody else's tool; the graph says this of it."
    return "Its author declares it in its code."


def contract_terms(contract: ToolContract) -> Mapping[str, str]:
    """Return the terms of a contract, those that matter most first."""
    terms = {
        "Who may call it": _list(contract.scopes, "whoever has", nothing="no scope is wanted"),
        "An attempt may take": f"{text.age(contract.timeout_s)}; what was sent may still land"
        f" {text.age(contract.margin_s)} after that",
        "It is tried": _retry(contract),
        "A call costs at most": "nothing" if contract.cost is None else _cost(contract.cost),
        "It runs": _WHERE[contract.isolation],
        "Its key lives": text.age(contract.key_lifetime_s) if contract.key_lifetime_s else "",
        "Its results carry": _taints(contract),
        "Its tags": ", ".join(sorted(contract.tags)),
        "Policies are told": "; ".join(
            f"{name} ({fact.description})" for name, fact in sorted(contract.facts.items())
        ),
        "It is given the secrets": ", ".join(sorted(contract.secrets)),
        "Nobody is shown": ", ".join(sorted(contract.sensitive)),
        "It can be looked up": _yes(contract.has_probe, "it has a probe"),
        "It can be undone": "no" if contract.compensate is None else f"by {contract.compensate}",
        "It happens once across runs": _yes(contract.has_key, "it has a business key"),
        "Its results are checked": _yes(contract.has_verify, "by a check of its own, too"),
        "Where it fails": _ON_FAILURE[contract.on_failure],
    }
    return {name: value for name, value in terms.items() if value}


def failure_modes(contract: ToolContract) -> Sequence[tuple[str, str, str]]:
    """Return how a call can fail: the error, what it means, and what is done then."""
    retried = contract.retry.attempt_limit > 1
    again = f"it is tried again, {contract.retry.attempt_limit} times at most"
    may_repeat = contract.effect in REPEATABLE
    open_end = "it is in doubt"
    if may_repeat:
        any_ = retried and contract.retry.after is RetryAfter.ANY
        open_end = again if any_ else "it has failed; it may be made again"
    return (
        (
            "Retryable",
            "nothing happened, and the same call may succeed later",
            again if retried else "it has failed",
        ),
        ("Permanent", "nothing happened, and the same call will fail again", "it has failed"),
        ("RefusedByService", "nothing happened: the service will not do it", "it has failed"),
        ("any other error, or its time is up", "it may have happened", open_end),
    )


def show_contract(contract: ToolContract, *, is_adopted: bool) -> None:
    """Show the contract of a tool as people read it."""
    st.text(contract.description)
    st.markdown(f"**If its worker dies in the middle of a call.** {if_worker_dies(contract)}")
    for warning in contract.warnings:
        st.warning(sentence(warning), icon=":material/warning:")
    st.header("Arguments", anchor=False)
    _fields(contract.arguments_schema, contract.sensitive, nothing="It takes no arguments.")
    st.header("Result", anchor=False)
    _fields(
        contract.result_schema,
        contract.sensitive,
        nothing=f"It returns: {escaped(json_schema.type_name(contract.result_schema))}.",
    )
    st.header("Terms", anchor=False)
    terms = contract_terms(contract)
    show_table(
        {
            "term": [escaped(name) for name in terms],
            f"version {escaped(contract.version)}": [escaped(value) for value in terms.values()],
        },
        border="horizontal",
    )
    st.caption(sentence(provenance(contract, is_adopted=is_adopted)))
    st.header("How it can fail", anchor=False)
    failures = failure_modes(contract)
    show_table(
        {
            "error": [escaped(each[0]) for each in failures],
            "says": [escaped(each[1]) for each in failures],
            "then": [escaped(each[2]) for each in failures],
        },
        border="horizontal",
    )
    with st.expander("Its schemas as JSON"):
        st.json({"arguments": contract.arguments_schema, "result": contract.result_schema})


def _retry(contract: ToolContract) -> str:
    plan = contract.retry
    if plan.attempt_limit == 1:
        return "once"
    after = {
        RetryAfter.DEFINITE: "after failures in which nothing happened",
        RetryAfter.ANY: "after any failure",
    }
    return (
        f"{plan.attempt_limit} times at most, {after[plan.after]}, first after"
        f" {text.age(plan.first_wait_s)}"
    )


def _cost(cost: Cost) -> str:
    return f"{cost.amount_micros / _MICROS:,.6g} {cost.currency}"


def _taints(contract: ToolContract) -> str:
    texts = {
        Taint.UNTRUSTED: "words of outsiders",
        Taint.PRIVATE: "data that must not leave the house",
    }
    return " and ".join(texts[taint] for taint in Taint if taint in contract.taints)


def _list(names: frozenset[str], before: str, *, nothing: str) -> str:
    return f"{before} {', '.join(sorted(names))}" if names else nothing


def _yes(is_so: bool, how: str) -> str:  # noqa: FBT001
    return f"yes, {how}" if is_so else "no"


def _fields(schema: Mapping[str, Any], sensitive: frozenset[str], *, nothing: str) -> None:
    found = json_schema.fields(schema, sensitive)
    if not found:
        st.markdown(nothing)
        return
    columns: dict[str, Sequence[str]] = {
        "name": [
            f"**{escaped(each.name)}**" + (" :material/visibility_off:" * each.is_sensitive)
            for each in found
        ],
        "type": [escaped(each.type) for each in found],
        "wanted": [
            "yes"
            if each.is_wanted
            else f"no, else {escaped(each.default)}"
            if each.default
            else "no"
            for each in found
        ],
        "limits": [escaped(each.limits) for each in found],
        "about": [escaped(each.about) for each in found],
    }
    show_table({name: cells for name, cells in columns.items() if any(cells)}, border="horizontal")
    if any(each.is_sensitive for each in found):
        st.caption(":material/visibility_off: is shown to nobody, and no policy sees it.")
