"""Time in which nothing ran has a width of its own; beside it steps are as long as they took."""

from datetime import timedelta

import pytest

from penstock.contracts.step import StepStatus
from penstock.ui.components.run_details import Selection
from penstock.ui.components.timeline import GAP, Scale, timeline
from support.runs import NOW
from support.stepped import effect, step


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_steps_keep_their_proportions_and_a_long_wait_does_not() -> None:
    spans = [(NOW, NOW + at(1)), (NOW + at(3601), NOW + at(3604))]
    scale = Scale(spans, until=NOW + at(3604))
    first = scale.at(NOW + at(1)) - scale.at(NOW)
    second = scale.at(NOW + at(3604)) - scale.at(NOW + at(3601))
    assert second == pytest.approx(3 * first)
    assert scale.at(NOW + at(3601)) - scale.at(NOW + at(1)) == pytest.approx(GAP)
    assert [said for _, said in scale.gaps] == ["1h 0m"]


def test_instants_stay_in_their_order() -> None:
    spans = [(NOW, NOW + at(2)), (NOW + at(1), NOW + at(5)), (NOW + at(90), NOW + at(91))]
    scale = Scale(spans, until=NOW + at(1000))
    places = [scale.at(NOW + at(seconds)) for seconds in range(0, 1000, 7)]
    assert places == sorted(places)
    assert scale.at(NOW + at(1000)) == pytest.approx(scale.width)


def test_run_without_steps_has_a_width() -> None:
    assert Scale([], until=NOW).width > 0


def test_what_is_looked_at_is_marked_and_what_nodes_are_called_cannot_write() -> None:
    nasty = step("<b>plan</b>", StepStatus.PARKED)
    drawn = timeline([nasty], [], {}, Selection(step=nasty), end=NOW + at(9))
    assert "<b>" not in drawn
    assert 'data-pick="step:&lt;b&gt;plan&lt;/b&gt;" tabindex="0" role="button"' in drawn
    assert 'class="bar parked chosen"' in drawn
    assert 'aria-pressed="true"' in drawn


def test_calls_are_drawn_in_the_row_of_the_node_that_made_them() -> None:
    drawn = timeline(
        [step("pay", StepStatus.STARTED)], [], {"pay": [effect("k1")]}, Selection(), end=NOW + at(9)
    )
    assert 'data-pick="call:k1"' in drawn
    assert "a call" in drawn
