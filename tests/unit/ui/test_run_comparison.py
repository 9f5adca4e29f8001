"""Two runs are put side by side, step by step and call by call."""

from dataclasses import replace
from typing import Any

from penstock.contracts.step import StepStatus
from penstock.ui.components.run_comparison import pair_calls, pair_steps, without_ids
from support.stepped import effect, step


def test_steps_are_paired_as_they_were_executed_last() -> None:
    parked, done = step("pay", StepStatus.PARKED), step("pay", StepStatus.SUCCEEDED)
    mine = [step("plan", StepStatus.SUCCEEDED), parked, done]
    theirs = [step("plan", StepStatus.SUCCEEDED), parked]
    found = pair_steps(mine, theirs)
    assert [(pair.one, pair.other) for pair in found][1:] == [(done, parked)]
    assert [pair.is_same for pair in found] == [True, False]


def test_run_that_went_further_stands_alone_there() -> None:
    (_, alone) = pair_steps([step("a", StepStatus.FAILED), step("b", StepStatus.FAILED)], [
        step("a", StepStatus.FAILED)
    ])  # fmt: skip
    assert alone.other is None
    assert not alone.is_same


def test_calls_of_a_tool_are_paired_in_their_order() -> None:
    one, two = effect("k1"), effect("k2")
    look = replace(effect("k3"), tool="look")
    its = effect("k4")
    assert pair_calls([one, look, two], [its]) == [(one, its), (look, None), (two, None)]


def test_ids_of_messages_do_not_count_and_others_do() -> None:
    message: dict[str, Any] = {
        "type": "ai",
        "content": "a",
        "id": "m",
        "tool_calls": [{"args": {}, "id": "c"}],
    }
    assert without_ids({"messages": [message], "order": {"id": 7}}) == {
        "messages": [{"type": "ai", "content": "a", "tool_calls": [{"args": {}}]}],
        "order": {"id": 7},
    }
