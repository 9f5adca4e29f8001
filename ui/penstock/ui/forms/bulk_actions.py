"""Acting on many runs: a plan is reviewed first, and then carried out on exactly its runs."""

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
from penstock.ui import session
from penstock.ui.components.badges import RUN_STATES
from penstock.ui.components.feedback import show_error
from penstock.ui.components.markdown import escaped
from penstock.ui.components.table import show_scrolling, show_table
from penstock.ui.text import EXCLUSIONS

SURE = 100
"""An action on more runs asks to confirm their number."""
PORTION = 200
"""So many runs are acted on between two updates of the progress."""
LOOK_S = 0.2
ROWS = 1_000
"""At most so many rows of a list are shown."""

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
    """A plan that is being carried out, portion by portion, while its page is open."""

    plan: BulkPlan
    reason: str | None
    is_going: bool = True
    """Whether it was just now started or continued by a button."""
    error: PenstockError | None = None
    ends: list[BulkResult] = field(default_factory=list[BulkResult])

    @property
    def rest(self) -> Sequence[SeenRun]:
        """The runs that are still to be acted on."""
        return self.plan.targets[len(self.ends) :]

    def go_on(self, *, by: str) -> None:
        """Act on the next portion. Nothing here calls Streamlit, so nothing interrupts it."""
        portion = self.rest[:PORTION]
        try:
            with session.bulk() as bulk:
                self.ends += bulk.carry_out(self.plan.action, portion, by=by, reason=self.reason)
        except PenstockError as error:
            self.error = error


def is_possible() -> bool:
    """Tell whether the person who looks may act on any runs."""
    return session.may(Right.STEER) or session.may(Right.START)


def offer(wanted: RunFilter, picked: Sequence[RunId], *, is_filtered: bool) -> None:
    """Offer to act on the runs that are picked, or on all that fit the filter."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if picked:
            st.markdown(f"**{len(picked)} ticked.** The list stands still meanwhile.")
        else:
            st.markdown("Tick several runs, or act on **all that fit the filter**:")
        for deed in BulkAction:
            reason = None
            if deed is BulkAction.REDRIVE and not session.may(Right.STEER):
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
    """Tell whether a plan is being reviewed or carried out, or its outcome is to be shown."""
    return _PLAN in st.session_state or _JOB in st.session_state


def review() -> None:
    """Show a plan, and carry it out when it is confirmed; afterwards, show its outcome."""
    job: _Job | None = st.session_state.get(_JOB)
    if job is None:
        _review(st.session_state[_PLAN])
    elif job.is_going and job.rest:
        # Whoever comes back after leaving in the middle is asked again.
        job.is_going = False
        _work()
    else:
        _show_outcome(job)


def _plan(deed: BulkAction, wanted: RunFilter, picked: Sequence[RunId]) -> None:
    only = RunFilter(tenant=wanted.tenant) if picked else wanted
    with session.bulk() as bulk:
        st.session_state[_PLAN] = bulk.plan(deed, only, by=session.person(), ids=picked or None)
    st.rerun()


def _review(plan: BulkPlan) -> None:
    count = len(plan.targets)
    st.header(f"{_DO[plan.action]} {_runs(count)}?", anchor=False)
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
        st.markdown(_ABOUT[plan.action])
        reason = ""
        if plan.action is BulkAction.CANCEL:
            reason = st.text_input("Why (may be left empty)", key="bulk-reason").strip()
        is_sure = count <= SURE or st.checkbox(f"I mean all {count:,} of them", key="bulk-sure")
        with st.container(horizontal=True):
            is_meant = st.form_submit_button(
                f"{_DO[plan.action]} {'this run' if count == 1 else f'these {count:,} runs'}",
                type="primary",
                icon=_ICONS[plan.action],
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
    progress = f"{len(job.ends):,} of {_runs(count)} looked at"
    st.progress(len(job.ends) / count, text=progress)
    st.caption("Stay on this page: whoever leaves it stops it, and may go on later.")
    if st.button("Stop here", icon=":material/stop:"):
        st.rerun()
    job.go_on(by=session.person())
    if job.error is not None or not job.rest:
        st.rerun()


def _show_outcome(job: _Job) -> None:
    plan, ends, rest = job.plan, job.ends, len(job.rest)
    counts = Counter(end.outcome for end in ends)
    summary = ", ".join(f"{counts[outcome]:,} {outcome}" for outcome in BulkOutcome)
    st.header(f"{'Stopped' if rest else 'Done'}: {summary}", anchor=False)
    if job.error is not None:
        show_error(job.error)
    st.markdown(
        f"{_runs(counts[BulkOutcome.APPLIED])} {_DONE[plan.action]}."
        + (" A run that is driven is stopped within a second." * (plan.action is BulkAction.CANCEL))
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
    st.markdown(f"**Would be {_DONE[plan.action]}**")
    counts = Counter((seen.graph, seen.status) for seen in plan.targets)
    if not counts:
        st.caption("None of the runs.")
        return
    rows = counts.most_common()
    show_table(
        {
            "graph": [escaped(graph) for (graph, _), _ in rows],
            "state": [RUN_STATES[status].badge() for (_, status), _ in rows],
            "runs": [f"{count:,}" for _, count in rows],
        },
        border="horizontal",
    )


def _left_out(plan: BulkPlan) -> None:
    counts: dict[str, int] = {
        EXCLUSIONS[why]: count for why, count in Counter(why for _, why in plan.left_out).items()
    }
    impossible = Exclusion.OVER if plan.action is BulkAction.CANCEL else Exclusion.NOT_FAILED
    for status, count in plan.over.items():
        counts[f"{EXCLUSIONS[impossible]}: {status}"] = count
    st.markdown("**Left out**")
    if not counts:
        st.caption("None of the runs.")
        return
    show_table(
        {
            "why": [escaped(why) for why in counts],
            "runs": [f"{count:,}" for count in counts.values()],
        },
        border="horizontal",
    )


def _rows(found: Sequence[SeenRun], ends: Mapping[RunId, BulkResult]) -> None:
    columns: dict[str, Sequence[Any]] = {
        "Run": [seen.id for seen in found],
        "Graph": [seen.graph for seen in found],
        "For": [seen.principal for seen in found],
        "Was": [f"{RUN_STATES[seen.status].sign} {seen.status}" for seen in found],
    }
    if ends:
        columns["Came to"] = [_outcome(ends[seen.id]) for seen in found]
    show_scrolling(columns)


def _outcome(end: BulkResult) -> str:
    return f"{end.outcome}: {end.why}" if end.why else str(end.outcome)


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
