"""A plain `interrupt(...)` of a graph as a question gate, and the answer that resumes the graph.

LangGraph matches answers by the interrupt's id, strictly: it refuses an answer that was delivered
already, or fits no pending question, before anything is written.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.types import Command, Interrupt, StateSnapshot
from pydantic_core import from_json

from penstock.contracts.gate import Gate, GateKind, GateStatus, Question
from penstock.contracts.ids import GateId, RunId
from penstock.nodes.gates.answer_schema import answer_schema, question_json

STRICT_RESUME_KEY = "__pregel_strict_resume"
"""LangGraph's own key for a config; a contract test holds it."""


def gate_id(run_id: RunId, interrupt_id: str) -> GateId:
    """Return the id of the gate of an interrupt; a copied thread has the same interrupts."""
    digest = hashlib.blake2b(f"{run_id}|{interrupt_id}".encode(), digest_size=16)
    return GateId(digest.hexdigest())


def interrupts(state: StateSnapshot) -> Sequence[Interrupt[Any]]:
    """Return the interrupts that the thread waits for."""
    return [interrupt for task in state.tasks for interrupt in task.interrupts]


def questions(run_id: RunId, state: StateSnapshot, known: Sequence[Gate]) -> Sequence[Question]:
    """Return the questions of the graph itself; all other interrupts have gates in `known`."""
    own_gates = _own_gates(known)
    return [
        Question(
            id=gate_id(run_id, interrupt.id),
            question=question_json(interrupt),
            answer_schema=answer_schema(interrupt),
        )
        for interrupt in interrupts(state)
        if interrupt.id not in own_gates
    ]


def waits(state: StateSnapshot, known: Sequence[Gate]) -> Sequence[GateId]:
    """Return the gates of parked calls that the thread waits for."""
    own_gates = _own_gates(known)
    return [GateId(interrupt.id) for interrupt in interrupts(state) if interrupt.id in own_gates]


def resume_command(
    run_id: RunId, state: StateSnapshot, gates: Sequence[Gate]
) -> Command[Any] | None:
    """Return the command that delivers the answers of decided gates; None if there are none."""
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


def _own_gates(known: Sequence[Gate]) -> frozenset[str]:
    """Return the ids of gates that Penstock opened; their interrupts have the same ids."""
    return frozenset(
        gate.id for gate in known if gate.effect_key is not None or gate.kind is GateKind.BUDGET
    )
