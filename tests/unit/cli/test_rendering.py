"""Words for people: lengths of time, states, answers to begin with."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.contracts.gate import Gate, GateKind, GateStatus
from penstock.contracts.ids import GateId, RunId, ThreadId, WorkerId
from penstock.contracts.run import Run, RunMode, RunStatus
from penstock.ui.cli.rendering import question_text, sample_value
from penstock.ui.cli.run import live_line, state_line
from penstock.ui.text import age, short

NOW = datetime(2026, 1, 2, tzinfo=UTC)
QUEUED = Run(
    id=RunId("r"),
    tenant="default",
    thread_id=ThreadId("t"),
    key=None,
    graph="g",
    graph_version="1",
    fingerprint="f",
    input="{}",
    mode=RunMode.LIVE,
    status=RunStatus.QUEUED,
    epoch=0,
    worker_id=None,
    lease_expires_at=None,
    lost_count=0,
    cancel_by=None,
    cancel_at=None,
    cancel_reason=None,
    pause_by=None,
    pause_at=None,
    pause_reason=None,
    deadline_s=None,
    deadline_at=None,
    created_at=NOW,
    changed_at=NOW,
    ended_at=None,
    failure=None,
)
RUNNING = replace(QUEUED, status=RunStatus.RUNNING, epoch=2, worker_id=WorkerId("w"))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "0s"), (59.9, "59s"), (61, "1m 1s"), (3_660, "1h 1m"), (90_000, "1d 1h")],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert age(seconds) == told


def test_a_long_text_is_cut_to_one_line() -> None:
    assert short("a\n b") == "a b"
    assert short("x" * 100) == "x" * 79 + "…"


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ('"go on?"', "go on?"),
        ('{"question":"Refund 5 EUR?","text":"Hi"}', "Refund 5 EUR?"),
        ('{"question":{"de":"Gut?"}}', '{"question":{"de":"Gut?"}}'),
        ('{"may I":"ask"}', '{"may I":"ask"}'),
        ("[1]", "[1]"),
    ],
)
def test_what_a_gate_asks_is_told_without_what_is_around_it(question: str, told: str) -> None:
    gate = Gate(
        id=GateId("g"),
        tenant="default",
        run_id=QUEUED.id,
        kind=GateKind.QUESTION,
        status=GateStatus.OPEN,
        question=question,
        answer_schema=None,
        answer=None,
        decided_by=None,
        opened_at=NOW,
        expires_at=None,
        closed_at=None,
        effect_key=None,
        wakes_at=None,
    )
    assert question_text(gate) == told


def test_the_state_of_a_run_names_its_worker_or_what_it_waits_for() -> None:
    assert state_line(QUEUED, behind=None) == "run r is queued"
    assert state_line(QUEUED, behind=RUNNING) == (
        "run r is queued behind run r of its thread, which is running"
    )
    said = state_line(RUNNING, behind=None)
    assert said == "run r is running, epoch 2, driven by w"
    assert live_line(said, ["a", "b"], elapsed="3s") == f"{said}, at a, b, 3s"
    assert live_line(said, [], elapsed="3s") == f"{said}, 3s"


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        (None, "…"),
        ({"type": "string"}, "…"),
        ({"type": "boolean"}, True),
        ({"type": "integer", "default": 7}, 7),
        ({"enum": ["yes", "no"]}, "yes"),
        ({"const": "go"}, "go"),
        ({"type": "array"}, []),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, 0),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, {"b": "…"}),
        (
            {
                "type": "object",
                "properties": {"v": {"$ref": "#/$defs/V"}},
                "$defs": {"V": {"enum": [1]}},
            },
            {"v": 1},
        ),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, "…"),
    ],
)
def test_a_sample_answer_has_the_form_of_the_schema(schema: Any, shown: object) -> None:
    assert sample_value(schema) == shown
