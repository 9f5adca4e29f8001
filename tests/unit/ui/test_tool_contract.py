"""Contracts in words for people who approve."""

from dataclasses import replace

import pytest

from penstock.contracts.policy import Taint
from penstock.contracts.tool import EffectClass, RetryAfter, RetryPlan
from penstock.ui.components import tool_contract
from support.policies import contract

PAY = contract("pay", scopes={"pay"}, sensitive={"card"})


@pytest.mark.parametrize("effect", EffectClass)
def test_every_class_says_what_a_dead_worker_means(effect: EffectClass) -> None:
    said = tool_contract.if_worker_dies(replace(PAY, effect=effect, key_lifetime_s=60.0))
    again = effect not in {EffectClass.PROBE, EffectClass.UNSAFE}
    assert ("made again" in said) == again


def test_tool_of_which_nobody_said_anything_is_the_worst_case() -> None:
    foreign = replace(PAY, scopes=frozenset(), taints=frozenset(Taint))
    assert tool_contract.is_worst_case(foreign, is_adopted=True)
    assert "the worst is taken" in tool_contract.provenance(foreign, is_adopted=True)
    assert not tool_contract.is_worst_case(foreign, is_adopted=False)
    assert not tool_contract.is_worst_case(
        replace(foreign, effect=EffectClass.READ), is_adopted=True
    )


def test_terms_leave_out_what_a_contract_does_not_say() -> None:
    told = tool_contract.contract_terms(PAY)
    assert told["Who may call it"] == "whoever has pay"
    assert told["Nobody is shown"] == "card"
    assert "Its key lives" not in told


def test_failure_that_leaves_open_what_happened_ends_as_its_class_says() -> None:
    once = RetryPlan(attempt_limit=1)
    often = RetryPlan(attempt_limit=3, after=RetryAfter.ANY)
    assert tool_contract.failure_modes(PAY)[-1][2] == "it is in doubt"
    read = replace(PAY, effect=EffectClass.READ)
    assert "failed" in tool_contract.failure_modes(replace(read, retry=once))[-1][2]
    assert "tried again, 3 times" in tool_contract.failure_modes(replace(read, retry=often))[-1][2]
