"""Whether what became of a call in doubt can be looked up: by whom, and by what."""

from sqlalchemy import Connection

from penstock.checkpoints import ledger, runs
from penstock.contracts.effect import Effect
from penstock.contracts.errors import IllegalTransition, VoteRefused
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.run import LIVE
from penstock.contracts.tool import EffectClass
from penstock.graphs import Catalog


def has_probe(catalog: Catalog, graph: str, effect: Effect) -> bool:
    """Tell whether a call can be looked up: its class says so, or its tool, if that is at hand."""
    if effect.effect is EffectClass.PROBE:
        return True
    known = catalog.get(graph).tools.get(effect.tool) if graph in catalog else None
    return known is not None and known.probe is not None


def require_probe(connection: Connection, gate: Gate, catalog: Catalog) -> None:
    """Let pass a gate about a call that the next worker of its run looks up.

    Raises:
        IllegalTransition: the run is over: nobody goes on with it, and looks.
        VoteRefused: it asks about something else, or of no probe of the call is known.
    """
    run = runs.get(connection, gate.run_id)
    effect = None
    if gate.kind is GateKind.IN_DOUBT and gate.effect_key is not None:
        effect = ledger.get(connection, gate.effect_key)
    if effect is None or not has_probe(catalog, run.graph, effect):
        raise VoteRefused(
            f"what gate `{gate.id}` asks cannot be looked up: wanted is a call of a tool with a"
            " `probe`; answer it instead"
        )
    if run.status not in LIVE:
        raise IllegalTransition(
            f"run `{run.id}` is {run.status}, so no worker comes to look; answer the gate instead"
        )
