"""Probes, checks of results and compensations are called with a call's own arguments."""

import pytest

from penstock.contracts.call import Refused
from penstock.nodes import DidNot, Happened, IdempotencyKey, tool
from penstock.nodes.tools.arguments import CheckedArguments
from penstock.nodes.tools.supplies import Supplies
from support.calls import ATTEMPT


async def find(order: str, key: IdempotencyKey) -> Happened | DidNot:
    return Happened(order) if key else DidNot()


def is_of(answer: str, order: str) -> str | None:
    return None if order in answer else f"The answer is not about {order}."


@tool
async def unpay(order: str, reason: str = "") -> None:
    """Take it back."""
    del order, reason


@tool(effect="probe", probe=find, verify=is_of, compensate=unpay)
async def pay(order: str, cents: int) -> str:
    """Pay."""
    return f"{order}: {cents}"


@pytest.fixture
def checked() -> CheckedArguments:
    found = pay.check({"order": "A1", "cents": 5})
    assert not isinstance(found, Refused)
    return found


def test_a_probe_gets_some_of_the_arguments_and_the_key(checked: CheckedArguments) -> None:
    assert pay.probe is not None
    given = pay.probe.bind(checked.values, Supplies(attempt=ATTEMPT))
    assert given == {"order": "A1", "key": "k1"}
    assert pay.probe.signature.is_async


def test_a_check_gets_the_result_first(checked: CheckedArguments) -> None:
    assert pay.verify is not None
    given = pay.verify.bind(checked.values, Supplies(attempt=ATTEMPT), first="A2: 5")
    assert pay.verify.function(**given) == "The answer is not about A1."


def test_a_compensation_is_called_with_what_both_take(checked: CheckedArguments) -> None:
    undo = pay.compensate
    assert undo is unpay
    known = {each.name for each in unpay.signature.arguments}
    undone = unpay.check({name: checked.values[name] for name in known & checked.values.keys()})
    assert isinstance(undone, CheckedArguments)
    assert undone.values == {"order": "A1", "reason": ""}


def test_a_contract_says_what_is_beside_the_function() -> None:
    contract = pay.contract
    assert (contract.has_probe, contract.has_verify, contract.compensate) == (True, True, "unpay")
