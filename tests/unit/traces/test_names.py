"""The names that are OpenInference's are spelled as its own package spells them."""

import pytest

from penstock.contracts.ids import GateId, RunId
from penstock.traces import (
    gate_span_id,
    names,
    segment_span_id,
    span_hex,
    step_span_id,
    trace_hex,
)
from support.conventions import PROMISED, RESOURCE, SPAN

THEIRS = {
    name: value
    for name, value in vars(names).items()
    if name.isupper()
    and isinstance(value, str)
    and "/" not in value
    and value not in PROMISED
    and not value.startswith(("penstock.", "gen_ai."))
}


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_a_name_of_openinference_is_one(name: str) -> None:
    assert THEIRS[name] in SPAN | RESOURCE


def test_a_trace_has_the_id_of_its_run() -> None:
    run_id = RunId("019ac0c0-7b1e-7b1e-8b1e-0123456789ab")
    assert trace_hex(run_id) == "019ac0c07b1e7b1e8b1e0123456789ab"


def test_the_ids_of_spans_follow_from_what_they_are_of_and_differ() -> None:
    one, two = RunId("019ac0c0-7b1e-7b1e-8b1e-0123456789ab"), RunId(f"{'0' * 8}-0000")
    made = [
        segment_span_id(one, 1),
        segment_span_id(one, 2),
        segment_span_id(two, 1),
        step_span_id(one, 1, "a"),
        step_span_id(one, 2, "a"),
        step_span_id(one, 1, "b"),
        gate_span_id(GateId("a" * 32)),
    ]
    assert len(set(made)) == len(made)
    assert all(0 < each < 2**64 for each in made)
    assert segment_span_id(one, 1) == made[0]
    assert len(span_hex(1)) == 16
