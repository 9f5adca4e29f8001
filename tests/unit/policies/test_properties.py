"""What holds of every policy and every call, whatever they are."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.contracts.policy import PolicyFile, PolicySetName, Request, Verdict
from penstock.contracts.tool import ToolContract
from penstock.policies import CompiledPolicy, compile_policy, make_source
from support.policies import CONTRACTS, PAY, SEARCH, person, request

Scope = tuple[str, str, str]
"""Principal, action and condition of a policy."""

ORDER = (Verdict.ALLOW, Verdict.ASK, Verdict.DENY)

PAYING = ('action == Penstock::Action::"pay"', 'action in Penstock::Action::"tag_money"')
READING = ('action == Penstock::Action::"search"', 'action in Penstock::Action::"effect_read"')
ANY = (
    "action",
    'action in [Penstock::Action::"effect_unsafe", Penstock::Action::"taint_private"]',
)
ON_ANY = (
    "",
    "when { context.facts.saw_untrusted }",
    "unless { context.facts.spent_today < 100 }",
    'unless { context.facts.given.contains("to") }',
)
ON_PAYING = (
    'when { context.args has amount && context.args.amount.lessThan(decimal("5.0")) }',
)  # fmt: skip
ON_READING = ("when { if context.args has limit then context.args.limit > 3 else false }",)
PRINCIPALS = (
    "principal",
    'principal in Penstock::Role::"clerk"',
    'principal in Penstock::Role::"boss"',
)


def about(actions: Sequence[str], conditions: Sequence[str]) -> st.SearchStrategy[Scope]:
    return st.tuples(
        st.sampled_from(PRINCIPALS), st.sampled_from(actions), st.sampled_from(conditions)
    )


scopes = st.one_of(
    about([*ANY, *PAYING, *READING], ON_ANY),
    about([*ANY, *PAYING], ON_PAYING),
    about([*ANY, *READING], ON_READING),
)
effects = st.sampled_from(["permit", "forbid"])
allows = st.lists(st.tuples(effects, scopes), max_size=5)
gates = st.lists(scopes, max_size=3)


def paying(amount: object, **facts: Any) -> Request:
    return request("pay", {"amount": amount, "currency": "EUR", "to": "x"}, **facts)


def searching(limit: object, **facts: Any) -> Request:
    return request("search", {"word": "w", "limit": limit}, **facts)


calls = st.one_of(
    st.builds(
        paying,
        amount=st.one_of(st.integers(), st.floats()),
        saw_untrusted=st.booleans(),
        spent_today=st.integers(-(2**64), 2**64),
        given=st.lists(st.sampled_from(["to", "amount"])),
    ),
    st.builds(
        searching,
        limit=st.one_of(st.none(), st.integers(), st.floats(), st.text()),
        saw_untrusted=st.booleans(),
        who=st.sampled_from([person(), person(roles=["boss"]), person(tenant="other")]),
    ),
)


def policy(
    allow: Sequence[tuple[str, Scope]],
    gate: Sequence[Scope],
    contracts: Sequence[ToolContract] = (PAY, SEARCH),
) -> CompiledPolicy:
    """Return a policy of some parts."""
    permits = [
        f'@id("a{place}") {effect} ({who}, {action}, resource) {condition};'
        for place, (effect, (who, action, condition)) in enumerate(allow)
    ]
    asking = [
        f'@id("g{place}") @gate("x") permit ({who}, {action}, resource) {condition};'
        for place, (who, action, condition) in enumerate(gate)
    ]
    source = make_source(
        [
            PolicyFile(set=PolicySetName.ALLOW, name="a.cedar", text="\n".join(permits)),
            PolicyFile(set=PolicySetName.GATES, name="g.cedar", text="\n".join(asking)),
        ]
    )
    return compile_policy(source, contracts, roles=None, groups=None)


def rank(decided: CompiledPolicy, call: Request) -> int:
    return ORDER.index(decided.decide(call).verdict)


@settings(max_examples=150)
@given(allow=allows, gate=gates, more=gates, call=calls)
def test_gates_only_tighten(
    allow: Sequence[tuple[str, Scope]],
    gate: Sequence[Scope],
    more: Sequence[Scope],
    call: Request,
) -> None:
    assert rank(policy(allow, [*gate, *more]), call) >= rank(policy(allow, gate), call)


@settings(max_examples=100)
@given(allow=allows, gate=gates, more=scopes, call=calls)
def test_a_forbid_only_tightens(
    allow: Sequence[tuple[str, Scope]],
    gate: Sequence[Scope],
    more: Scope,
    call: Request,
) -> None:
    assert rank(policy([*allow, ("forbid", more)], gate), call) >= rank(policy(allow, gate), call)


@settings(max_examples=100)
@given(gate=gates, forbid=st.lists(scopes, max_size=3), call=calls)
def test_without_a_permit_every_call_is_denied(
    gate: Sequence[Scope], forbid: Sequence[Scope], call: Request
) -> None:
    decided = policy([("forbid", each) for each in forbid], gate)
    assert decided.decide(call).verdict is Verdict.DENY


@settings(max_examples=60)
@given(allow=allows, gate=gates, call=calls)
def test_rules_are_given_where_people_are_asked_and_nowhere_else(
    allow: Sequence[tuple[str, Scope]],
    gate: Sequence[Scope],
    call: Request,
) -> None:
    decision = policy(allow, gate).decide(call)
    assert bool(decision.rules) is (decision.verdict is Verdict.ASK)
    if decision.verdict is Verdict.ASK:
        assert decision.reasons == tuple(rule.id for rule in decision.rules)


@settings(max_examples=200)
@given(
    args=st.dictionaries(
        st.sampled_from(["word", "limit", "other"]),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
            lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
            max_leaves=5,
        ),
    )
)
def test_no_arguments_make_a_decision_raise(args: dict[str, object]) -> None:
    decided = _looking.decide(request("search", args))
    fits = isinstance(args.get("word"), str)
    assert decided.verdict is Verdict.DENY or fits


_looking = policy([("permit", ("principal", "action", "when { context.args == context.args }"))],
                  [], CONTRACTS)  # fmt: skip
