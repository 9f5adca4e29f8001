"""A run beside another: versions, spend, steps, calls, decisions, states, and where they part."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any, TypeVar, cast

import streamlit as st

from penstock.checkpoints import runs, states
from penstock.contracts.budget import Balance
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.effect import Effect
from penstock.contracts.errors import PenstockError
from penstock.contracts.ids import RunId
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.redaction import Masking
from penstock.contracts.run import Run
from penstock.contracts.spend import Measure
from penstock.contracts.step import Step, StepStatus
from penstock.ui import measures, navigation, session, text
from penstock.ui.components.badges import CALL_STATES, RUN_STATES, STEP_STATES
from penstock.ui.components.charts import amount
from penstock.ui.components.differences import Change, differences, show_changes
from penstock.ui.components.drawing import draw
from penstock.ui.components.inspector import text_mask
from penstock.ui.components.markdown import escaped, node_name, sentence, short, short_id
from penstock.ui.components.run_details import RunDetails, load_run, shown_masks
from penstock.ui.components.run_summary import forks_of
from penstock.ui.components.state_history import checkpoint_label, points
from penstock.ui.components.table import show_table

T = TypeVar("T")

_IDS = ("id", "tool_call_id")
OFFERED = 12
"""At most so many other runs of the thread, and of the graph, are offered."""
ANY = "any"
"""The value of the URL's parameter where no run was chosen yet."""
STATES = 60
"""At most so many pairs of states are compared to find the first that differ."""
_NONE = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The steps of two runs at the same place of their paths; None where one had ended."""

    one: Step | None
    other: Step | None

    @property
    def is_same(self) -> bool:
        """Whether both executed the same node, with the same status."""
        if self.one is None or self.other is None:
            return False
        return (self.one.node, self.one.status) == (self.other.node, self.other.status)


def pair_steps(one: Sequence[Step], other: Sequence[Step]) -> Sequence[Pair]:
    """Return the steps of two runs side by side: the last execution of each task."""
    return [
        Pair(one=mine, other=theirs)
        for mine, theirs in zip_longest(_last_executions(one), _last_executions(other))
    ]


def pair_calls(
    one: Sequence[Effect], other: Sequence[Effect]
) -> Sequence[tuple[Effect | None, Effect | None]]:
    """Return the calls of two runs side by side: those of a tool in their order."""
    left = _numbered(one, lambda effect: effect.tool)
    right = _numbered(other, lambda effect: effect.tool)
    return [(left.get(number), right.get(number)) for number in dict.fromkeys([*left, *right])]


def without_ids(value: Any) -> Any:
    """Return plain data without the ids of messages, which differ in each run."""
    match value:
        case dict():
            named = cast("Mapping[str, Any]", value)
            is_message = "content" in named or "args" in named
            return {
                name: without_ids(part)
                for name, part in named.items()
                if not (is_message and name in _IDS)
            }
        case list():
            return [without_ids(part) for part in cast("list[Any]", value)]
        case _:
            return value


def compare(details: RunDetails) -> None:
    """Offer runs to compare this one with, and show it beside the one that the URL names."""
    st.header("Beside another run", anchor=False)
    other_id = _choice(details)
    if other_id is None:
        return
    try:
        other = session.read(lambda connection: load_run(connection, other_id))
    except PenstockError as error:
        st.info(f"{sentence(str(error))}.", icon=":material/search_off:")
        return
    navigation.link("run", "Open the other run", icon=":material/open_in_new:", run=other_id)
    _facts(details, other)
    pairs = pair_steps(details.steps, other.steps)
    _parting(pairs)
    draw(_steps(pairs), key="run-compared-steps")
    _calls(details, other)
    _decisions(details, other)
    _states(details, other)


def _last_executions(steps: Sequence[Step]) -> Sequence[Step]:
    found = {step.task_id: step for step in steps}
    return [step for step in found.values() if step.status is not StepStatus.STARTED]


def _numbered(items: Iterable[T], tool_of: Callable[[T], str]) -> dict[tuple[str, int], T]:
    """Return items by their tool and their number among those of the same tool."""
    found: dict[tuple[str, int], T] = {}
    counts = Counter[str]()
    for item in items:
        tool = tool_of(item)
        counts[tool] += 1
        found[tool, counts[tool]] = item
    return found


def _choice(details: RunDetails) -> RunId | None:
    offered = _offered(details)
    asked = navigation.parameter("compare") or ANY
    if asked not in {ANY, *offered}:
        offered = {asked: short_id(asked), **offered}
    ids = list(offered)
    left, right = st.columns([3, 2])
    with left:
        picked = st.selectbox(
            "Compare with",
            ids,
            index=ids.index(asked) if asked in ids else None,
            format_func=lambda each: offered[each],
            placeholder="Choose a run" if ids else "There is no other run of its graph",
            key=f"compare-{details.run.id}",
        )
    with right:
        typed = st.text_input("or any other, by its id", key=f"compare-typed-{details.run.id}")
    found: str | None = typed.strip() or picked
    if not found:
        st.caption("Choose a run, and see where the two part.")
        return None
    navigation.set_parameters(compare=found)
    return RunId(found)


def _offered(details: RunDetails) -> dict[str, str]:
    """Return labels of runs by their ids: the nearest relatives first."""
    run = details.run
    origin, forks = forks_of(details.events)

    def look(connection: Any) -> tuple[Sequence[Run], Sequence[Run]]:
        return (
            runs.find(connection, thread_id=run.thread_id, tenant=run.tenant, limit=OFFERED),
            runs.find(connection, graph=run.graph, tenant=run.tenant, limit=OFFERED),
        )

    on_thread, of_graph = session.read(look)
    found: dict[str, str] = {}
    if origin is not None:
        found[origin] = f"{short_id(origin)} · what it was forked from"
    found |= {each: f"{short_id(each)} · a fork of it" for each in forks}
    for kind, those in (("of its thread", on_thread), ("of its graph", of_graph)):
        for each in those:
            if each.id != run.id and each.id not in found:
                state = RUN_STATES[each.status].name.lower()
                made = text.instant(each.created_at)
                found[each.id] = f"{short_id(each.id)} · {kind} · {state} · {made}"
    return found


def _facts(details: RunDetails, other: RunDetails) -> None:
    mine, theirs = _fact_texts(details), _fact_texts(other)
    rows = list(dict.fromkeys([*mine, *theirs]))
    show_table(
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


def _fact_texts(details: RunDetails) -> dict[str, str]:
    run = details.run
    ended = run.ended_at
    facts = {
        "run": escaped(short_id(run.id)),
        "state": RUN_STATES[run.status].name.lower(),
        "failure": escaped(run.failure.code) if run.failure else "",
        "mode": str(run.mode),
        "version": escaped(run.graph_version),
        "fingerprint": run.fingerprint[:8],
        "policy": ", ".join(sorted({each.policy_digest[:8] for each in details.decided})),
        "took": "" if ended is None else text.age((ended - run.created_at).total_seconds()),
    }
    standings: Sequence[Balance] = () if details.budget is None else details.budget.balances
    facts |= {
        measures.measure_name(Measure(unit=each.unit)): escaped(amount(each, each.spent))
        for each in standings
    }
    return {name: value for name, value in facts.items() if value}


def _parting(pairs: Sequence[Pair]) -> None:
    """Show where the paths of two runs part first."""
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
    return f"was at **{escaped(node_name(step.node))}**, which {step.status}"


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
    sign = STEP_STATES[step.status][1][0]
    return f'<td class="{step.status}">{sign} {escape(node_name(step.node))}{length}</td>'


def _calls(details: RunDetails, other: RunDetails) -> None:
    pairs = pair_calls(details.effects, other.effects)
    differing = [pair for pair in pairs if _call(pair[0]) != _call(pair[1])]
    if not pairs:
        return
    if not differing:
        st.markdown(f"**They made the same calls**, {len(pairs)}, which came to the same.")
        return
    st.markdown(f"**Calls that differ** ({len(differing)} of {len(pairs)})")
    hide = text_mask(details)
    show_table(
        {
            "this run": [escaped(hide(_call(one))) for one, _ in differing],
            "the other": [escaped(hide(_call(its))) for _, its in differing],
        },
        border="horizontal",
    )


def _call(effect: Effect | None) -> str:
    if effect is None:
        return _NONE
    came_to = short(effect.error_message or effect.result or "", 80)
    state = CALL_STATES[effect.status][1]
    return f"{effect.tool} {short(effect.arguments, 80)} {state} {came_to}"


def _decisions(details: RunDetails, other: RunDetails) -> None:
    """Show the calls that policies decided otherwise; calls of a tool are paired in their order."""
    found: list[tuple[str, str, str]] = []
    theirs = _last_decisions(other)
    for number, each in _last_decisions(details).items():
        its = theirs.get(number)
        if its is not None and _verdict(each) != _verdict(its):
            found.append((each.request.tool, _verdict(each), _verdict(its)))
    if not found:
        return
    st.markdown(f"**Policies decided otherwise** ({len(found)})")
    show_table(
        {
            "call of": [escaped(tool) for tool, _, _ in found],
            "this run": [escaped(mine) for _, mine, _ in found],
            "the other": [escaped(its) for _, _, its in found],
        },
        border="horizontal",
    )


def _last_decisions(details: RunDetails) -> Mapping[tuple[str, int], RecordedDecision]:
    """Return the last decision about each call, by its tool and its number."""
    last = {each.effect_key: each for each in details.decided}
    return _numbered(last.values(), lambda each: each.request.tool)


def _verdict(each: RecordedDecision) -> str:
    rules = ", ".join(each.decision.reasons)
    return f"{each.decision.verdict}{f' ({rules})' if rules else ''}"


def _states(details: RunDetails, other: RunDetails) -> None:
    masks = shown_masks(details)
    its = None if masks is None else shown_masks(other)
    if masks is None or its is None:
        return
    known = points(details)
    mine, theirs = _top(known), _top(points(other))
    both = sorted(mine.keys() & theirs.keys())
    first: tuple[CheckpointInfo, Sequence[Change]] | None = None

    def held(point: CheckpointInfo, hide: Masking) -> Any:
        found = session.read(lambda connection: states.state(connection, point)).values
        return without_ids(hide.mask(dict(found))[0])

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
        st.markdown(
            f"**Their states part at** {escaped(checkpoint_label(first[0], known, details))}"
        )
        show_changes(first[1], key="run-compared-first", otherwise="")
    st.markdown("**How this run's last state differs from the other's**")
    show_changes(
        last, key="run-compared-last", otherwise="Not at all, but for the ids of messages."
    )


def _top(known: Sequence[CheckpointInfo]) -> dict[int, CheckpointInfo]:
    return {point.number: point for point in known if not point.namespace}
