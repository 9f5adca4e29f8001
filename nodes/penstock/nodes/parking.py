"""Parking a call: its run waits at a gate, and the node runs again when that is decided.

`interrupt()` will not do for it: LangGraph matches answers to it by the order of calls within a
task. What is raised here has an id of its own.
"""

from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from penstock.contracts.ids import GateId


def parked(gate_id: GateId, why: str) -> GraphInterrupt:
    """Return what a node raises to wait at a gate."""
    return GraphInterrupt((Interrupt(value={"gate": gate_id, "why": why}, id=gate_id),))
