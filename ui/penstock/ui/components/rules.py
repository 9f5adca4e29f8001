"""The rules of a policy: each with how often it decided, and one whole with its calls."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from penstock.checkpoints import decisions
from penstock.contracts.policy import (
    DecisionTally,
    PolicySetName,
    PolicyVersion,
    RecordedDecision,
    Verdict,
)
from penstock.policies import Mode, Rule, read_rules
from penstock.ui import front, places
from penstock.ui.components import cedar
from penstock.ui.components.matrix import NAMES
from penstock.ui.components.pages import asked_page, last_page, pager
from penstock.ui.components.rulings import NOTHING, SAID, Ruling, by_rule
from penstock.ui.components.table import opened
from penstock.ui.components.words import ago, badge, plain, short, spelled

DAYS = 7
"""So far back decisions are counted."""
PAGE = 50
CALLS = 20


def rules(graph: str, active: PolicyVersion, tallies: Sequence[DecisionTally]) -> None:
    """Show the rules of a policy, with how often each decided, and what else did."""
    rulings = by_rule(tallies)
    every = read_rules(active.source)
    fitting = [rule for rule in every if _fits(rule)]
    if len(every) > PAGE or places.asked("find"):
        _search()
    if not fitting:
        st.markdown("**No rule fits.** Take the filter away.")
    last = last_page(len(fitting), size=PAGE)
    page = asked_page(last=last)
    listed = fitting[(page - 1) * PAGE : page * PAGE]
    if listed:
        row = opened(_columns(listed, rulings), key="policies-rules", config=_CONFIG)
        if row is not None:
            places.go("policies", graph=graph, rule=listed[row].id)
        st.caption(
            f"Calls of the last {DAYS} days of this tenant, by what was said of them because of the"
            " rule, whichever version it stood in. A permit is not named where people were asked."
            " Tick a rule to see it whole, and its calls."
        )
        pager(page, last=last, told=f"{len(fitting):,} rules")
    _others(every, rulings)


def _fits(rule: Rule) -> bool:
    words = (places.asked("find") or "").lower().split()
    told = f"{rule.id} {rule.file} {rule.annotations.get('doc', '')} {rule.text}".lower()
    return all(word in told for word in words)


def _search() -> None:
    st.text_input(
        "Find",
        places.asked("find") or "",
        placeholder="Words of a rule",
        key="policies-find",
        label_visibility="collapsed",
        icon=":material/search:",
        width=280,
        on_change=lambda: places.note(
            find=str(st.session_state.get("policies-find") or "").strip(), page=None
        ),
    )


def _columns(rules: Sequence[Rule], rulings: Mapping[str, Ruling]) -> Mapping[str, Sequence[Any]]:
    told = [rulings.get(rule.id, Ruling()) for rule in rules]
    columns: dict[str, Sequence[Any]] = {
        "Rule": [rule.id for rule in rules],
        "It": [_does(rule) for rule in rules],
        "Allowed": [each.counts[Verdict.ALLOW] for each in told],
        "Asked": [each.counts[Verdict.ASK] for each in told],
        "Denied": [each.counts[Verdict.DENY] for each in told],
    }
    if any(rule.mode is Mode.SHADOW for rule in rules):
        columns["In shadow"] = [each.shadow_count for each in told]
    columns["For"] = [rule.annotations.get("doc", "") for rule in rules]
    return {**columns, "Where": [f"{rule.file}:{rule.line}" for rule in rules]}


def _does(rule: Rule) -> str:
    """Return what a rule does, for a place that holds plain text only."""
    shadow = " (shadow)" if rule.mode is Mode.SHADOW else ""
    if rule.set is PolicySetName.GATES:
        count = rule.annotations.get("approvals", "1")
        return f"◐ asks {count} of {rule.annotations.get('gate', 'nobody')}{shadow}"
    return f"{'✓ permits' if rule.effect == 'permit' else '✗ forbids'}{shadow}"


def _others(rules: Sequence[Rule], rulings: Mapping[str, Ruling]) -> None:
    """Say what decided beside the rules that stand in the policy now."""
    known = {rule.id for rule in rules}
    lines = [
        f"- {SAID.get(name, f'**{plain(name)}**, which no longer stands in the policy')}:"
        f" {_counted(ruling)}"
        for name, ruling in rulings.items()
        if name not in known
    ]
    if lines:
        st.markdown("**What else decided**\n\n" + "\n".join(lines))


def _counted(ruling: Ruling) -> str:
    told = [f"{ruling.counts[each]:,} {NAMES[each]}" for each in Verdict if ruling.counts[each]]
    if ruling.shadow_count:
        told.append(f"{ruling.shadow_count:,} would be decided otherwise")
    return ", ".join(told) or "no call"


def rule(
    graph: str, active: PolicyVersion | None, tallies: Sequence[DecisionTally], rule_id: str
) -> None:
    """Show one rule whole, and the newest calls that it decided."""
    every = read_rules(active.source) if active is not None else ()
    found = next((each for each in every if each.id == rule_id), None)
    ruling = by_rule(tallies).get(rule_id, Ruling())
    st.title(plain(rule_id) if rule_id != NOTHING else "No rule", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        if found is None:
            st.info(
                "No such rule stands in the policy that decides now. Its calls of the last"
                f" {DAYS} days are beside this.",
                icon=":material/history:",
            )
        else:
            st.markdown(_about(found))
            cedar.code(found.text, first=found.line)
            st.caption(f"{plain(found.file)}, line {found.line}, of {plain(graph)}")
    with right:
        st.markdown(f"**In the last {DAYS} days:** {_counted(ruling)}")
        _calls_of(graph, ruling)
        with st.container(horizontal=True):
            places.link(
                "runs", "Runs that wait", icon=":material/list_alt:", graph=graph, state="waiting"
            )
            places.link(
                "inbox",
                "Approvals that were decided",
                icon=":material/front_hand:",
                graph=graph,
                kind="approval",
                shelf="decided",
            )


def _about(rule: Rule) -> str:
    told = [badge("gray", str(rule.set))]
    if rule.set is PolicySetName.GATES:
        told.append(badge("orange", "asks people", "front_hand"))
    elif rule.effect == "permit":
        told.append(badge("green", "permits", "check"))
    else:
        told.append(badge("red", "forbids", "block"))
    if rule.mode is Mode.SHADOW:
        told.append(badge("violet", "in shadow mode: recorded, and not enforced", "visibility"))
    doc = rule.annotations.get("doc")
    return " ".join(told) + (f"\n\n{plain(doc)}" if doc else "")


def _calls_of(graph: str, ruling: Ruling) -> None:
    since = front.now() - timedelta(days=DAYS)
    calls: Sequence[RecordedDecision] = ()
    if ruling.tallies:
        calls = front.read(
            lambda connection: decisions.of_tallies(
                connection,
                graph,
                ruling.tallies,
                tenant=front.tenant(),
                since=since,
                limit=CALLS,
            )
        )
    if not calls:
        st.caption("Calls that it decides appear here, each with the way to its run and its gate.")
        return
    row = opened(
        {
            "It was": [NAMES[each.decision.verdict] for each in calls],
            "When": [ago(each.at, front.now()) for each in calls],
            "Tool": [each.request.tool for each in calls],
            "Arguments": [_arguments(each) for each in calls],
        },
        key="policies-calls",
        config={"When": st.column_config.TextColumn(width=90)},
    )
    if row is not None:
        places.go("run", run=calls[row].run_id)
    st.caption("The newest first. Tick a call to open its run, with its gates.")


def _arguments(decided: RecordedDecision) -> str:
    told = decided.request.args.items()
    return short(" · ".join(f"{name} {short(spelled(value), 40)}" for name, value in told), 120)


_CONFIG: Mapping[str, Any] = {
    "Rule": st.column_config.TextColumn(width=160),
    "It": st.column_config.TextColumn(width=150),
    "For": st.column_config.TextColumn(width=330),
    "Allowed": st.column_config.NumberColumn(width=75),
    "Asked": st.column_config.NumberColumn(width=75),
    "Denied": st.column_config.NumberColumn(width=75),
    "In shadow": st.column_config.NumberColumn(
        width=85, help="Calls for which it would have made a difference"
    ),
    "Where": st.column_config.TextColumn(width=180),
}
