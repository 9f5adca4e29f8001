"""The policies of graphs: the active version, its rules and their counts, and a candidate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import streamlit as st

from penstock.checkpoints import decisions, policies
from penstock.contracts.policy import Activation, DecisionTally, PolicyVersion
from penstock.policies import Mode, builtin_policy, read_rules
from penstock.runs.policies import ABOUT_BUILTIN
from penstock.ui import navigation, session
from penstock.ui.components import feedback, policy_rules, policy_text
from penstock.ui.components.badges import badge
from penstock.ui.components.feedback import show_first_steps
from penstock.ui.components.markdown import ago, code, escaped, sentence
from penstock.ui.components.policy_rules import DAYS
from penstock.ui.components.policy_text import show_findings
from penstock.ui.forms import policy_candidate, policy_versions

ACTIVATIONS = 50
LOOK_S = 5.0
COUNT_S = 15.0
"""The counts of decisions may be so old."""

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
    loaded = session.read(policies.graphs)
    graphs = sorted({*loaded, *(graph.name for graph in session.desk().catalog)})
    if not graphs:
        st.title("Policies", anchor=False)
        show_first_steps(
            "**No policy is known yet.** The policy of each graph appears here: its rules, how"
            " often each decided, its versions, and what a change to it would have done.",
            then="A worker that starts loads the policies of its graphs. So does this:",
            code="penstock policy load GRAPH",
        )
        return
    asked = navigation.parameter("graph")
    graph = asked if asked in graphs else graphs[0]
    rule_id = navigation.parameter("rule")
    found = _find(graph)
    if rule_id is not None:
        navigation.link("policies", "Policies", icon=":material/arrow_back:", graph=graph)
        policy_rules.show_rule(graph, found.active, found.tallies, rule_id)
        return
    st.title("Policies", anchor=False)
    _pick(graphs, graph)
    feedback.show_outcome(f"policy-{graph}")
    _head(graph, found)
    _watch(graph, found.activations[0] if found.activations else None)
    view = _view(found)
    match view:
        case "text":
            _text(found)
        case "versions":
            policy_versions.show(graph, found.versions, found.activations)
        case "try":
            policy_candidate.show(graph, found.active)
        case _ if found.active is not None:
            policy_rules.show_rules(graph, found.active, found.tallies)
        case _:
            pass


def _find(graph: str) -> _Found:
    tenant, since = session.tenant(), session.now() - timedelta(days=DAYS)
    versions, activations = session.read(
        lambda connection: (
            policies.versions(connection, graph),
            policies.activations(connection, graph, limit=ACTIVATIONS),
        )
    )
    tallies = session.cached(
        ("policies", graph),
        lambda connection: decisions.tallies(connection, graph, tenant=tenant, since=since),
        for_s=COUNT_S,
    )
    return _Found(versions=versions, activations=activations, tallies=tallies)


@st.fragment(run_every=LOOK_S)
def _watch(graph: str, seen: Activation | None) -> None:
    """Reload the page when another version is active."""
    found = session.read(lambda connection: policies.activations(connection, graph, limit=1))
    if (found[0] if found else None) != seen:
        st.rerun()


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
        on_change=lambda: navigation.set_parameters(
            graph=st.session_state.get("policies-graph"), page=None, before=None, after=None
        ),
    )


def _head(graph: str, found: _Found) -> None:
    active = found.active
    if active is None:
        st.info(
            f"**No policy of {escaped(graph)} was loaded yet.** A worker that starts loads the one"
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
        since = f"activated by **{escaped(newest.by)}** {ago(newest.at, session.now())} · "
    st.caption(f"{since}digest {active.source.digest[:12]}")
    if active.source.digest == builtin_policy().digest:
        st.info(f"It is {sentence(ABOUT_BUILTIN)}.", icon=":material/info:")
    show_findings(graph, active.source)


def _view(found: _Found) -> str:
    asked = navigation.parameter("view")
    views = list(_VIEWS) if found.active is not None else ["try"]
    chosen = st.segmented_control(
        "What to see",
        views,
        default=asked if asked in views else views[0],
        required=True,
        format_func=lambda view: _VIEWS[view],
        key="policies-view",
        label_visibility="collapsed",
        on_change=lambda: navigation.set_parameters(
            view=st.session_state.get("policies-view"), page=None
        ),
    )
    return chosen or views[0]


def _text(found: _Found) -> None:
    if found.active is None:
        return
    for file in found.active.source.files:
        st.markdown(f"**{escaped(file.set)}/{escaped(file.name)}**")
        policy_text.show_code(file.text)
