"""Nodes of a graph stand below each other in the order of their ways, and never on each other."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from penstock.ui.components.graph_layout import BESIDE, HEIGHT, lay_out

NAMES = [f"n{number}" for number in range(9)]
GRAPHS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=24)


def test_a_chain_stands_straight_below_itself() -> None:
    layout = lay_out({"a": 50, "b": 90, "c": 60}, [("a", "b"), ("b", "c")])
    a, b, c = (layout.boxes[name] for name in "abc")
    assert a.y < b.y < c.y
    assert a.x == b.x == c.x


def test_a_way_back_does_not_turn_the_graph_round() -> None:
    layout = lay_out({"start": 40, "agent": 60, "tools": 60}, [
        ("start", "agent"), ("agent", "tools"), ("tools", "agent"),
    ])  # fmt: skip
    assert layout.boxes["start"].y < layout.boxes["agent"].y < layout.boxes["tools"].y
    there, back = layout.lines[1], layout.lines[2]
    assert there[0][1] < there[-1][1]
    assert back[0][1] > back[-1][1]
    assert there[0] != back[-1]


@given(GRAPHS)
def test_boxes_do_not_touch_and_all_is_inside(ways: list[tuple[str, str]]) -> None:
    widths = {name: 40.0 + 10 * number for number, name in enumerate(NAMES)}
    layout = lay_out(widths, ways)
    for one, other in combinations(layout.boxes.values(), 2):
        is_apart = abs(one.x - other.x) >= (one.width + other.width) / 2 + BESIDE - 0.01
        assert one.y != other.y or is_apart
    for box in layout.boxes.values():
        assert box.x >= box.width / 2
        assert box.x + box.width / 2 <= layout.width
        assert HEIGHT / 2 <= box.y <= layout.height - HEIGHT / 2
    assert len(layout.lines) == len(ways)
    assert all(line for line in layout.lines)
