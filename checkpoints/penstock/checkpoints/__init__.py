"""Everything durable: the database, its tables, and LangGraph's checkpointer on them."""

from penstock.checkpoints.fence import fenced
from penstock.checkpoints.migration import migrate
from penstock.checkpoints.saver.checkpointer import Checkpointer
from penstock.checkpoints.saver.forks import Fork
from penstock.checkpoints.store import Store

__all__ = ["Checkpointer", "Fork", "Store", "fenced", "migrate"]
