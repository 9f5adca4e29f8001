"""Everything durable: the database, its tables, and LangGraph's checkpointer on them."""

from typing import TYPE_CHECKING

from penstock.contracts.lazy import lazy_exports

if TYPE_CHECKING:
    from penstock.checkpoints.fence import fenced
    from penstock.checkpoints.migration import migrate
    from penstock.checkpoints.saver.checkpointer import Checkpointer
    from penstock.checkpoints.saver.forks import Fork
    from penstock.checkpoints.store import Store


__all__ = ["Checkpointer", "Fork", "Store", "fenced", "migrate"]

__getattr__ = lazy_exports(
    __name__,
    {
        "Checkpointer": "penstock.checkpoints.saver.checkpointer",
        "Fork": "penstock.checkpoints.saver.forks",
        "Store": "penstock.checkpoints.store",
        "fenced": "penstock.checkpoints.fence",
        "migrate": "penstock.checkpoints.migration",
    },
)
