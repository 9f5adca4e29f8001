"""Parking a call: its run waits at a gate, and the node runs again when that is decided.

`interrupt()` will not do for it: LangGraph matches answers to it by the order of calls within a
task. What is raised here has an id of its own.
"""

from collections.abc import Collection, Sequence
from typing import Any, cast

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from penstock.contracts.ids import GateId


def parked(gate_id: GateId, why: str) -> GraphInterrupt:
    """Return what a node raises to wait at a gate."""
    return GraphInterrupt((Interrupt(value={"gate": gate_id, "why": why}, id=gate_id),))


def gates_of(raised: GraphInterrupt) -> Collection[GateId]:
    """Return the gates at which a call was parked; an interrupt that is none is left out."""
    found: Sequence[Interrupt[Any]] = raised.args[0]
    return [GateId(each.id) for each in found if _is_of_gate(each)]


def _is_of_gate(interrupt: Interrupt[Any]) -> bool:
    value: object = interrupt.value
    return isinstance(value, dict) and cast("dict[str, object]", value).get("gate") == interrupt.id
