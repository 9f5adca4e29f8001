"""The tools of the project's graphs: their contracts, and what their calls came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from penstock.checkpoints import ledger
from penstock.contracts.effect import UsedTool
from penstock.contracts.tool import EffectClass, ToolContract
from penstock.ui import navigation, session
from penstock.ui.components import tool_contract
from penstock.ui.components.badges import TOOL_CLASSES, badge
from penstock.ui.components.feedback import show_first_steps
from penstock.ui.components.filters import Filters
from penstock.ui.components.markdown import ago, escaped, short
from penstock.ui.components.table import open_row
from penstock.ui.components.tool_calls import calls
from penstock.ui.components.tool_contract import show_contract

_FILTERS = Filters(page="tools", names=("graph", "class", "find"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A tool: its contract where its graph is at hand, and its use by the ledger."""

    name: str
    graph: str | None
    contract: ToolContract | None
    is_adopted: bool
    used: UsedTool | None

    @property
    def effect(self) -> EffectClass:
        if self.contract is not None:
            return self.contract.effect
        return self.used.effect if self.used is not None else EffectClass.UNSAFE


def show() -> None:
    """Show the tool that the URL names, or all of them."""
    entries = _entries(
        session.read(lambda connection: ledger.used_tools(connection, tenant=session.tenant()))
    )
    name, of = navigation.parameter("tool"), navigation.parameter("of")
    if name is None:
        _list(entries)
        return
    navigation.link("tools", "Tools", icon=":material/arrow_back:", **_FILTERS.chosen())
    found = [each for each in entries if each.name == name and of in {None, each.graph}]
    if found:
        _tool(found[0])
    else:
        st.info(
            f"No tool **{escaped(name)}** is known here: no graph at hand has it, and no call of it"
            " was ever begun.",
            icon=":material/build:",
        )


def _entries(used: Sequence[UsedTool]) -> Sequence[_Entry]:
    known = {each.name: each for each in used}
    found = [
        _Entry(
            name=name,
            graph=graph.name,
            contract=tool.contract,
            is_adopted=tool.is_adopted,
            used=known.get(name),
        )
        for graph in session.desk().catalog
        for name, tool in graph.tools.items()
    ]
    at_hand = {each.name for each in found}
    found += [
        _Entry(name=name, graph=None, contract=None, is_adopted=False, used=each)
        for name, each in known.items()
        if name not in at_hand
    ]
    return sorted(found, key=lambda each: (each.name, each.graph or ""))


def _list(entries: Sequence[_Entry]) -> None:
    st.title("Tools", anchor=False)
    if session.control_room().graphs_missing is not None and entries:
        st.info(
            "The project's graphs are not at hand. So this is what the ledger knows of tools: their"
            " calls, and not their contracts.",
            icon=":material/link_off:",
        )
    if not entries:
        show_first_steps(
            "**No tool is known yet.** The tools of the project's graphs appear here, each with"
            " what it may do to the world, who may call it, and what becomes of a call whose worker"
            " dies.",
            then="A graph's tools are those in its `ToolNode`s, and those that it names:",
            code='declare(graph, name="desk", tools=[refund])',
            language="python",
        )
        return
    _filters(entries)
    found = [each for each in entries if _fits(each)]
    if not found:
        with st.container(border=True):
            st.markdown("**No tool fits.** Take some of the filter away.")
            navigation.link("tools", "Show all", icon=":material/filter_alt_off:")
        return
    row = open_row(_columns(found), key="tools-table", config=_CONFIG)
    if row is not None:
        navigation.go("tools", tool=found[row].name, **_of(found[row].graph), **_FILTERS.chosen())
    st.caption("Tick a tool to see its whole contract, and what its calls came to.")


def _of(graph: str | None) -> dict[str, str]:
    return {} if graph is None else {"of": graph}


def _filters(entries: Sequence[_Entry]) -> None:
    graphs = sorted({each.graph for each in entries if each.graph is not None})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _FILTERS.pick(
            "graph",
            "Graph",
            graphs,
            chosen=navigation.parameter("graph"),
            empty="All graphs",
            width=190,
        )
        _FILTERS.pick(
            "class",
            "Effect",
            [str(each) for each in EffectClass],
            chosen=navigation.parameter("class"),
            empty="All classes",
            width=190,
        )
        _FILTERS.search("find", "Find", hint="Name, words, scope or tag", width=280, icon="search")


def _fits(entry: _Entry) -> bool:
    graph, effect = navigation.parameter("graph"), navigation.parameter("class")
    if graph not in {None, entry.graph} or effect not in {None, entry.effect}:
        return False
    words = (navigation.parameter("find") or "").lower().split()
    texts = [entry.name]
    if entry.contract is not None:
        texts += [entry.contract.description, *entry.contract.scopes, *entry.contract.tags]
    return all(word in " ".join(texts).lower() for word in words)


def _columns(found: Sequence[_Entry]) -> Mapping[str, Sequence[Any]]:
    now = session.now()
    return {
        "Tool": [each.name for each in found],
        "Graph": [each.graph or "not at hand" for each in found],
        "Effect": [f"{each.effect}: {TOOL_CLASSES[each.effect][1]}" for each in found],
        "Does": [_does(each) for each in found],
        "Calls": [each.used.call_count if each.used else 0 for each in found],
        "Last": [ago(each.used.last_started_at, now) if each.used else "" for each in found],
    }


def _does(entry: _Entry) -> str:
    if entry.contract is None:
        return "known from its calls alone"
    if tool_contract.is_worst_case(entry.contract, is_adopted=entry.is_adopted):
        return f"(nobody has said) {short(entry.contract.description, 90)}"
    return short(entry.contract.description.partition("\n")[0], 110)


def _tool(entry: _Entry) -> None:
    st.title(escaped(entry.name), anchor=False)
    colour, words = TOOL_CLASSES[entry.effect]
    badges = [badge(colour, str(entry.effect)), badge(colour, words)]
    contract = entry.contract
    if contract is not None:
        if tool_contract.is_worst_case(contract, is_adopted=entry.is_adopted):
            badges.append(badge("red", "nobody has said what it does", "help"))
        elif entry.is_adopted:
            badges.append(badge("gray", "somebody else's, adopted"))
        badges += [badge("blue", escaped(tag), "sell") for tag in sorted(contract.tags)]
    st.markdown(" ".join(badges))
    left, right = st.columns([3, 2], gap="large")
    with left:
        if contract is None:
            st.info(
                "No graph at hand has this tool, so its contract cannot be shown. What follows is"
                " what the ledger knows: version"
                f" {escaped(entry.used.version if entry.used else '')}, as of its newest call.",
                icon=":material/link_off:",
            )
        else:
            show_contract(contract, is_adopted=entry.is_adopted)
    with right:
        calls(entry.name, entry.graph)


_CONFIG: Mapping[str, Any] = {
    "Tool": st.column_config.TextColumn(width=170),
    "Graph": st.column_config.TextColumn(width=130),
    "Effect": st.column_config.TextColumn(width=250),
    "Does": st.column_config.TextColumn(width=360),
    "Calls": st.column_config.NumberColumn(width=70, help="Begun, whenever, in any graph"),
    "Last": st.column_config.TextColumn(width=100),
}
