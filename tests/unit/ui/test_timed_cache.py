"""Numbers that are not read again: for how long, and never past a change."""

from datetime import UTC, datetime, timedelta

from penstock.ui.session import KEY_COUNT, TimedCache


class Clock:
    at = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


class Asked:
    """Counts how often it was asked."""

    count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


def test_answer_is_kept_for_its_seconds_and_no_longer() -> None:
    clock, asked = Clock(), Asked()
    recent = TimedCache(clock)
    assert [recent.get("one", asked, for_s=2) for _ in range(3)] == [1, 1, 1]
    clock.at += timedelta(seconds=2)
    assert recent.get("one", asked, for_s=2) == 2


def test_answers_of_different_keys_are_different() -> None:
    recent, asked = TimedCache(Clock()), Asked()
    assert recent.get("one", asked, for_s=2) == 1
    assert recent.get("two", asked, for_s=2) == 2


def test_nothing_is_kept_past_a_change() -> None:
    recent, asked = TimedCache(Clock()), Asked()
    recent.get("one", asked, for_s=2)
    recent.clear()
    assert recent.get("one", asked, for_s=2) == 2


def test_answer_that_was_asked_for_before_a_change_is_not_kept() -> None:
    recent, asked = TimedCache(Clock()), Asked()

    def ask() -> int:
        recent.clear()
        return asked()

    assert recent.get("one", ask, for_s=2) == 1
    assert recent.get("one", asked, for_s=2) == 2


def test_clock_that_was_set_back_keeps_nothing_for_long() -> None:
    clock, asked = Clock(), Asked()
    recent = TimedCache(clock)
    recent.get("one", asked, for_s=2)
    clock.at -= timedelta(hours=1)
    assert recent.get("one", asked, for_s=2) == 2


def test_not_everything_is_kept_for_ever() -> None:
    recent, asked = TimedCache(Clock()), Asked()
    for number in range(KEY_COUNT + 1):
        recent.get(number, asked, for_s=2)
    before = asked.count
    recent.get(0, asked, for_s=2)
    assert asked.count == before + 1
