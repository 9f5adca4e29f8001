"""What the calls of a run ask, as gates, and what they were answered."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from langgraph.errors import GraphInterrupt
from pydantic_core import from_json
from sqlalchemy import Connection

from penstock.checkpoints import gates
from penstock.checkpoints.fence import require_lease
from penstock.contracts.gate import GateKind, Question
from penstock.contracts.ids import GateId, IdempotencyKey, RunId
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Asks, ToolCall
from penstock.nodes.gates.asking import Asking, subgraphs_of
from penstock.nodes.gates.parking import parked


class Questions:
    """The questions of the calls of one segment of a run.

    What was answered is read once: an answer that comes later is given in the next segment.
    """

    def __init__(self, acting: Acting) -> None:
        """Ask for a run as it was claimed."""
        self._acting = acting
        # Nobody has asked anything in a run that is claimed for the first time.
        self._answers: Mapping[GateId, str] | None = {} if acting.run.epoch == 1 else None
        self._subgraphs: dict[IdempotencyKey, Callable[[], int]] = {}

    async def asking(self, call: ToolCall) -> Asking:
        """Return what an attempt of a call asks with, and is answered by."""
        key = call.effect.key
        subgraphs = self._subgraphs.setdefault(key, subgraphs_of(key))
        return Asking(await self._answered(call), subgraphs=subgraphs)

    async def ask(self, call: ToolCall, asks: Asks) -> GraphInterrupt:
        """Open the gate of a question, and return what a node raises to wait at it.

        Raises:
            LeaseLost: somebody else drives the run now.
        """
        run, at = self._acting.run, self._acting.clock.now()
        question = Question(
            id=self._gate(call, asks.number),
            question=asks.question,
            answer_schema=asks.answer_schema,
            effect_key=call.effect.key,
        )

        def change(connection: Connection) -> None:
            require_lease(connection, run.fence)
            gates.open_questions(connection, run, [question], at=at)

        await self._acting.store.write(change)
        return parked(question.id, f"`{call.tool.name}` asks a question")

    async def _answered(self, call: ToolCall) -> Sequence[object]:
        """Return what a call was answered so far, in the order in which it asked."""
        if self._answers is None:
            self._answers = await self._read()
        found: list[object] = []
        while (answer := self._answers.get(self._gate(call, len(found)))) is not None:
            found.append(from_json(answer))
        return found

    def _gate(self, call: ToolCall, number: int) -> GateId:
        return gate_id(self._acting.run.id, call, number)

    async def _read(self) -> Mapping[GateId, str]:
        run_id = self._acting.run.id
        known = await self._acting.store.read(lambda connection: gates.of_run(connection, run_id))
        return {
            gate.id: gate.answer
            for gate in known
            if gate.kind is GateKind.QUESTION and gate.answer is not None
        }


def gate_id(run_id: RunId, call: ToolCall, number: int) -> GateId:
    """Return the id of the gate of a question of a call, numbered from 0.

    An answer is one to a call with these arguments. The run is part of it, because the calls of a
    copied thread have the same keys.
    """
    told = f"{run_id}|{call.effect.key}|{call.effect.digest}|{number}"
    return GateId(hashlib.blake2b(told.encode(), digest_size=16).hexdigest())
