"""Time in which nothing ran has a width of its own; beside it steps are as long as they took."""

from datetime import timedelta

import pytest

from penstock.ui.components.timeline import GAP, Scale
from support.runs import NOW


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
