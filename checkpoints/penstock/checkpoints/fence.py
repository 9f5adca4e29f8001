"""The fence: who may write to a thread, checked in the transaction of the write.

A worker that was paused, taken over and woken again still believes that it drives its run. It
cannot be stopped from believing so, only from writing: a claim raises the run's epoch, and a write
under an older epoch is refused.
"""

from typing import TYPE_CHECKING

from sqlalchemy import Connection, Dialect, Executable, bindparam, select, text

from penstock.checkpoints.schema import one_of, runs
from penstock.checkpoints.statements import Statement, prepared
from penstock.contracts.errors import ThreadBusy
from penstock.contracts.run import LIVE, Fence, RunStatus
from penstock.contracts.signals import LeaseLost

if TYPE_CHECKING:
    # LangChain takes a second to import, and who decides a gate needs none of it.
    from langchain_core.runnables import RunnableConfig

FENCE_KEY = "__penstock_fence"
"""Where a config carries its fence. LangGraph keeps keys that begin with `__` out of what it
stores, and hands the config on to subgraphs whole."""


def fenced(config: "RunnableConfig", fence: Fence) -> "RunnableConfig":
    """Return `config` with the right to write under `fence`."""
    configurable = {**config.get("configurable", {}), FENCE_KEY: fence}
    return {**config, "configurable": configurable}


def fence_of(config: "RunnableConfig") -> Fence | None:
    """Return the fence that `config` carries."""
    return config.get("configurable", {}).get(FENCE_KEY)


class FenceCheck:
    """Refuses writes to a thread by anybody but the worker that drives its run."""

    def __init__(self, dialect: Dialect) -> None:
        """Compile the check."""
        # Shared, so that a claim waits until this transaction is over. SQLite needs no such lock.
        own = select(runs.c.thread_id, runs.c.status, runs.c.epoch)
        self._own = Statement(
            own.where(runs.c.id == bindparam("run_id")).with_for_update(read=True), dialect
        )
        on_thread = select(runs.c.id).where(runs.c.thread_id == bindparam("thread_id"))
        self._live = Statement(on_thread.where(text(one_of("status", LIVE))), dialect)

    def check(self, connection: Connection, *, thread_id: str, fence: Fence | None) -> None:
        """Let a write to `thread_id` under `fence` pass, or raise.

        Raises:
            LeaseLost: the fence's run is not running, or at another epoch.
            ThreadBusy: the thread belongs to a live run and the writer is not driving it.
        """
        if fence is not None:
            own = self._own.execute(connection, {"run_id": fence.run_id}).fetchone()
            found = "no such run" if own is None else f"it is {own[1]} at epoch {own[2]}"
            if own is None or tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch):
                msg = f"run `{fence.run_id}` may not be written at epoch {fence.epoch}: {found}"
                raise LeaseLost(msg)
            if own[0] == thread_id:
                return
        live = self._live.execute(connection, {"thread_id": thread_id}).fetchone()
        if live is not None:
            msg = (
                f"thread `{thread_id}` belongs to the live run `{live[0]}`; only the worker that"
                " drives it may write there; wait for the run to end, or cancel it"
            )
            raise ThreadBusy(msg)


def require_lease(connection: Connection, fence: Fence) -> None:
    """Let what a run's driver does pass, or raise.

    Raises:
        LeaseLost: the run is not running, or at another epoch.
    """
    found = _own.first(connection, {"run_id": fence.run_id})
    if found is None or (found["status"], found["epoch"]) != (RunStatus.RUNNING, fence.epoch):
        state = "no such run" if found is None else f"{found['status']} at epoch {found['epoch']}"
        msg = f"run `{fence.run_id}` may not act at epoch {fence.epoch}: it is {state}"
        raise LeaseLost(msg)


@prepared()
def _own(_: Dialect) -> Executable:
    # Shared, so that a claim waits until this transaction is over. SQLite needs no such lock.
    own = select(runs.c.status, runs.c.epoch).where(runs.c.id == bindparam("run_id"))
    return own.with_for_update(read=True)
