"""A plain `interrupt(...)` in a graph as a question gate, and its answer on the way back.

LangGraph matches answers by the interrupt's id, strictly: an answer that was delivered already, or
fits no pending question, is refused by it before anything is written.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from langgraph.types import Command, Interrupt, StateSnapshot
from pydantic_core import from_json

from penstock.contracts.effect import DoubtAnswer
from penstock.contracts.errors import InvalidAnswer, VoteRefused
from penstock.contracts.gate import OPERATORS, Gate, GateKind, GateStatus, Question
from penstock.contracts.ids import GateId, RunId
from penstock.contracts.run import Run
from penstock.nodes.gates.answer_schema import answer_schema, as_json, question_json
from penstock.policies import People
from penstock.runs.answers import first_mismatch

STRICT_RESUME_KEY = "__pregel_strict_resume"
"""LangGraph's own key for a config; a contract test holds it."""


def gate_id(run_id: RunId, interrupt_id: str) -> GateId:
    """Return the id of the gate of an interrupt; a copied thread has the same interrupts."""
    digest = hashlib.blake2b(f"{run_id}|{interrupt_id}".encode(), digest_size=16)
    return GateId(digest.hexdigest())


def interrupts(state: StateSnapshot) -> Sequence[Interrupt[Any]]:
    """Return what the thread waits for."""
    return [interrupt for task in state.tasks for interrupt in task.interrupts]


def questions(run_id: RunId, state: StateSnapshot, known: Sequence[Gate]) -> Sequence[Question]:
    """Return what the graph itself asks; the rest of what it waits for are `known` gates."""
    ours = _own_gates(known)
    return [
        Question(
            id=gate_id(run_id, interrupt.id),
            question=question_json(interrupt),
            answer_schema=answer_schema(interrupt),
        )
        for interrupt in interrupts(state)
        if interrupt.id not in ours
    ]


def waits(state: StateSnapshot, known: Sequence[Gate]) -> Sequence[GateId]:
    """Return the gates of parked calls that the thread waits for."""
    ours = _own_gates(known)
    return [GateId(interrupt.id) for interrupt in interrupts(state) if interrupt.id in ours]


def _own_gates(known: Sequence[Gate]) -> frozenset[str]:
    """Return the ids of gates that parked calls wait for; their interrupts have the same ids."""
    return frozenset(
        gate.id for gate in known if gate.effect_key is not None or gate.kind is GateKind.BUDGET
    )


def resume_command(
    run_id: RunId, state: StateSnapshot, gates: Sequence[Gate]
) -> Command[Any] | None:
    """Return the command that delivers what was decided; none if nothing pending was."""
    decided: Mapping[GateId, str] = {
        gate.id: gate.answer
        for gate in gates
        if gate.status is GateStatus.DECIDED and gate.answer is not None
    }
    resume = {
        interrupt.id: from_json(decided[gate_id(run_id, interrupt.id)])
        for interrupt in interrupts(state)
        if gate_id(run_id, interrupt.id) in decided
    }
    return Command(resume=resume) if resume else None


def require_answerer(gate: Gate, run: Run, person: str, people: People) -> None:
    """Let pass who may answer a gate.

    Raises:
        VoteRefused: this person may not.
    """
    is_own = gate.kind is GateKind.QUESTION and person == run.principal
    if not is_own and not people.has(OPERATORS, person, gate.tenant):
        also = f" or `{run.principal}`, whom the run acts for" * (gate.kind is GateKind.QUESTION)
        raise VoteRefused(
            f"`{person}` may not answer gate `{gate.id}`: wanted is a member of `{OPERATORS}`{also}"
        )


def check_answer(gate: Gate, answer: object) -> str:
    """Return `answer` as JSON, if it is what the gate asks for.

    Raises:
        InvalidAnswer: it is not; the message says where and why.
    """
    if gate.answer_schema is not None:
        schema = from_json(gate.answer_schema)
        validator: Any = validator_for(schema, default=Draft202012Validator)(schema)
        misfit = first_mismatch(validator.iter_errors(answer))
        if misfit is not None:
            where, why = misfit
            msg = f"gate `{gate.id}` was not decided: the answer does not fit at `{where}`: {why}"
            raise InvalidAnswer(msg)
    return as_json(answer)


def read_doubt(answer: str) -> tuple[DoubtAnswer, str | None]:
    """Return what a person said of an effect in doubt, and the result if there is one, as JSON."""
    told = from_json(answer)
    result = told.get("result")
    return DoubtAnswer(told["answer"]), None if "result" not in told else as_json(result)
