"""A graph as a picture, with the path that a run has taken and the runs that wait in its nodes."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from penstock.contracts.step import Step, StepStatus
from penstock.graphs.topology import BEGIN, END, Edge, Topology
from penstock.ui.components.drawing import pick_attributes
from penstock.ui.components.graph_layout import HEIGHT, Box, Layout, Point, lay_out
from penstock.ui.components.markdown import node_name

NODE = "node:"
"""The prefix of a node among what can be picked."""

_CHAR_PX, _PADDING_PX = 6.7, 26
_LABEL_CHARS = 36


def svg(
    shape: Topology,
    steps: Sequence[Step],
    *,
    chosen: str | None = None,
    waiting: Mapping[str, int] | None = None,
) -> str:
    """Return a graph as SVG; names are escaped, whatever is in them.

    With `steps`, the picture shows the path of a run, whose nodes can be picked; `chosen` is the
    node that was. With `waiting`, it shows how many runs wait in which node.
    """
    waits = waiting or {}
    last = {step.node: step.status for step in steps}
    times = Counter(step.node for step in steps)
    labels = {name: _label(name, times[name], waits=waits.get(name, 0)) for name in shape.nodes}
    widths = {name: _PADDING_PX + _CHAR_PX * len(label) for name, label in labels.items()}
    layout = lay_out(widths, [(way.source, way.target) for way in shape.edges])
    parts = [
        *(_way(way, line, last) for way, line in zip(shape.edges, layout.lines, strict=True)),
        *(
            _node(
                name,
                labels[name],
                layout.boxes[name],
                last.get(name),
                is_chosen=name == chosen,
                waits=waits.get(name, 0),
            )
            for name in shape.nodes
        ),
    ]
    return _framed(layout, parts)


def _framed(layout: Layout, parts: Sequence[str]) -> str:
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    box = f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}"'
    tip = (
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
        ' markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker>'
    )
    return f'<svg {size} {box} role="group"><defs>{tip}</defs>{"".join(parts)}</svg>'


def _node(
    name: str,
    label: str,
    box: Box,
    status: StepStatus | None,
    *,
    is_chosen: bool,
    waits: int,
) -> str:
    is_end = _is_end(name)
    classes = ["node", *["bare"] * is_end, *([] if status is None else [str(status)])]
    state = _waiting(waits) if waits else str(status or "not reached")
    description = f"{node_name(name)}: {state}"
    classes += [str(StepStatus.PARKED)] * bool(waits)
    picks = ""
    if status is not None:
        picks = pick_attributes(f"{NODE}{name}", label=description, is_chosen=is_chosen)
        classes += ["chosen"] * is_chosen
    return (
        f'<g class="{" ".join(classes)}" {picks}><title>{escape(description)}</title>'
        f'<rect x="{box.x - box.width / 2:.1f}" y="{box.y - HEIGHT / 2:.1f}"'
        f' width="{box.width:.1f}" height="{HEIGHT:.0f}" rx="7"/>'
        f'<text x="{box.x:.1f}" y="{box.y + 4:.1f}">{escape(label)}</text></g>'
    )


def _way(way: Edge, line: Sequence[Point], reached: dict[str, StepStatus]) -> str:
    if not line:
        return ""
    was_taken = (way.source in reached or way.source.endswith(BEGIN)) and (
        way.target in reached or way.target.endswith(END)
    )
    classes = " ".join(["way", *["taken"] * was_taken, *["maybe"] * way.is_conditional])
    drawn = f'<path class="{classes}" d="{_curve(line)}" marker-end="url(#tip)"/>'
    if way.label:
        x, y = _middle(line)
        drawn += f'<text class="label" x="{x:.1f}" y="{y:.1f}">{escape(way.label)}</text>'
    return drawn


def _curve(line: Sequence[Point]) -> str:
    x, y = line[0]
    drawn = [f"M{x:.1f} {y:.1f}"]
    for (one_x, one_y), (x, y) in itertools.pairwise(line):
        half = (one_y + y) / 2
        drawn.append(f"C{one_x:.1f} {half:.1f} {x:.1f} {half:.1f} {x:.1f} {y:.1f}")
    return "".join(drawn)


def _middle(line: Sequence[Point]) -> Point:
    at = (len(line) - 1) // 2
    (one_x, one_y), (x, y) = line[at], line[min(at + 1, len(line) - 1)]
    return (one_x + x) / 2, (one_y + y) / 2 + 3


def _label(name: str, times: int, *, waits: int) -> str:
    if _is_end(name):
        return name.rpartition("|")[2].strip("_")
    spelled = node_name(name)
    short = spelled if len(spelled) <= _LABEL_CHARS else f"…{spelled[1 - _LABEL_CHARS :]}"
    if waits:
        return f"{short} · {_waiting(waits)}"
    return f"{short} ({times}×)" if times > 1 else short  # noqa: RUF001  (as people write it)


def _waiting(count: int) -> str:
    return f"{count:,} {'run waits' if count == 1 else 'runs wait'}"


def _is_end(name: str) -> bool:
    return name.rpartition("|")[2] in {BEGIN, END}
