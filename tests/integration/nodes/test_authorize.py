"""A call whose ground changed before it began is decided about again, and not for ever."""

from dataclasses import replace

import pytest

from penstock.checkpoints import Store, ledger
from penstock.contracts.call import Done, Failed, Outcome, Refused
from penstock.nodes.calls.call import ToolCall
from penstock.nodes.calls.claim import (
    Contended,
    DoneElsewhere,
    StaleDecision,
    require_not_done_elsewhere,
)
from penstock.nodes.stages import authorize as stage
from support.council import Council

DONE = Done(result="paid", recorded=False)


class Ways:
    """What a call comes to, time after time; the last of it stays."""

    def __init__(self, *ends: Exception | Outcome) -> None:
        self.ends = list(ends)
        self.calls: list[ToolCall] = []

    async def __call__(self, call: ToolCall) -> Outcome:
        self.calls.append(call)
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        if isinstance(end, Exception):
            raise end
        return end


@pytest.fixture
async def call(store: Store) -> ToolCall:
    """A call as it comes in."""
    council = Council(store)
    return council.admitted(await council.start())


async def test_who_stands_in_the_way_is_waited_for(call: ToolCall) -> None:
    ways = Ways(Contended(), Contended(), DONE)
    assert await stage.redecide(call, ways) is DONE
    assert ways.calls == [call] * 3


async def test_nobody_is_waited_for_for_ever(
    call: ToolCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "CONTENDED_S", 0.1)
    outcome = await stage.redecide(call, Ways(Contended()))
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("busy", True)


async def test_what_others_have_done_needs_a_gate_from_then_on(call: ToolCall) -> None:
    ways = Ways(DoneElsewhere(), StaleDecision(), DONE)
    assert await stage.redecide(call, ways) is DONE
    assert [each.is_done_elsewhere for each in ways.calls] == [False, True, True]


async def test_a_policy_that_does_not_settle_refuses(call: ToolCall) -> None:
    ways = Ways(StaleDecision())
    outcome = await stage.redecide(call, ways)
    assert isinstance(outcome, Refused)
    assert (outcome.code, len(ways.calls)) == ("policy_unsettled", stage.POLICY_CHANGES)


async def test_what_a_person_wants_undone_is_not_asked_about_again(
    store: Store, call: ToolCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: object) -> object:
        return call.effect

    monkeypatch.setattr(ledger, "find_in_lineage", found)
    with pytest.raises(DoneElsewhere):
        await store.write(lambda tx: require_not_done_elsewhere(tx, call))
    await store.write(lambda tx: require_not_done_elsewhere(tx, replace(call, undoes=True)))
