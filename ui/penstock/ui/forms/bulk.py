"""Acting on many runs: they are looked over first, and then it is done to exactly those."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from penstock.contracts.bulk import (
    BulkAction,
    BulkOutcome,
    BulkPlan,
    BulkResult,
    Exclusion,
    SeenRun,
)
from penstock.contracts.errors import PenstockError
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter
from penstock.runs.authorization import Right
from penstock.runs.bulk import MAX_RUN_COUNT
from penstock.ui import front
from penstock.ui.components.states import MARKS
from penstock.ui.components.table import listed, shown
from penstock.ui.components.words import plain
from penstock.ui.text import EXCLUSIONS
from penstock.ui.troubles import tell

SURE = 100
"""More runs than this are acted on only by who says how many are meant."""
PORTION = 200
"""So many are acted on between two looks at how far it has come."""
LOOK_S = 0.2
ROWS = 1_000
"""So many rows of a list are shown."""

_PLAN, _JOB = "bulk-plan", "bulk-job"
_DO = {BulkAction.CANCEL: "Cancel", BulkAction.REDRIVE: "Redrive"}
_DONE = {BulkAction.CANCEL: "cancelled", BulkAction.REDRIVE: "queued again"}
_ICONS = {BulkAction.CANCEL: ":material/cancel:", BulkAction.REDRIVE: ":material/replay:"}
_ABOUT = {
    BulkAction.CANCEL: "What their tools may have done by then is not taken back; what nobody can"
    " know of is asked at a gate. The runs that they have started are cancelled with them.",
    BulkAction.REDRIVE: "Each goes on from its last checkpoint.",
}


@dataclass(slots=True, kw_only=True)
class _Job:
    """What is being done. It goes on from look to look, and only while somebody looks."""

    plan: BulkPlan
    reason: str | None
    is_going: bool = True
    """Whether somebody has just said that it is to go on."""
    error: PenstockError | None = None
    ends: list[BulkResult] = field(default_factory=list[BulkResult])

    @property
    def rest(self) -> Sequence[SeenRun]:
        """What is still to be done."""
        return self.plan.targets[len(self.ends) :]

    def go_on(self, *, by: str) -> None:
        """Do the next portion. Nothing of Streamlit is touched here, so nothing interrupts it."""
        portion = self.rest[:PORTION]
        try:
            with front.bulk() as bulk:
                self.ends += bulk.carry_out(self.plan.deed, portion, by=by, reason=self.reason)
        except PenstockError as error:
            self.error = error


def is_possible() -> bool:
    """Tell whether whoever looks may do something to any runs."""
    return front.may(Right.STEER) or front.may(Right.START)


def offer(wanted: RunFilter, picked: Sequence[RunId], *, is_filtered: bool) -> None:
    """Offer to act on the runs that are picked, or on all that fit the filter."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if picked:
            st.markdown(f"**{len(picked)} ticked.** The list stands still meanwhile.")
        else:
            st.markdown("Tick several runs, or act on **all that fit the filter**:")
        for deed in BulkAction:
            reason = None
            if deed is BulkAction.REDRIVE and not front.may(Right.STEER):
                reason = "Only an operator may do this."
            elif not picked and not is_filtered:
                reason = "Choose a filter first."
            if st.button(
                f"{_DO[deed]} {'them' if picked else 'all'}…",
                key=f"bulk-{deed}",
                icon=_ICONS[deed],
                disabled=reason is not None,
                help=reason,
            ):
                _plan(deed, wanted, picked)


def is_under_way() -> bool:
    """Tell whether runs are being looked over or acted on, or what came of it is to be said."""
    return _PLAN in st.session_state or _JOB in st.session_state


def review() -> None:
    """Show what would be done and do it when that is confirmed; afterwards, what came of it."""
    job: _Job | None = st.session_state.get(_JOB)
    if job is None:
        _review(st.session_state[_PLAN])
    elif job.is_going and job.rest:
        # Whoever comes back after leaving in the middle is asked again.
        job.is_going = False
        _work()
    else:
        _came_to(job)


def _plan(deed: BulkAction, wanted: RunFilter, picked: Sequence[RunId]) -> None:
    only = RunFilter(tenant=wanted.tenant) if picked else wanted
    with front.bulk() as bulk:
        st.session_state[_PLAN] = bulk.plan(deed, only, by=front.person(), ids=picked or None)
    st.rerun()


def _review(plan: BulkPlan) -> None:
    count = len(plan.targets)
    st.header(f"{_DO[plan.deed]} {_runs(count)}?", anchor=False)
    st.caption(
        "Nothing has been done yet. Exactly these are meant: a run that changes before you confirm"
        " is left as it is."
    )
    left, right = st.columns(2, gap="large")
    with left:
        _tally(plan)
    with right:
        _left_out(plan)
    if plan.has_more:
        st.warning(
            f"More than {MAX_RUN_COUNT:,} fit. These are the newest; do it again for the others"
            " afterwards.",
            icon=":material/stacks:",
        )
    if not count:
        if st.button("Back to the runs", type="primary"):
            _leave()
        return
    with st.expander(f"The runs, one by one ({count:,})"):
        _rows(plan.targets[:ROWS], {})
        if count > ROWS:
            st.caption(f"The newest {ROWS:,} are shown.")
    with st.form("bulk", border=False):
        st.markdown(_ABOUT[plan.deed])
        reason = ""
        if plan.deed is BulkAction.CANCEL:
            reason = st.text_input("Why (may be left empty)", key="bulk-reason").strip()
        is_sure = count <= SURE or st.checkbox(f"I mean all {count:,} of them", key="bulk-sure")
        with st.container(horizontal=True):
            is_meant = st.form_submit_button(
                f"{_DO[plan.deed]} {'this run' if count == 1 else f'these {count:,} runs'}",
                type="primary",
                icon=_ICONS[plan.deed],
            )
            leaves = st.form_submit_button("Leave them as they are")
    if leaves:
        _leave()
    if is_meant and not is_sure:
        st.warning("These are many. Say that you mean all of them; nothing was done.")
    elif is_meant:
        st.session_state[_JOB] = _Job(plan=plan, reason=reason or None)
        del st.session_state[_PLAN]
        st.rerun()


@st.fragment(run_every=LOOK_S)
def _work() -> None:
    job: _Job | None = st.session_state.get(_JOB)
    if job is None:
        return
    count = len(job.plan.targets)
    said = f"{len(job.ends):,} of {_runs(count)} looked at"
    st.progress(len(job.ends) / count, text=said)
    st.caption("Stay on this page: whoever leaves it stops it, and may go on later.")
    if st.button("Stop here", icon=":material/stop:"):
        st.rerun()
    job.go_on(by=front.person())
    if job.error is not None or not job.rest:
        st.rerun()


def _came_to(job: _Job) -> None:
    plan, ends, rest = job.plan, job.ends, len(job.rest)
    counts = Counter(end.outcome for end in ends)
    told = ", ".join(f"{counts[outcome]:,} {outcome}" for outcome in BulkOutcome)
    st.header(f"{'Stopped' if rest else 'Done'}: {told}", anchor=False)
    if job.error is not None:
        tell(job.error)
    st.markdown(
        f"{_runs(counts[BulkOutcome.APPLIED])} {_DONE[plan.deed]}."
        + (" A run that is driven is stopped within a second." * (plan.deed is BulkAction.CANCEL))
        + (f" **{_runs(rest)} not touched.**" if rest else "")
    )
    apart = sorted(ends, key=lambda end: end.outcome is BulkOutcome.APPLIED)
    _rows([end.seen for end in apart[:ROWS]], {end.seen.id: end for end in ends})
    if len(ends) > ROWS:
        st.caption(f"{ROWS:,} of {len(ends):,} are shown, those that were left as they are first.")
    with st.container(horizontal=True):
        if rest and st.button(f"Go on with the other {rest:,}", icon=":material/play_arrow:"):
            job.is_going, job.error = True, None
            st.rerun()
        if st.button("Back to the runs", type="primary"):
            _leave()


def _leave() -> None:
    for key in (_PLAN, _JOB):
        st.session_state.pop(key, None)
    st.rerun()


def _tally(plan: BulkPlan) -> None:
    st.markdown(f"**Would be {_DONE[plan.deed]}**")
    counts = Counter((seen.graph, seen.status) for seen in plan.targets)
    if not counts:
        st.caption("None of the runs.")
        return
    rows = counts.most_common()
    shown(
        {
            "graph": [plain(graph) for (graph, _), _ in rows],
            "state": [MARKS[status].badge() for (_, status), _ in rows],
            "runs": [f"{count:,}" for _, count in rows],
        },
        border="horizontal",
    )


def _left_out(plan: BulkPlan) -> None:
    counts: dict[str, int] = {
        EXCLUSIONS[why]: count for why, count in Counter(why for _, why in plan.left_out).items()
    }
    impossible = Exclusion.OVER if plan.deed is BulkAction.CANCEL else Exclusion.NOT_FAILED
    for status, count in plan.over.items():
        counts[f"{EXCLUSIONS[impossible]}: {status}"] = count
    st.markdown("**Left out**")
    if not counts:
        st.caption("None of the runs.")
        return
    shown(
        {
            "why": [plain(why) for why in counts],
            "runs": [f"{count:,}" for count in counts.values()],
        },
        border="horizontal",
    )


def _rows(found: Sequence[SeenRun], ends: Mapping[RunId, BulkResult]) -> None:
    columns: dict[str, Sequence[Any]] = {
        "Run": [seen.id for seen in found],
        "Graph": [seen.graph for seen in found],
        "For": [seen.principal for seen in found],
        "Was": [f"{MARKS[seen.status].sign} {seen.status}" for seen in found],
    }
    if ends:
        columns["Came to"] = [_said(ends[seen.id]) for seen in found]
    listed(columns)


def _said(end: BulkResult) -> str:
    return f"{end.outcome}: {end.why}" if end.why else str(end.outcome)


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
