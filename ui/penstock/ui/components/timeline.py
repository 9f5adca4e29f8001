"""A run in time, as a picture: steps as bars, calls below them, and waits at gates as bands.

Steps take milliseconds and people take hours. So a time in which nothing ran has a width of its
own, however long it was, and a label with its length; beside it, steps are as wide as they took.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from itertools import pairwise

from penstock.contracts.effect import Effect
from penstock.contracts.gate import Gate
from penstock.contracts.step import Step, StepStatus
from penstock.ui import text
from penstock.ui.components.drawing import pick_attributes
from penstock.ui.components.markdown import node_name, utc_instant
from penstock.ui.components.run_details import CALL, STEP, Selection

GAP = 0.12
"""The width of a gap in which nothing ran, as a share of the time in which something ran."""

BARS = 400
"""At most so many steps are drawn, the last ones."""

_STATES = (StepStatus.SUCCEEDED, StepStatus.STARTED, StepStatus.PARKED, StepStatus.FAILED)


def timeline(
    steps: Sequence[Step],
    gates: Sequence[Gate],
    calls: Mapping[str, Sequence[Effect]],
    selected: Selection,
    *,
    end: datetime,
) -> str:
    """Return the picture as HTML, up to `end`; `calls` are the calls of each task."""
    steps = steps[-BARS:]
    scale = Scale([(step.started_at, step.ended_at or end) for step in steps], until=end)
    rows: dict[str, list[str]] = {}
    for step in steps:
        bars = rows.setdefault(step.node, [])
        bars.append(_bar(step, end, scale, is_chosen=selected.has_step(step)))
    for step in {step.task_id: step for step in steps}.values():
        rows[step.node] += [
            _call(effect, end, scale, is_chosen=selected.has_call(effect))
            for effect in calls.get(step.task_id, ())
        ]
    drawn = "".join(
        f'<div class="name" title="{escape(node_name(node))}">{escape(node_name(node))}</div>'
        f'<div class="track">{"".join(bars)}</div>'
        for node, bars in rows.items()
    )
    bands = "".join(_band(gate, end, scale) for gate in gates if gate.opened_at < end)
    gaps = "".join(
        f'<span class="gap" style="left:{_percent(at, scale)}">{escape(length)}</span>'
        for at, length in scale.gaps
    )
    over = f'<div class="over bands" style="grid-row:1/{len(rows) + 1}">{bands}</div>'
    ends = f'<div></div><div class="over ends">{gaps}</div>' if gaps else ""
    return f'{_legend(steps, gates, calls)}<div class="time">{over}{drawn}{ends}</div>'


class Scale:
    """Maps instants to places, from 0 to the width of the whole."""

    def __init__(self, spans: Sequence[tuple[datetime, datetime]], *, until: datetime) -> None:
        """Give `spans` a width by their length, and the gaps between them a width of their own."""
        busy = _joined(spans)
        total_s = sum((end - begin).total_seconds() for begin, end in busy) or 1.0
        self._knots: list[tuple[datetime, float]] = []
        self.gaps: list[tuple[float, str]] = []
        at = 0.0
        ends = [*busy, (until, until)]
        for (begin, end), (following, _) in pairwise(ends):
            self._knots += [(begin, at), (end, at + (end - begin).total_seconds() / total_s)]
            at += (end - begin).total_seconds() / total_s
            idle_s = (following - end).total_seconds()
            if idle_s > 0:
                width = min(idle_s / total_s, GAP)
                if width == GAP:
                    self.gaps.append((at + width / 2, text.age(idle_s)))
                at += width
        self._knots.append((max(until, ends[-2][1] if busy else until), at))
        self.width = at or 1.0

    def at(self, instant: datetime) -> float:
        """Return the place of an instant."""
        if not self._knots or instant <= self._knots[0][0]:
            return 0.0
        for (begin, low), (end, high) in pairwise(self._knots):
            if instant <= end:
                whole_s = (end - begin).total_seconds() or 1.0
                return low + (high - low) * (instant - begin).total_seconds() / whole_s
        return self.width


def _joined(spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return the spans joined where they touch, in their order."""
    found: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _bar(step: Step, end: datetime, scale: Scale, *, is_chosen: bool) -> str:
    ended = step.ended_at or end
    took = text.age((ended - step.started_at).total_seconds())
    description = (
        f"{node_name(step.node)}, {step.status}, began {utc_instant(step.started_at)}, took {took},"
        f" claim {step.epoch}"
    )
    classes = f"bar {step.status}{' chosen' * is_chosen}"
    picks = pick_attributes(f"{STEP}{step.task_id}", label=description, is_chosen=is_chosen)
    place = _placed(scale, step.started_at, ended)
    return (
        f'<button class="{classes}" style="{place}" title="{escape(description)}" {picks}></button>'
    )


def _call(effect: Effect, end: datetime, scale: Scale, *, is_chosen: bool) -> str:
    description = (
        f"call of {effect.tool}, {effect.status}, began {utc_instant(effect.first_started_at)}"
    )
    picks = pick_attributes(f"{CALL}{effect.key}", label=description, is_chosen=is_chosen)
    place = _placed(scale, effect.first_started_at, effect.ended_at or end)
    classes = f"call{' chosen' * is_chosen}"
    return (
        f'<button class="{classes}" style="{place}" title="{escape(description)}" {picks}></button>'
    )


def _band(gate: Gate, end: datetime, scale: Scale) -> str:
    closed = min(gate.closed_at or end, end)
    took = text.age(max((closed - gate.opened_at).total_seconds(), 0))
    description = f"waits at a gate: {gate.kind}, since {utc_instant(gate.opened_at)}, for {took}"
    place = _placed(scale, gate.opened_at, closed)
    return f'<div class="band" style="{place}" title="{escape(description)}"></div>'


def _placed(scale: Scale, begin: datetime, end: datetime) -> str:
    low, high = scale.at(begin), scale.at(max(begin, end))
    # Nothing begins at the very end, where it could not be seen.
    left = f"min({low / scale.width:.3%},calc(100% - 7px))"
    return f"left:{left};width:{max(high - low, 0.0) / scale.width:.3%}"


def _percent(at: float, scale: Scale) -> str:
    return f"{at / scale.width:.3%}"


def _legend(
    steps: Sequence[Step], gates: Sequence[Gate], calls: Mapping[str, Sequence[Effect]]
) -> str:
    there = {step.status for step in steps}
    parts = [f'<i class="bar {state}"></i>{state}' for state in _STATES if state in there]
    parts += ['<i class="does"></i>a call'] * any(calls.values())
    parts += ['<i class="wait"></i>waits for people'] * bool(gates)
    return f'<div class="legend">{"".join(f"<span>{part}</span>" for part in parts)}</div>'
