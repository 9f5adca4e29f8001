"""What a graph's fingerprint tells apart, and what it does not."""

import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels import LastValue
from langgraph.func import entrypoint
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import NodeBuilder, Pregel
from langgraph.types import Command

from penstock.graphs import declare

GOLDEN = "ccf96960a60b42ab90efd0ba4f1ce8a79174daa5db3a1c3e1fabc19ab6d9dd1e"

NODES = ("plan", "act", "check")


class State(TypedDict):
    """What the graphs of this file keep."""

    count: int
    log: Annotated[list[str], operator.add]


class Wider(State):
    """A state with one channel more."""

    more: int


def idle(_: Any) -> dict[str, Any]:
    """Do nothing."""
    return {}


def counting(_: Any) -> dict[str, Any]:
    """Do something."""
    return {"count": 2}


def branch(_: Any) -> str:
    """Lead to the end."""
    return END


def build(
    *,
    nodes: tuple[str, ...] = NODES,
    schema: type = State,
    action: Callable[..., Any] = idle,
    edges: tuple[tuple[str, str], ...] = ((START, "plan"), ("plan", "act")),
    targets: list[str] | None = ["check", END],  # noqa: B006  (never changed)
) -> Any:
    """Build a graph in which everything that may differ can be told."""
    builder: Any = StateGraph[Any, Any, Any, Any](schema)
    for node in nodes:
        builder.add_node(node, action)
    for start, end in edges:
        builder.add_edge(start, end)
    return builder.add_conditional_edges("act", branch, targets)


def digest(graph: Any, *, name: str = "it", version: str = "1") -> str:
    return declare(graph, name=name, version=version).fingerprint


PLAIN = digest(build())


def asked() -> Any:
    """Build a graph that somebody has asked for a branch it does not have."""
    builder = build()
    assert not builder.branches["plan"]
    return builder


def joined(*starts: str) -> Any:
    return build().add_edge(list(starts), "check")


def going(*targets: str) -> Any:
    builder: Any = build()
    return builder.add_node("go", lambda _: Command(), destinations=targets)


def nested(inner: Any) -> Any:
    builder: Any = StateGraph(State)
    return builder.add_node("inner", inner.compile()).add_edge(START, "inner")


@pytest.mark.parametrize(
    "other",
    [
        build(nodes=("plan", "act", "check", "more")),
        build(nodes=("plan", "act", "test"), targets=["test", END]),
        build(edges=((START, "plan"), ("plan", "act"), ("check", "plan"))),
        build(edges=((START, "plan"), ("plan", "check"))),
        build(targets=["check"]),
        build(targets=None),
        build(schema=Wider),
        build().compile(interrupt_before=["act"]),
        build().compile(interrupt_after=["act"]),
        build().compile(interrupt_before="*"),
        joined("plan", "act"),
        going("plan"),
        nested(build()),
        build().add_node("late", idle, defer=True),
        build().set_node_defaults(error_handler=idle),
    ],
)
def test_another_topology_has_another_fingerprint(other: Any) -> None:
    assert digest(other) != PLAIN


def test_the_stops_of_a_subgraph_count() -> None:
    builder: Any = StateGraph(State)
    builder.add_node("inner", build().compile(interrupt_before=["act"])).add_edge(START, "inner")
    assert digest(builder) != digest(nested(build()))


def test_a_renamed_node_of_a_subgraph_counts() -> None:
    renamed = build(nodes=("plan", "act", "test"), targets=["test", END])
    assert digest(nested(build())) != digest(nested(renamed))


def test_the_targets_of_a_command_count() -> None:
    assert digest(going("plan")) != digest(going("act"))


def test_another_version_has_another_fingerprint() -> None:
    assert digest(build(), version="2") != PLAIN


def test_another_name_has_another_fingerprint() -> None:
    assert digest(build(), name="other") != PLAIN


@pytest.mark.parametrize(
    "same",
    [
        build(nodes=tuple(reversed(NODES))),
        build(edges=(("plan", "act"), (START, "plan"))),
        build(targets=[END, "check"]),
        build(action=counting),
        asked(),
        build().compile(),
        build().compile(name="another", debug=True),
        build().compile().with_config({"recursion_limit": 3}),
    ],
)
def test_order_code_and_settings_are_not_part_of_it(same: Any) -> None:
    assert digest(same) == PLAIN


def test_the_order_of_what_is_joined_is_not_part_of_it() -> None:
    assert digest(joined("plan", "act")) == digest(joined("act", "plan"))


def test_it_never_changes_from_one_release_to_the_next() -> None:
    """If this fails, no run that is under way goes on after an upgrade: raise `FORMAT`, say why."""
    assert PLAIN == GOLDEN


def test_a_function_that_is_an_entrypoint_has_one() -> None:
    def first(value: int) -> int:
        return value

    def second(value: int) -> int:
        return value

    assert digest(entrypoint()(first)) == digest(entrypoint()(first))
    assert digest(entrypoint()(first)) != digest(entrypoint()(second))


def test_what_the_nodes_of_a_graph_without_a_builder_write_counts() -> None:
    def wired(target: str) -> Any:
        node = NodeBuilder().subscribe_only("a").do(idle).write_to(target)
        channels: Any = {name: LastValue[int](int) for name in ("a", "b", "c")}
        made: type[Any] = Pregel
        return made(nodes={"n": node}, channels=channels, input_channels="a", output_channels="b")

    assert digest(wired("b")) != digest(wired("c"))


def test_a_graph_that_calls_itself_has_one() -> None:
    inner: Any = nested(build()).compile()
    inner.nodes["inner"].subgraphs = [inner]
    assert digest(inner) == digest(inner)
