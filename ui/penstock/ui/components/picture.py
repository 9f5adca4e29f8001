"""A graph as a picture, with the path that a run has taken and what waits where."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.contracts.step import Step, StepStatus
from penstock.graphs.topology import BEGIN, END, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of a picture."""

    ink: str
    soft: str
    line: str
    fills: Mapping[StepStatus, str]
    """Of nodes that a run has been at, by how far it came there last."""
    plain: str


LIGHT = Palette(
    ink="#17212b",
    soft="#52606d",
    line="#9aa8b3",
    fills={
        StepStatus.SUCCEEDED: "#cdeed9",
        StepStatus.STARTED: "#cfe3fa",
        StepStatus.PARKED: "#fde3c4",
        StepStatus.FAILED: "#fbd3cf",
    },
    plain="#f1f5f6",
)
DARK = Palette(
    ink="#e6edf2",
    soft="#a9b6c0",
    line="#5c6c78",
    fills={
        StepStatus.SUCCEEDED: "#1c4a34",
        StepStatus.STARTED: "#1d4168",
        StepStatus.PARKED: "#5a3a17",
        StepStatus.FAILED: "#5c2622",
    },
    plain="#19242d",
)


def dot(
    shape: Topology,
    steps: Sequence[Step],
    *,
    palette: Palette,
    waiting: Mapping[str, int] | None = None,
) -> str:
    """Return a graph in Graphviz' language; names are escaped, whatever is in them.

    With `steps` it shows the path of a run, with `waiting` how many runs wait in which node.
    """
    waits = waiting or {}
    last = {step.node: step.status for step in steps}
    times = Counter(step.node for step in steps)
    nodes = (
        f"shape=box style={_text('rounded,filled')} fontname=sans fontsize=12"
        f" margin={_text('0.18,0.08')} color={_text(palette.line)}"
        f" fontcolor={_text(palette.ink)} fillcolor={_text(palette.plain)}"
    )
    ways = (
        f"color={_text(palette.line)} fontname=sans fontsize=10 arrowsize=0.7"
        f" fontcolor={_text(palette.soft)}"
    )
    whole = 'bgcolor="transparent"; rankdir=TB; nodesep=0.35; ranksep=0.35;'
    lines = ["digraph {", whole, f"node [{nodes}];", f"edge [{ways}];"]
    lines += [
        _node(name, last.get(name), times[name], palette, waits=waits.get(name, 0))
        for name in shape.nodes
    ]
    for way in shape.ways:
        was_taken = (way.source in last or way.source.endswith(BEGIN)) and (
            way.target in last or way.target.endswith(END)
        )
        style = ["dashed"] * way.is_conditional + ["bold"] * was_taken
        lines.append(
            f"{_text(way.source)} -> {_text(way.target)}"
            f" [label={_text(way.label)} style={_text(','.join(style) or 'solid')}];"
        )
    return "\n".join([*lines, "}"])


def _node(name: str, status: StepStatus | None, times: int, palette: Palette, *, waits: int) -> str:
    short = name.rpartition("|")[2]
    if short in {BEGIN, END}:
        return (
            f"{_text(name)} [label={_text(short.strip('_'))} shape=plaintext style={_text('')}"
            f" fontcolor={_text(palette.soft)}];"
        )
    label = name.replace("|", " / ") + (f" ({times} times)" if times > 1 else "")
    told, lines = str(status or "not reached"), [label]
    if waits:
        told = f"{waits:,} {'run waits' if waits == 1 else 'runs wait'}"
        lines, status = [label, told], StepStatus.PARKED
    fill = palette.plain if status is None else palette.fills[status]
    width = 2.5 if status is StepStatus.PARKED else 1
    return (
        f"{_text(name)} [label={_text(*lines)} fillcolor={_text(fill)} penwidth={width}"
        f" tooltip={_text(told)}];"
    )


def _text(*lines: str) -> str:
    """Return a string of Graphviz, in which nothing but the quote and the backslash is special."""
    told = [line.replace("\\", "\u29f5").replace("\n", " ") for line in lines]
    return json.dumps("\n".join(told), ensure_ascii=False)
