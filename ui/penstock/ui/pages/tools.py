"""The tools of the project's graphs: what each may do, and what its calls came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import streamlit as st
from pydantic_core import from_json
from sqlalchemy import Connection

from penstock.checkpoints import ledger
from penstock.contracts.effect import Effect, EffectStatus, UsedTool
from penstock.contracts.tool import EffectClass, ToolContract
from penstock.ui import front, places
from penstock.ui.components import asked, contracts, schemas
from penstock.ui.components.inspector import EFFECTS
from penstock.ui.components.table import opened, shown
from penstock.ui.components.words import ago, badge, plain, sentence, short, spelled

DAYS = 7
CALLS = 10
_FILTERS = ("graph", "class", "find")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A tool: its contract where its graph is at hand, and what the ledger knows."""

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
        front.read(lambda connection: ledger.tools(connection, tenant=front.tenant()))
    )
    name, of = places.asked("tool"), places.asked("of")
    if name is None:
        _list(entries)
        return
    places.link("tools", "Tools", icon=":material/arrow_back:", **_kept())
    found = [each for each in entries if each.name == name and of in {None, each.graph}]
    if found:
        _tool(found[0])
    else:
        st.info(
            f"No tool **{plain(name)}** is known here: no graph at hand has it, and no call of it"
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
        for graph in front.desk().catalog
        for name, tool in graph.tools.items()
    ]
    at_hand = {each.name for each in found}
    found += [
        _Entry(name=name, graph=None, contract=None, is_adopted=False, used=each)
        for name, each in known.items()
        if name not in at_hand
    ]
    return sorted(found, key=lambda each: (each.name, each.graph or ""))


def _kept() -> dict[str, str]:
    """Return the filters that stand in the URL."""
    return {name: value for name in _FILTERS if (value := places.asked(name))}


# ---- all tools ----


def _list(entries: Sequence[_Entry]) -> None:
    st.title("Tools", anchor=False)
    if front.front().graphs_missing is not None and entries:
        st.info(
            "The project's graphs are not at hand. So this is what the ledger knows of tools: their"
            " calls, and not their contracts.",
            icon=":material/link_off:",
        )
    if not entries:
        _none()
        return
    _filters(entries)
    found = [each for each in entries if _fits(each)]
    if not found:
        with st.container(border=True):
            st.markdown("**No tool fits.** Take some of the filter away.")
            places.link("tools", "Show all", icon=":material/filter_alt_off:")
        return
    row = opened(_columns(found), key="tools-table", config=_CONFIG)
    if row is not None:
        places.go("tools", tool=found[row].name, **_of(found[row].graph), **_kept())
    st.caption("Tick a tool to see its whole contract, and what its calls came to.")


def _of(graph: str | None) -> dict[str, str]:
    return {} if graph is None else {"of": graph}


def _none() -> None:
    with st.container(border=True):
        st.markdown(
            "**No tool is known yet.** The tools of the project's graphs appear here, each with"
            " what it may do to the world, who may call it, and what becomes of a call whose worker"
            " dies."
        )
        missing = front.front().graphs_missing
        if missing is not None:
            st.markdown(sentence(missing))
        st.markdown("A graph's tools are those in its `ToolNode`s, and those that it names:")
        st.code('declare(graph, name="desk", tools=[refund])', language="python")


def _filters(entries: Sequence[_Entry]) -> None:
    graphs = sorted({each.graph for each in entries if each.graph is not None})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _pick("Graph", graphs, name="graph", empty="All graphs")
        _pick("Effect", [str(each) for each in EffectClass], name="class", empty="All classes")
        st.text_input(
            "Find",
            places.asked("find") or "",
            placeholder="Name, words, scope or tag",
            key="tools-find",
            label_visibility="collapsed",
            icon=":material/search:",
            width=280,
            on_change=_choose,
            args=("find",),
        )


def _pick(label: str, options: Sequence[str], *, name: str, empty: str) -> None:
    chosen = places.asked(name)
    known = list(options) if chosen is None or chosen in options else [*options, chosen]
    st.selectbox(
        label,
        known,
        index=None if chosen is None else known.index(chosen),
        placeholder=empty,
        key=f"tools-{name}",
        label_visibility="collapsed",
        width=190,
        on_change=_choose,
        args=(name,),
    )


def _choose(name: str) -> None:
    chosen: Any = st.session_state.get(f"tools-{name}")
    places.note(**{name: str(chosen).strip() if chosen else None})


def _fits(entry: _Entry) -> bool:
    graph, effect = places.asked("graph"), places.asked("class")
    if graph not in {None, entry.graph} or effect not in {None, entry.effect}:
        return False
    words = (places.asked("find") or "").lower().split()
    told = [entry.name]
    if entry.contract is not None:
        told += [entry.contract.description, *entry.contract.scopes, *entry.contract.tags]
    return all(word in " ".join(told).lower() for word in words)


def _columns(found: Sequence[_Entry]) -> Mapping[str, Sequence[Any]]:
    now = front.now()
    return {
        "Tool": [each.name for each in found],
        "Graph": [each.graph or "not at hand" for each in found],
        "Effect": [f"{each.effect}: {asked.EFFECTS[each.effect][1]}" for each in found],
        "Does": [_does(each) for each in found],
        "Calls": [each.used.call_count if each.used else 0 for each in found],
        "Last": [ago(each.used.last_started_at, now) if each.used else "" for each in found],
    }


def _does(entry: _Entry) -> str:
    if entry.contract is None:
        return "known from its calls alone"
    if contracts.is_worst_case(entry.contract, is_adopted=entry.is_adopted):
        return f"(nobody has said) {short(entry.contract.description, 90)}"
    return short(entry.contract.description.partition("\n")[0], 110)


# ---- one tool ----


def _tool(entry: _Entry) -> None:
    st.title(plain(entry.name), anchor=False)
    colour, words = asked.EFFECTS[entry.effect]
    badges = [badge(colour, str(entry.effect)), badge(colour, words)]
    contract = entry.contract
    if contract is not None:
        if contracts.is_worst_case(contract, is_adopted=entry.is_adopted):
            badges.append(badge("red", "nobody has said what it does", "help"))
        elif entry.is_adopted:
            badges.append(badge("gray", "somebody else's, adopted"))
        badges += [badge("blue", plain(tag), "sell") for tag in sorted(contract.tags)]
    st.markdown(" ".join(badges))
    left, right = st.columns([3, 2], gap="large")
    with left:
        if contract is None:
            st.info(
                "No graph at hand has this tool, so its contract cannot be shown. What follows is"
                " what the ledger knows: version"
                f" {plain(entry.used.version if entry.used else '')}, as of its newest call.",
                icon=":material/link_off:",
            )
        else:
            _contract(contract, is_adopted=entry.is_adopted)
    with right:
        _calls(entry)


def _contract(contract: ToolContract, *, is_adopted: bool) -> None:
    st.text(contract.description)
    st.markdown(
        f"**If its worker dies in the middle of a call.** {contracts.if_worker_dies(contract)}"
    )
    for warning in contract.warnings:
        st.warning(sentence(warning), icon=":material/warning:")
    st.header("Arguments", anchor=False)
    _fields(contract.arguments_schema, contract.sensitive, nothing="It takes no arguments.")
    st.header("Result", anchor=False)
    _fields(
        contract.result_schema,
        contract.sensitive,
        nothing=f"It returns: {plain(schemas.spelled(contract.result_schema))}.",
    )
    st.header("Terms", anchor=False)
    told = contracts.terms(contract)
    shown(
        {
            "term": [plain(name) for name in told],
            f"version {plain(contract.version)}": [plain(value) for value in told.values()],
        },
        border="horizontal",
    )
    st.caption(sentence(contracts.said_by(contract, is_adopted=is_adopted)))
    st.header("How it can fail", anchor=False)
    failures = contracts.failures(contract)
    shown(
        {
            "error": [plain(each[0]) for each in failures],
            "says": [plain(each[1]) for each in failures],
            "then": [plain(each[2]) for each in failures],
        },
        border="horizontal",
    )
    with st.expander("Its schemas as JSON"):
        st.json({"arguments": contract.arguments_schema, "result": contract.result_schema})


def _fields(schema: Mapping[str, Any], sensitive: frozenset[str], *, nothing: str) -> None:
    found = schemas.fields(schema, sensitive)
    if not found:
        st.markdown(nothing)
        return
    columns: dict[str, Sequence[str]] = {
        "name": [
            f"**{plain(each.name)}**" + (" :material/visibility_off:" * each.is_sensitive)
            for each in found
        ],
        "type": [plain(each.type) for each in found],
        "wanted": [
            "yes" if each.is_wanted else f"no, else {plain(each.default)}" if each.default else "no"
            for each in found
        ],
        "limits": [plain(each.limits) for each in found],
        "about": [plain(each.about) for each in found],
    }
    shown({name: cells for name, cells in columns.items() if any(cells)}, border="horizontal")
    if any(each.is_sensitive for each in found):
        st.caption(":material/visibility_off: is shown to nobody, and no policy sees it.")


# ---- its calls ----


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    outcomes: Mapping[EffectStatus, int]
    newest: Sequence[Effect]
    in_doubt: Sequence[Effect]


def _calls(entry: _Entry) -> None:
    found = front.read(lambda connection: _find(connection, entry))
    of = f" in {plain(entry.graph)}" if entry.graph is not None else ""
    with st.container(border=True):
        st.markdown(f"**Its calls{of} in the last {DAYS} days**")
        if any(found.outcomes.values()):
            st.markdown(
                " ".join(
                    badge(EFFECTS[status][0], f"{EFFECTS[status][1]}: {count:,}")
                    for status, count in found.outcomes.items()
                    if count
                )
            )
        else:
            st.caption("None was begun. Calls that a policy denies are begun by nobody.")
        if found.in_doubt:
            st.markdown("**In doubt**, whenever they began")
            for effect in found.in_doubt:
                _doubt(effect)
        if entry.graph is not None:
            with st.container(horizontal=True):
                places.link(
                    "runs", "Runs of its graph", icon=":material/list_alt:", graph=entry.graph
                )
                places.link("policies", "Policy", icon=":material/policy:", graph=entry.graph)
    if not found.newest:
        return
    st.markdown("**The newest calls**")
    row = opened(
        {
            "State": [EFFECTS[effect.status][1] for effect in found.newest],
            "Began": [ago(effect.started_at, front.now()) for effect in found.newest],
            "Arguments": [_arguments(effect) for effect in found.newest],
        },
        key="tool-calls",
        config={"Began": st.column_config.TextColumn(width=90)},
    )
    if row is not None:
        places.go("run", run=found.newest[row].run_id)
    st.caption("Tick a call to open its run.")


def _find(connection: Connection, entry: _Entry) -> _Calls:
    tenant, since = front.tenant(), front.now() - timedelta(days=DAYS)
    name, graph = entry.name, entry.graph
    return _Calls(
        outcomes=ledger.outcomes(connection, name, tenant=tenant, graph=graph, since=since),
        newest=ledger.calls(connection, name, tenant=tenant, graph=graph, limit=CALLS),
        in_doubt=ledger.in_doubt(connection, name, tenant=tenant, graph=graph, limit=CALLS),
    )


def _arguments(effect: Effect) -> str:
    given: Any = from_json(effect.arguments)
    if not isinstance(given, Mapping):
        return short(effect.arguments, 80)
    told = cast("Mapping[str, Any]", given).items()
    return short(" · ".join(f"{name} {short(spelled(value), 40)}" for name, value in told), 120)


def _doubt(effect: Effect) -> None:
    places.link(
        "doubt",
        f"{plain(_arguments(effect))}, began {ago(effect.started_at, front.now())}",
        icon=":material/warning:",
        effect=effect.key,
    )


_CONFIG: Mapping[str, Any] = {
    "Tool": st.column_config.TextColumn(width=170),
    "Graph": st.column_config.TextColumn(width=130),
    "Effect": st.column_config.TextColumn(width=250),
    "Does": st.column_config.TextColumn(width=360),
    "Calls": st.column_config.NumberColumn(width=70, help="Begun, whenever, in any graph"),
    "Last": st.column_config.TextColumn(width=100),
}
