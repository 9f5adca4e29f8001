"""The rules of a policy: each with how often it decided, and one whole with its calls."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
from penstock.policies import DenialReason, Mode, Rule, read_rules
from penstock.ui import navigation, session
from penstock.ui.components import policy_text
from penstock.ui.components.badges import badge
from penstock.ui.components.filters import Filters
from penstock.ui.components.markdown import ago, argument_line, escaped
from penstock.ui.components.policy_impact import VERDICT_NAMES
from penstock.ui.components.table import open_row
from penstock.ui.navigation import last_page, page_number, pager

NOTHING = ""
"""The name of the reason where nothing permitted a call."""
REASONS: Mapping[str, str] = {
    NOTHING: "nothing permits it",
    DenialReason.TENANT: "whoever the run acts for is of another tenant",
    DenialReason.SCOPES: "a scope is missing",
    DenialReason.UNKNOWN_TOOL: "the policy was made without this tool",
    DenialReason.TOO_LARGE: "a number was too large or too fine to compare",
    DenialReason.UNFIT: "an argument or a fact was not what the contract says",
    DenialReason.FACT: "a fact could not be computed",
    DenialReason.ERROR: "a rule could not be evaluated",
}
"""Reasons of decisions that no rule made, in words."""
_FILTERS = Filters(page="policies", names=("find",), position="page")

DAYS = 7
"""Decisions are counted so far back."""
PAGE = 50
CALLS = 20
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule decided: each call counts once for each verdict about it."""

    counts: Counter[Verdict] = field(default_factory=Counter[Verdict])
    shadow_count: int = 0
    """Calls that the rule, in shadow mode, would have decided otherwise."""
    tallies: Sequence[DecisionTally] = ()


def by_rule(tallies: Iterable[DecisionTally]) -> Mapping[str, Ruling]:
    """Return decisions by their reason: the id of a rule, a reason of Penstock's, or `NOTHING`."""
    found: dict[str, Ruling] = {}
    for tally in tallies:
        decision = tally.decision
        for name in decision.reasons or (NOTHING,):
            was = found.get(name, Ruling())
            found[name] = Ruling(
                counts=was.counts + Counter({decision.verdict: tally.call_count}),
                shadow_count=was.shadow_count,
                tallies=(*was.tallies, tally),
            )
        for name in decision.shadow_reasons:
            was = found.get(name, Ruling())
            found[name] = Ruling(
                counts=was.counts,
                shadow_count=was.shadow_count + tally.call_count,
                tallies=(*was.tallies, tally),
            )
    return found


def show_rules(graph: str, active: PolicyVersion, tallies: Sequence[DecisionTally]) -> None:
    """Show the rules of a policy with how often each decided, and the other reasons."""
    rulings = by_rule(tallies)
    every = read_rules(active.source)
    fitting = [rule for rule in every if _fits(rule)]
    if len(every) > PAGE or navigation.parameter("find"):
        _FILTERS.search("find", "Find", hint="Words of a rule", width=280, icon="search")
    if not fitting:
        st.markdown("**No rule fits.** Take the filter away.")
    last = last_page(len(fitting), size=PAGE)
    page = page_number(last=last)
    listed = fitting[(page - 1) * PAGE : page * PAGE]
    if listed:
        row = open_row(_columns(listed, rulings), key="policies-rules", config=_CONFIG)
        if row is not None:
            navigation.go("policies", graph=graph, rule=listed[row].id)
        st.caption(
            f"Calls of the last {DAYS} days of this tenant, by what was said of them because of the"
            " rule, whichever version it stood in. A permit is not named where people were asked."
            " Tick a rule to see it whole, and its calls."
        )
        pager(page, last=last, count=f"{len(fitting):,} rules")
    _others(every, rulings)


def show_rule(
    graph: str, active: PolicyVersion | None, tallies: Sequence[DecisionTally], rule_id: str
) -> None:
    """Show one rule whole, and the newest calls that it decided."""
    every = read_rules(active.source) if active is not None else ()
    found = next((each for each in every if each.id == rule_id), None)
    ruling = by_rule(tallies).get(rule_id, Ruling())
    st.title(escaped(rule_id) if rule_id != NOTHING else "No rule", anchor=False)
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
            policy_text.show_code(found.text, first=found.line)
            st.caption(f"{escaped(found.file)}, line {found.line}, of {escaped(graph)}")
    with right:
        st.markdown(f"**In the last {DAYS} days:** {_counted(ruling)}")
        _calls_of(graph, ruling)
        with st.container(horizontal=True):
            navigation.link(
                "runs", "Runs that wait", icon=":material/list_alt:", graph=graph, state="waiting"
            )
            navigation.link(
                "inbox",
                "Approvals that were decided",
                icon=":material/front_hand:",
                graph=graph,
                kind="approval",
                shelf="decided",
            )


def _fits(rule: Rule) -> bool:
    words = (navigation.parameter("find") or "").lower().split()
    text = f"{rule.id} {rule.file} {rule.annotations.get('doc', '')} {rule.text}".lower()
    return all(word in text for word in words)


def _columns(rules: Sequence[Rule], rulings: Mapping[str, Ruling]) -> Mapping[str, Sequence[Any]]:
    listed = [rulings.get(rule.id, Ruling()) for rule in rules]
    columns: dict[str, Sequence[Any]] = {
        "Rule": [rule.id for rule in rules],
        "It": [_does(rule) for rule in rules],
        "Allowed": [each.counts[Verdict.ALLOW] for each in listed],
        "Asked": [each.counts[Verdict.ASK] for each in listed],
        "Denied": [each.counts[Verdict.DENY] for each in listed],
    }
    if any(rule.mode is Mode.SHADOW for rule in rules):
        columns["In shadow"] = [each.shadow_count for each in listed]
    columns["For"] = [rule.annotations.get("doc", "") for rule in rules]
    return {**columns, "Where": [f"{rule.file}:{rule.line}" for rule in rules]}


def _does(rule: Rule) -> str:
    """Return what a rule does, in plain text."""
    shadow = " (shadow)" if rule.mode is Mode.SHADOW else ""
    if rule.set is PolicySetName.GATES:
        count = rule.annotations.get("approvals", "1")
        return f"◐ asks {count} of {rule.annotations.get('gate', 'nobody')}{shadow}"
    return f"{'✓ permits' if rule.effect == 'permit' else '✗ forbids'}{shadow}"


def _others(rules: Sequence[Rule], rulings: Mapping[str, Ruling]) -> None:
    """Show the reasons that are not rules of the policy as it is now."""
    known = {rule.id for rule in rules}
    lines = [
        f"- {REASONS.get(name, f'**{escaped(name)}**, which no longer stands in the policy')}:"
        f" {_counted(ruling)}"
        for name, ruling in rulings.items()
        if name not in known
    ]
    if lines:
        st.markdown("**What else decided**\n\n" + "\n".join(lines))


def _counted(ruling: Ruling) -> str:
    counts = [
        f"{ruling.counts[each]:,} {VERDICT_NAMES[each]}" for each in Verdict if ruling.counts[each]
    ]
    if ruling.shadow_count:
        counts.append(f"{ruling.shadow_count:,} would be decided otherwise")
    return ", ".join(counts) or "no call"


def _about(rule: Rule) -> str:
    badges = [badge("gray", str(rule.set))]
    if rule.set is PolicySetName.GATES:
        badges.append(badge("orange", "asks people", "front_hand"))
    elif rule.effect == "permit":
        badges.append(badge("green", "permits", "check"))
    else:
        badges.append(badge("red", "forbids", "block"))
    if rule.mode is Mode.SHADOW:
        badges.append(badge("violet", "in shadow mode: recorded, and not enforced", "visibility"))
    doc = rule.annotations.get("doc")
    return " ".join(badges) + (f"\n\n{escaped(doc)}" if doc else "")


def _calls_of(graph: str, ruling: Ruling) -> None:
    since = session.now() - timedelta(days=DAYS)
    calls: Sequence[RecordedDecision] = ()
    if ruling.tallies:
        calls = session.read(
            lambda connection: decisions.of_tallies(
                connection,
                graph,
                ruling.tallies,
                tenant=session.tenant(),
                since=since,
                limit=CALLS,
            )
        )
    if not calls:
        st.caption("Calls that it decides appear here, each with the way to its run and its gate.")
        return
    row = open_row(
        {
            "It was": [VERDICT_NAMES[each.decision.verdict] for each in calls],
            "When": [ago(each.at, session.now()) for each in calls],
            "Tool": [each.request.tool for each in calls],
            "Arguments": [argument_line(each.request.args) for each in calls],
        },
        key="policies-calls",
        config={"When": st.column_config.TextColumn(width=90)},
    )
    if row is not None:
        navigation.go("run", run=calls[row].run_id)
    st.caption("The newest first. Tick a call to open its run, with its gates.")
