"""Settings that depend on one another."""

from penstock.contracts.ids import RunId
from penstock.runs.settings import Settings

INSIDE, OUTSIDE = "http://phoenix:6006", "https://traces.example"
RUN = RunId("019b7ca9-8f2e-7e6a-822c-ce5ab9b5cbf7")


def link(settings: Settings) -> str | None:
    """Return where a run's trace is said to be."""
    links = settings.phoenix_links()
    return None if links is None else links.trace(RUN)


def test_links_to_traces_lead_where_people_find_phoenix() -> None:
    assert (link(Settings(phoenix_url=INSIDE)) or "").startswith(INSIDE)
    both = Settings(phoenix_url=INSIDE, phoenix_public_url=OUTSIDE)
    assert (link(both) or "").startswith(OUTSIDE)
    assert both.phoenix_url == INSIDE


def test_there_are_no_links_to_a_phoenix_that_nobody_named() -> None:
    assert link(Settings()) is None
