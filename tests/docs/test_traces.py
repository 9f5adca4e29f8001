"""The page about traces is the code."""

import re

from penstock.contracts.trace import TraceContent
from penstock.traces import names
from penstock.traces.metrics import MetricName
from penstock.traces.names import KINDS, SpanName
from support.checkout import ROOT

PAGE = (ROOT / "docs" / "traces.md").read_text()

PROMISED = [
    "run_id",
    "step_id",
    "model",
    "tool",
    "budget_tokens_remaining",
    "timeout_ms",
    "retry_count",
    "policy_decision",
    "human_gate",
]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose heading row begins so."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


def test_every_span_is_on_the_page_with_its_kind() -> None:
    told = {name.strip("`"): kind.strip("`") for name, kind, _ in rows("span | kind")}
    assert told == {str(name): str(KINDS[name]) for name in SpanName}


def test_every_attribute_is_on_the_page_and_those_that_are_promised_come_first() -> None:
    told = [name for cell, _, _ in rows("attribute | on") for name in re.findall(r"`(.*?)`", cell)]
    assert told[: len(PROMISED)] == PROMISED
    known = {
        value
        for name, value in vars(names).items()
        if name.isupper() and isinstance(value, str) and "/" not in value
    }
    assert set(told) == known - {names.GEN_AI_OPERATION}
    assert len(told) == len(set(told))


def test_every_metric_is_on_the_page() -> None:
    assert [name.strip("`") for name, _, _ in rows("metric | unit")] == list(MetricName)


def test_every_content_is_on_the_page() -> None:
    assert [name.strip("`") for name, _ in rows("content | shows")] == list(TraceContent)
