"""The policies of graphs: which decides, its rules, how often each did, and what would change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import streamlit as st

from penstock.checkpoints import decisions, policies
from penstock.contracts.policy import Activation, DecisionTally, PolicyVersion
from penstock.policies import Mode, builtin_policy, read_rules
from penstock.runs.policies import ABOUT_BUILTIN
from penstock.ui import front, places
from penstock.ui.components import cedar, rules
from penstock.ui.components.findings import findings
from penstock.ui.components.rules import DAYS
from penstock.ui.components.words import ago, badge, code, plain, sentence
from penstock.ui.forms import candidate, sending, versions

ACTIVATIONS = 50
LOOK_S = 5.0
COUNT_S = 15.0
"""How old the numbers of decisions may be."""

_VIEWS = {"rules": "Rules", "text": "Text", "versions": "Versions", "try": "Try a change"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    versions: Sequence[PolicyVersion]
    activations: Sequence[Activation]
    tallies: Sequence[DecisionTally]

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
        rules.rule(graph, found.active, found.tallies, rule_id)
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
        case _ if found.active is not None:
            rules.rules(graph, found.active, found.tallies)
        case _:
            pass


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
        lambda connection: decisions.tallies(connection, graph, tenant=tenant, since=since),
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
    every = read_rules(active.source)
    shadows = sum(rule.mode is Mode.SHADOW for rule in every)
    badges = [badge("green", f"{code(active.name)} decides", "check_circle")]
    badges.append(badge("gray", "1 rule" if len(every) == 1 else f"{len(every):,} rules"))
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
