"""The policies of graphs: which decides, its rules, how often each did, and what would change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import streamlit as st

from penstock.checkpoints import decisions, policies
from penstock.contracts.policy import (
    Activation,
    Decided,
    PolicySetName,
    PolicyVersion,
    Tally,
    Verdict,
)
from penstock.policies import Mode, Rule, builtin_policy, read_rules
from penstock.runs.policing import ABOUT_BUILTIN
from penstock.ui import front, places
from penstock.ui.components import cedar
from penstock.ui.components.findings import findings
from penstock.ui.components.matrix import NAMES
from penstock.ui.components.rulings import NOTHING, SAID, Ruling, by_rule
from penstock.ui.components.table import opened
from penstock.ui.components.words import ago, badge, code, plain, sentence, short, spelled
from penstock.ui.forms import candidate, sending, versions

DAYS = 7
PAGE = 50
CALLS = 20
ACTIVATIONS = 50
LOOK_S = 5.0
COUNT_S = 15.0
"""How old the numbers of decisions may be."""

_VIEWS = {"rules": "Rules", "text": "Text", "versions": "Versions", "try": "Try a change"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    versions: Sequence[PolicyVersion]
    activations: Sequence[Activation]
    tallies: Sequence[Tally]

    @property
    def active(self) -> PolicyVersion | None:
        return next((each for each in self.versions if each.is_active), None)


def show() -> None:
    """Show the policy of the graph that the URL names, or one of its rules."""
    loaded = front.read(policies.graphs)
    graphs = sorted({*loaded, *(graph.name for graph in front.desk().catalog)})
    if not graphs:
        _none()
        return
    asked = places.asked("graph")
    graph = asked if asked in graphs else graphs[0]
    rule_id = places.asked("rule")
    found = _find(graph)
    if rule_id is not None:
        places.link("policies", "Policies", icon=":material/arrow_back:", graph=graph)
        _rule(graph, found, rule_id)
        return
    st.title("Policies", anchor=False)
    _pick(graphs, graph)
    sending.tell(f"policy-{graph}")
    _head(graph, found)
    _watch(graph, found.activations[0] if found.activations else None)
    view = _view(found)
    match view:
        case "text":
            _text(found)
        case "versions":
            versions.show(graph, found.versions, found.activations)
        case "try":
            candidate.show(graph, found.active)
        case _:
            _rules(graph, found)


def _find(graph: str) -> _Found:
    tenant, since = front.tenant(), front.now() - timedelta(days=DAYS)
    versions, activations = front.read(
        lambda connection: (
            policies.versions(connection, graph),
            policies.activations(connection, graph, limit=ACTIVATIONS),
        )
    )
    tallies = front.lately(
        ("policies", graph),
        lambda connection: decisions.tallied(connection, graph, tenant=tenant, since=since),
        for_s=COUNT_S,
    )
    return _Found(versions=versions, activations=activations, tallies=tallies)


@st.fragment(run_every=LOOK_S)
def _watch(graph: str, seen: Activation | None) -> None:
    """Load the page again when another version decides."""
    found = front.read(lambda connection: policies.activations(connection, graph, limit=1))
    if (found[0] if found else None) != seen:
        st.rerun()


def _none() -> None:
    st.title("Policies", anchor=False)
    with st.container(border=True):
        st.markdown(
            "**No policy is known yet.** The policy of each graph appears here: its rules, how"
            " often each decided, its versions, and what a change to it would have done."
        )
        missing = front.front().graphs_missing
        if missing is not None:
            st.markdown(sentence(missing))
        st.markdown("A worker that starts loads the policies of its graphs. So does this:")
        st.code("penstock policy load GRAPH", language=None)


# ---- the head ----


def _pick(graphs: Sequence[str], graph: str) -> None:
    if len(graphs) == 1:
        return
    st.selectbox(
        "Graph",
        graphs,
        index=graphs.index(graph),
        key="policies-graph",
        label_visibility="collapsed",
        width=280,
        on_change=lambda: places.note(
            graph=st.session_state.get("policies-graph"), page=None, before=None, after=None
        ),
    )


def _head(graph: str, found: _Found) -> None:
    active = found.active
    if active is None:
        st.info(
            f"**No policy of {plain(graph)} was loaded yet.** A worker that starts loads the one"
            " that the graph names; until then every call of it is refused.",
            icon=":material/policy:",
        )
        return
    rules = read_rules(active.source)
    shadows = sum(rule.mode is Mode.SHADOW for rule in rules)
    badges = [badge("green", f"{code(active.name)} decides", "check_circle")]
    badges.append(badge("gray", "1 rule" if len(rules) == 1 else f"{len(rules):,} rules"))
    if shadows:
        badges.append(badge("violet", f"{shadows} in shadow mode, not enforced", "visibility"))
    else:
        badges.append(badge("gray", "all enforced"))
    st.markdown(" ".join(badges))
    since = ""
    if found.activations:
        newest = found.activations[0]
        since = f"activated by **{plain(newest.by)}** {ago(newest.at, front.now())} · "
    st.caption(f"{since}digest {active.source.digest[:12]}")
    if active.source.digest == builtin_policy().digest:
        st.info(f"It is {sentence(ABOUT_BUILTIN)}.", icon=":material/info:")
    findings(graph, active.source)


def _view(found: _Found) -> str:
    asked = places.asked("view")
    views = list(_VIEWS) if found.active is not None else ["try"]
    chosen = st.segmented_control(
        "What to see",
        views,
        default=asked if asked in views else views[0],
        required=True,
        format_func=lambda view: _VIEWS[view],
        key="policies-view",
        label_visibility="collapsed",
        on_change=lambda: places.note(view=st.session_state.get("policies-view"), page=None),
    )
    return chosen or views[0]


def _text(found: _Found) -> None:
    if found.active is None:
        return
    for file in found.active.source.files:
        st.markdown(f"**{plain(file.set)}/{plain(file.name)}**")
        cedar.code(file.text)


# ---- its rules ----


def _rules(graph: str, found: _Found) -> None:
    if found.active is None:
        return
    rulings = by_rule(found.tallies)
    every = read_rules(found.active.source)
    rules = [rule for rule in every if _fits(rule)]
    if len(every) > PAGE or places.asked("find"):
        _search()
    if not rules:
        st.markdown("**No rule fits.** Take the filter away.")
    page = _page(len(rules))
    listed = rules[(page - 1) * PAGE : page * PAGE]
    if listed:
        row = opened(_columns(listed, rulings), key="policies-rules", config=_CONFIG)
        if row is not None:
            places.go("policies", graph=graph, rule=listed[row].id)
        st.caption(
            f"Calls of the last {DAYS} days of this tenant, by what was said of them because of the"
            " rule, whichever version it stood in. A permit is not named where people were asked."
            " Tick a rule to see it whole, and its calls."
        )
        _pager(page, len(rules))
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


def _page(total: int) -> int:
    asked = places.asked("page") or "1"
    last = max(-(-total // PAGE), 1)
    return min(max(int(asked), 1), last) if asked.isdigit() else 1


def _pager(page: int, total: int) -> None:
    last = max(-(-total // PAGE), 1)
    if last == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Previous", disabled=page <= 1, icon=":material/chevron_left:"):
            places.note(page=str(page - 1))
            st.rerun()
        st.caption(f"Page {page} of {last}, {total:,} rules", width="content")
        if st.button("Next", disabled=page >= last, icon=":material/chevron_right:"):
            places.note(page=str(page + 1))
            st.rerun()


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


# ---- one rule ----


def _rule(graph: str, found: _Found, rule_id: str) -> None:
    rules = read_rules(found.active.source) if found.active is not None else ()
    rule = next((each for each in rules if each.id == rule_id), None)
    ruling = by_rule(found.tallies).get(rule_id, Ruling())
    st.title(plain(rule_id) if rule_id != NOTHING else "No rule", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        if rule is None:
            st.info(
                "No such rule stands in the policy that decides now. Its calls of the last"
                f" {DAYS} days are beside this.",
                icon=":material/history:",
            )
        else:
            st.markdown(_about(rule))
            cedar.code(rule.text, first=rule.line)
            st.caption(f"{plain(rule.file)}, line {rule.line}, of {plain(graph)}")
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
    calls: Sequence[Decided] = ()
    if ruling.tallies:
        calls = front.read(
            lambda connection: decisions.worded(
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


def _arguments(decided: Decided) -> str:
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
