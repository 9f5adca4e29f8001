"""How a store stands, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.contracts.effect import EffectStatus
from penstock.contracts.gate import GateKind
from penstock.contracts.run import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What there is in a store, of all tenants."""

    runs: Mapping[RunStatus, int]
    """How many runs are in each state; of one that none is in, 0."""
    queue_age_s: float
    """How long the run has waited that waits longest for a worker; 0 where none does."""
    open_gates: Mapping[GateKind, int]
    """How many gates wait for an answer."""
    gate_age_s: float
    """How long the gate has waited that waits longest; 0 where none does."""
    effects: Mapping[EffectStatus, int]
    """What tool calls have come to."""
    spent_tokens: int
    """What the models of all runs have read and written."""
    spent_micros: Mapping[str, int]
    """What runs have cost, in millionths, by currency."""
