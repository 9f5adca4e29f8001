"""Who makes the calls of a segment, and where they are recorded."""

from dataclasses import dataclass, field

from penstock.checkpoints import Store
from penstock.contracts.clock import Clock
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Run
from penstock.nodes.halt import Halt
from penstock.nodes.isolation import Pool
from penstock.nodes.secrets import Source, environment
from penstock.policies import People


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """The run that acts, the worker that drives it, and the ledger they write to."""

    store: Store
    clock: Clock
    run: Run
    """As it was claimed."""
    worker: WorkerId
    pool: Pool
    """Runs the tools that want processes of their own."""
    people: People
    """Who may do what, and who decides."""
    halt: Halt = field(default_factory=Halt)
    """Tells the calls to stop."""
    secrets: Source = environment
    """Returns secrets by their names."""
