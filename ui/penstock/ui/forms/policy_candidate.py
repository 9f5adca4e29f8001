"""A candidate for a policy: written, checked, tried on recorded calls, and activated."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import streamlit as st

from penstock.contracts.errors import InvalidPolicy, PenstockError
from penstock.contracts.policy import Decision, PolicySource, PolicyVersion
from penstock.policies import builtin_policy, read_sheet, write_sheet
from penstock.runs.authorization import Right
from penstock.runs.policies import Redecision
from penstock.ui import navigation, session, theme
from penstock.ui.components import charts, policy_text
from penstock.ui.components.markdown import (
    ago,
    argument_line,
    code,
    escaped,
    sentence,
    short,
)
from penstock.ui.components.policy_impact import (
    LOOSER,
    STRICTER,
    VERDICT_NAMES,
    Impact,
    tally,
    verdict_matrix,
)
from penstock.ui.components.policy_text import show_problems
from penstock.ui.components.table import open_row
from penstock.ui.forms.policy_versions import only_admins, replace

LETTERS = 500_000
CHANGED_ROWS = 100

_DAYS = {"the last day": 1, "the last 7 days": 7, "the last 30 days": 30, "all time": None}
_CALLS = (500, 2_000, 10_000)
_HEIGHT_PX = 420


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A candidate, and the result of trying it."""

    text: str
    seen: PolicyVersion | None
    """The version that was active when the candidate was tried."""
    source: PolicySource | None = None
    wrong: str | None = None
    """Why it cannot be used, a problem a line."""
    outcome: Impact = field(default_factory=lambda: tally(()))
    changed: Sequence[Redecision] = ()
    """The newest calls that would have been decided otherwise, the newest first."""
    left_out: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    """Why calls could not be decided again, with the tool of each such call."""
    span: str = ""
    limit: int = 0


def show(graph: str, active: PolicyVersion | None) -> None:
    """Show the editor of a candidate, and the result of trying it."""
    if graph not in session.desk().catalog:
        st.info(
            "The graph is not at hand here, so no candidate can be checked against its tools."
            " Serve the pages where its `langgraph.json` is.",
            icon=":material/link_off:",
        )
        return
    tried = _write(graph, active)
    if tried is None:
        st.caption(
            "Nothing changes by trying. What recorded calls would have come to appears here."
        )
        return
    if tried.wrong is not None:
        st.error("**It cannot be used; nothing was tried.**", icon=":material/rule:")
        show_problems(tried.wrong, tried.source)
    elif tried.source is not None:
        _show_result(graph, tried, tried.source, active)


def _write(graph: str, active: PolicyVersion | None) -> _Tried | None:
    key, kept = _keys(graph)
    start = builtin_policy() if active is None else active.source
    if key not in st.session_state:
        # What was tried stays, when somebody comes back from another page or view.
        before: _Tried | None = st.session_state.get(kept)
        st.session_state[key] = before.text if before is not None else write_sheet(start)
    with st.form(f"form-{key}", border=False):
        with st.container(key="candidate-text"):
            text = st.text_area(
                "The candidate: it begins as what decides now. Each file stands under its heading.",
                key=key,
                height=_HEIGHT_PX,
                max_chars=LETTERS,
            )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            limit = st.selectbox(
                "Try it on the newest",
                _CALLS,
                index=1,
                format_func=lambda count: f"{count:,} calls",
                key=f"calls-{key}",
                width=180,
            )
            span = st.selectbox("of", list(_DAYS), index=1, key=f"days-{key}", width=180)
            is_asked = st.form_submit_button(
                "Check and try it", type="primary", icon=":material/science:"
            )
            st.form_submit_button(
                "Begin anew", icon=":material/undo:", on_click=_forget, args=(key, kept)
            )
    if is_asked:
        with st.spinner("It is decided anew about recorded calls…"):
            st.session_state[kept] = _try(graph, text, active, span=span, limit=limit)
    return st.session_state.get(kept)


def _keys(graph: str) -> tuple[str, str]:
    """Return the keys of the session under which the text and its trial are kept."""
    return f"candidate-{graph}", f"candidate-tried-{graph}"


def _forget(*keys: str) -> None:
    for key in keys:
        st.session_state.pop(key, None)


def _try(graph: str, text: str, active: PolicyVersion | None, *, span: str, limit: int) -> _Tried:
    source: PolicySource | None = None
    days = _DAYS[span]
    since = None if days is None else session.now() - timedelta(days=days)
    try:
        source = read_sheet(text, like=None if active is None else active.source)
        with session.policing() as policing:
            found = policing.what_if(
                graph, source, tenant=session.tenant(), since=since, limit=limit
            )
    except InvalidPolicy as error:
        return _Tried(text=text, seen=active, source=source, wrong=str(error))
    except PenstockError as error:
        return _Tried(text=text, seen=active, wrong=str(error))
    left_out: dict[str, list[str]] = {}
    for each in found:
        if each.why_not is not None:
            left_out.setdefault(each.why_not, []).append(each.before.request.tool)
    return _Tried(
        text=text,
        seen=active,
        source=source,
        outcome=tally(found),
        changed=[each for each in found if each.is_changed][: -CHANGED_ROWS - 1 : -1],
        left_out=left_out,
        span=span,
        limit=limit,
    )


def _show_result(
    graph: str, tried: _Tried, source: PolicySource, active: PolicyVersion | None
) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.header("What it would have come to", anchor=False)
        _summary(tried)
    with right:
        st.header("What changes in the text", anchor=False)
        _difference(tried, source, active)
    _changed(tried)
    _left_out(tried)
    st.header("Have it decide", anchor=False)
    _activate(graph, tried, source, active)


def _summary(tried: _Tried) -> None:
    found = tried.outcome
    if not found.call_count:
        st.markdown(
            f"**No call was recorded in {tried.span}.** The candidate is sound; what it would say"
            " nobody has asked yet."
        )
        return
    more = " There are older ones." if found.call_count == tried.limit else ""
    st.markdown(
        f"**{found.changed_count:,} of {found.decided_count:,} calls** of {tried.span} would have"
        f" come to something else.{more}"
    )
    if looser := found.count(LOOSER):
        st.warning(
            f"**It is looser.** {looser:,} calls that were denied or asked about would be asked"
            " about or allowed.",
            icon=":material/lock_open:",
        )
    if stricter := found.count(STRICTER):
        st.markdown(f":blue[:material/lock:] It is stricter about {stricter:,} calls.")
    charts.draw_vega(verdict_matrix(found, is_dark=theme.is_dark()), key="candidate-matrix")
    st.caption(
        "Rows are what was said of each call when it was made, by the version of that time. Calls"
        " that nobody has made yet are not among them."
    )


def _difference(tried: _Tried, source: PolicySource, active: PolicyVersion | None) -> None:
    seen = tried.seen
    if (None if active is None else active.name) != (None if seen is None else seen.name):
        name = "no version" if seen is None else code(seen.name)
        now = "none" if active is None else code(active.name)
        st.warning(
            f"It was compared with {name}, and {now} decides by now. Check it again to compare"
            " with that.",
            icon=":material/sync_problem:",
        )
    before = builtin_policy() if seen is None else seen.source
    if not policy_text.show_difference(before, source):
        st.caption("Nothing: it is what decides already.")


def _changed(tried: _Tried) -> None:
    listed, now = tried.changed, session.now()
    if not listed:
        return
    st.header("The calls that would have come to something else", anchor=False)
    row = open_row(
        {
            "It was": [_named(each.before.decision) for each in listed],
            "It would be": [_named(each.after) for each in listed],
            "Because of": [
                ", ".join(each.after.reasons) or "nothing permits it" for each in listed
            ],
            "Tool": [each.before.request.tool for each in listed],
            "Arguments": [argument_line(each.before.request.args) for each in listed],
            "When": [ago(each.before.at, now) for each in listed],
            "Sure": ["yes" if each.is_certain else "?" for each in listed],
        },
        key="candidate-changed",
        config=_CONFIG,
    )
    if row is not None:
        navigation.go("run", run=listed[row].before.run_id)
    more = tried.outcome.changed_count - len(listed)
    st.caption(
        (f"The newest {len(listed)}, and {more:,} more. " if more else "The newest first. ")
        + "Tick a call to open its run. Not sure (?) are calls of a run that come after one that"
        " would have come to something else: what the run would have done then, nobody knows."
    )


def _left_out(tried: _Tried) -> None:
    for why, tools in tried.left_out.items():
        named = escaped(short(", ".join(sorted(set(tools))), 200))
        st.info(
            f"**{len(tools):,} calls could not be decided anew** ({named}). {sentence(why)}",
            icon=":material/block:",
        )


def _activate(
    graph: str, tried: _Tried, source: PolicySource, active: PolicyVersion | None
) -> None:
    if not session.may(Right.MANAGE_POLICIES):
        only_admins()
        return
    if active is not None and source.digest == active.source.digest:
        st.caption("It decides already.")
        return
    st.markdown(
        "It is loaded as a version of its own and decides from then on, in every worker, also about"
        " calls that wait at gates. A rule that should only be watched at first has"
        ' `@mode("shadow")`.'
    )
    with st.popover("Load and activate", icon=":material/publish:"):
        name = "nothing" if tried.seen is None else code(tried.seen.name)
        st.markdown(
            f"In place of {name}. Of the {tried.outcome.decided_count:,} calls that it was"
            f" tried on, {tried.outcome.changed_count:,} would have come to something else."
        )
        if st.button("Do it", type="primary", icon=":material/check:", key="candidate-do"):
            replace(graph, source, tried.seen, done_with=_keys(graph))


def _named(decision: Decision) -> str:
    groups = sorted({f"{rule.approval_count} of {rule.group}" for rule in decision.rules})
    return (
        f"{VERDICT_NAMES[decision.verdict]}: {' and '.join(groups)}"
        if groups
        else VERDICT_NAMES[decision.verdict]
    )


_CONFIG = {
    "It was": st.column_config.TextColumn(width=170),
    "It would be": st.column_config.TextColumn(width=170),
    "Because of": st.column_config.TextColumn(width=170),
    "Tool": st.column_config.TextColumn(width=120),
    "Arguments": st.column_config.TextColumn(width=330),
    "When": st.column_config.TextColumn(width=90),
    "Sure": st.column_config.TextColumn(width=60),
}
