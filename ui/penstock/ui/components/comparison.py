"""A run beside another: versions, spend, steps, calls, decisions, states, and where they part."""

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from penstock.checkpoints import runs, states
from penstock.contracts.alike import Pair, calls_paired, paired, without_ids
from penstock.contracts.budget import Balance
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.difference import Change, differences
from penstock.contracts.effect import Effect
from penstock.contracts.errors import PenstockError
from penstock.contracts.ids import RunId
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.run import Run
from penstock.contracts.spend import Measure
from penstock.contracts.step import Step
from penstock.graphs.masking import Masking
from penstock.ui import front, measures, places, text
from penstock.ui.components.bars import amount
from penstock.ui.components.changes import changes
from penstock.ui.components.drawing import drawing
from penstock.ui.components.history import named, points
from penstock.ui.components.inspector import EFFECTS, STEPS, hiding
from penstock.ui.components.masks import UNMASKED, masking
from penstock.ui.components.states import MARKS
from penstock.ui.components.story import Story, find
from penstock.ui.components.table import shown
from penstock.ui.components.why import forks_of
from penstock.ui.components.words import plain, sentence, short

OFFERED = 12
"""So many other runs of the thread, and of the graph, are offered."""

ANY = "any"
"""Stands in the URL where none was chosen yet."""

STATES = 60
"""So many pairs of states are looked through for the first that differ."""


_NONE = "—"


def compare(story: Story) -> None:
    """Offer runs to compare this one with, and show it beside the one that the URL names."""
    st.header("Beside another run", anchor=False)
    other_id = _choice(story)
    if other_id is None:
        return
    try:
        other = front.read(lambda connection: find(connection, other_id))
    except PenstockError as error:
        st.info(f"{sentence(str(error))}.", icon=":material/search_off:")
        return
    places.link("run", "Open the other run", icon=":material/open_in_new:", run=other_id)
    _facts(story, other)
    pairs = paired(story.steps, other.steps)
    _parting(pairs)
    drawing(_steps(pairs), key="run-compared-steps")
    _calls(story, other)
    _decisions(story, other)
    _states(story, other)


def _choice(story: Story) -> RunId | None:
    offered = _offered(story)
    asked = places.asked("compare") or ANY
    if asked not in {ANY, *offered}:
        offered = {asked: asked[:13], **offered}
    ids = list(offered)
    left, right = st.columns([3, 2])
    with left:
        picked = st.selectbox(
            "Compare with",
            ids,
            index=ids.index(asked) if asked in ids else None,
            format_func=lambda each: offered[each],
            placeholder="Choose a run" if ids else "There is no other run of its graph",
            key=f"compare-{story.run.id}",
        )
    with right:
        typed = st.text_input("or any other, by its id", key=f"compare-typed-{story.run.id}")
    found: str | None = typed.strip() or picked
    if not found:
        st.caption("Choose a run, and see where the two part.")
        return None
    places.note(compare=found)
    return RunId(found)


def _offered(story: Story) -> dict[str, str]:
    """Return runs by their ids, as people know them: the nearest kin first."""
    run = story.run
    origin, forks = forks_of(story.events)

    def look(connection: Any) -> tuple[Sequence[Run], Sequence[Run]]:
        return (
            runs.find(connection, thread_id=run.thread_id, tenant=run.tenant, limit=OFFERED),
            runs.find(connection, graph=run.graph, tenant=run.tenant, limit=OFFERED),
        )

    on_thread, of_graph = front.read(look)
    found: dict[str, str] = {}
    if origin is not None:
        found[origin] = f"{origin[:13]} · what it was forked from"
    found |= {each: f"{each[:13]} · a fork of it" for each in forks}
    for kind, those in (("of its thread", on_thread), ("of its graph", of_graph)):
        for each in those:
            if each.id != run.id and each.id not in found:
                state = MARKS[each.status].name.lower()
                made = text.instant(each.created_at)
                found[each.id] = f"{each.id[:13]} · {kind} · {state} · {made}"
    return found


def _facts(story: Story, other: Story) -> None:
    mine, theirs = _told(story), _told(other)
    rows = list(dict.fromkeys([*mine, *theirs]))
    shown(
        {
            "": rows,
            "this run": [mine.get(row, _NONE) for row in rows],
            "the other": [
                theirs.get(row, _NONE)
                if mine.get(row) == theirs.get(row)
                else f"**{theirs.get(row, _NONE)}**"
                for row in rows
            ],
        },
        border="horizontal",
    )


def _told(story: Story) -> dict[str, str]:
    run = story.run
    ended = run.ended_at
    told = {
        "run": plain(run.id[:13]),
        "state": MARKS[run.status].name.lower(),
        "failure": plain(run.failure.code) if run.failure else "",
        "mode": str(run.mode),
        "version": plain(run.graph_version),
        "fingerprint": run.fingerprint[:8],
        "policy": ", ".join(sorted({each.policy_digest[:8] for each in story.decided})),
        "took": "" if ended is None else text.age((ended - run.created_at).total_seconds()),
    }
    standings: Sequence[Balance] = () if story.budget is None else story.budget.standings
    told |= {
        measures.measure_name(Measure(unit=each.unit)): plain(amount(each, each.spent))
        for each in standings
    }
    return {name: value for name, value in told.items() if value}


def _parting(pairs: Sequence[Pair]) -> None:
    """Say where the ways of two runs part first."""
    for number, pair in enumerate(pairs, start=1):
        if not pair.is_same:
            st.markdown(
                f"**They part at step {number}**: this run {_went(pair.one)}, the other"
                f" {_went(pair.other)}."
            )
            return
    st.markdown(f"**They went the same way**, {len(pairs)} steps.")


def _went(step: Step | None) -> str:
    if step is None:
        return "had ended"
    return f"was at **{plain(step.node.replace('|', ' / '))}**, which {step.status}"


def _steps(pairs: Sequence[Pair]) -> str:
    rows = "".join(
        f'<tr class="{"" if pair.is_same else "parts"}"><td>{number}</td>'
        f"{_cell(pair.one)}{_cell(pair.other)}</tr>"
        for number, pair in enumerate(pairs, start=1)
    )
    heads = "<tr><th></th><th>this run</th><th>the other</th></tr>"
    return f'<div class="scroll"><table>{heads}{rows}</table></div>'


def _cell(step: Step | None) -> str:
    if step is None:
        return "<td></td>"
    took = "" if step.ended_at is None else step.ended_at - step.started_at
    length = f" · {text.age(took.total_seconds())}" if took else ""
    sign = STEPS[step.status][1][0]
    return f'<td class="{step.status}">{sign} {escape(step.node.replace("|", " / "))}{length}</td>'


def _calls(story: Story, other: Story) -> None:
    pairs = calls_paired(story.effects, other.effects)
    differing = [pair for pair in pairs if _call(pair[0]) != _call(pair[1])]
    if not pairs:
        return
    if not differing:
        st.markdown(f"**They made the same calls**, {len(pairs)}, which came to the same.")
        return
    st.markdown(f"**Calls that differ** ({len(differing)} of {len(pairs)})")
    hide = hiding(story)
    shown(
        {
            "this run": [plain(hide(_call(one))) for one, _ in differing],
            "the other": [plain(hide(_call(its))) for _, its in differing],
        },
        border="horizontal",
    )


def _call(effect: Effect | None) -> str:
    if effect is None:
        return _NONE
    came_to = short(effect.error_message or effect.result or "", 80)
    state = EFFECTS[effect.status][1]
    return f"{effect.tool} {short(effect.arguments, 80)} {state} {came_to}"


def _decisions(story: Story, other: Story) -> None:
    """Show the calls about which policies decided otherwise: those of a tool in their order."""
    found: list[tuple[str, str, str]] = []
    theirs = dict(_by_tool(other))
    for place, each in _by_tool(story):
        its = theirs.get(place)
        if its is not None and _verdict(each) != _verdict(its):
            found.append((each.request.tool, _verdict(each), _verdict(its)))
    if not found:
        return
    st.markdown(f"**Policies decided otherwise** ({len(found)})")
    shown(
        {
            "call of": [plain(tool) for tool, _, _ in found],
            "this run": [plain(mine) for _, mine, _ in found],
            "the other": [plain(its) for _, _, its in found],
        },
        border="horizontal",
    )


def _by_tool(story: Story) -> Sequence[tuple[tuple[str, int], RecordedDecision]]:
    last = {each.effect_key: each for each in story.decided}
    counts: dict[str, int] = {}
    found: list[tuple[tuple[str, int], RecordedDecision]] = []
    for each in last.values():
        tool = each.request.tool
        counts[tool] = counts.get(tool, 0) + 1
        found.append(((tool, counts[tool]), each))
    return found


def _verdict(each: RecordedDecision) -> str:
    rules = ", ".join(each.decision.reasons)
    return f"{each.decision.verdict}{f' ({rules})' if rules else ''}"


def _states(story: Story, other: Story) -> None:
    masks, its = masking(story), masking(other)
    if masks is None or its is None:
        st.info(UNMASKED, icon=":material/visibility_off:")
        return
    known = points(story)
    mine, theirs = _top(known), _top(points(other))
    both = sorted(mine.keys() & theirs.keys())
    first: tuple[CheckpointInfo, Sequence[Change]] | None = None

    def held(point: CheckpointInfo, hide: Masking) -> Any:
        found = front.read(lambda connection: states.state(connection, point)).values
        return without_ids(hide.masked(dict(found))[0])

    try:
        for number in both[:STATES]:
            found = differences(held(theirs[number], its), held(mine[number], masks))
            if found:
                first = (mine[number], found)
                break
        last = (
            differences(held(theirs[max(theirs)], its), held(mine[max(mine)], masks))
            if mine and theirs
            else ()
        )
    except PenstockError as error:
        st.caption(sentence(str(error)))
        return
    if first is not None:
        st.markdown(f"**Their states part at** {plain(named(first[0], known, story))}")
        changes(first[1], key="run-compared-first", otherwise="")
    st.markdown("**How this run's last state differs from the other's**")
    changes(last, key="run-compared-last", otherwise="Not at all, but for the ids of messages.")


def _top(known: Sequence[CheckpointInfo]) -> dict[int, CheckpointInfo]:
    return {point.number: point for point in known if not point.namespace}
