"""A graph is drawn as it is, whatever its nodes are called."""

from xml.etree import ElementTree as ET

from penstock.contracts.step import StepStatus
from penstock.graphs.topology import Edge, Topology
from penstock.ui.components.graph_picture import svg
from support.stepped import step


def way(source: str, target: str) -> Edge:
    return Edge(source=source, target=target, is_conditional=False, label="")


def read(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)  # noqa: S314  (our own)


def nodes(drawn: str) -> dict[str, dict[str, str]]:
    """Return the attributes of the nodes in a picture, by what they say."""
    return {str(part.findtext("title")): part.attrib for part in read(drawn).findall("g")}


def test_the_node_that_waits_is_drawn_as_waiting_and_what_was_reached_can_be_picked() -> None:
    shape = Topology(nodes=("plan", "pay", "end"), edges=(way("plan", "pay"), way("pay", "end")))
    steps = [step("plan", StepStatus.SUCCEEDED), step("pay", StepStatus.PARKED)]
    found = nodes(svg(shape, steps, chosen="pay"))
    assert found["pay: parked"]["class"] == "node parked chosen"
    assert found["pay: parked"]["data-pick"] == "node:pay"
    assert found["plan: succeeded"]["class"] == "node succeeded"
    assert found["plan: succeeded"]["tabindex"] == "0"
    assert "data-pick" not in found["end: not reached"]


def test_the_way_that_was_taken_is_drawn_as_taken() -> None:
    shape = Topology(nodes=("a", "b", "c"), edges=(way("a", "b"), way("a", "c")))
    steps = [step("a", StepStatus.SUCCEEDED), step("b", StepStatus.STARTED)]
    paths = [part.attrib["class"] for part in read(svg(shape, steps)).findall("path")]
    assert paths == ["way taken", "way"]


def test_nodes_say_how_many_runs_wait_in_them() -> None:
    shape = Topology(nodes=("plan", "pay", "ask"), edges=(way("plan", "pay"),))
    found = nodes(svg(shape, (), waiting={"pay": 1_200, "ask": 1, "gone": 5}))
    assert set(found) == {"plan: not reached", "pay: 1,200 runs wait", "ask: 1 run waits"}
    assert found["pay: 1,200 runs wait"]["class"] == "node parked"
    assert found["plan: not reached"]["class"] == "node"


def test_name_of_a_node_cannot_write_into_the_picture() -> None:
    nasty = '"><script>alert(1)</script><g x="'
    shape = Topology(
        nodes=(nasty,),
        edges=(Edge(source=nasty, target=nasty, is_conditional=True, label="<script>"),),
    )
    drawn = read(svg(shape, [step(nasty, StepStatus.FAILED)]))
    assert {part.tag for part in drawn.iter()} == {
        *("svg", "defs", "marker", "path", "g", "title", "rect", "text")
    }
    assert drawn.find("g[@data-pick]") is not None


def test_node_in_which_runs_wait_says_how_many() -> None:
    shape = Topology(nodes=("plan", "pay"), edges=(way("plan", "pay"),))
    found = nodes(svg(shape, (), waiting={"pay": 1200}))
    assert found["pay: 1,200 runs wait"]["class"] == "node parked"
    assert "data-pick" not in found["pay: 1,200 runs wait"]
    assert "pay · 1,200 runs wait" in svg(shape, (), waiting={"pay": 1200})
