"""Forgetting runs: in the store first, then wherever else something was told of them."""

import logging
from collections.abc import Sequence
from typing import Protocol

from penstock.checkpoints import Store, forgetting
from penstock.contracts.clock import Clock
from penstock.contracts.erasure import Erased
from penstock.contracts.ids import RunId

log = logging.getLogger(__name__)


class Forgets(Protocol):
    """Another place that knows of runs, such as the traces, and can forget one."""

    @property
    def name(self) -> str:
        """What it is called in the report."""
        ...

    async def forget(self, run_id: RunId) -> Erased:
        """Erase what it has of a run, whose 128 bits are its trace id; again, do no harm.

        It may raise what it likes: the report says so, and the run can be forgotten again.
        """
        ...


async def forget(
    store: Store, elsewhere: Sequence[Forgets], run_id: RunId, *, clock: Clock, by: str
) -> Sequence[Erased]:
    """Erase a run from the store, and then from everywhere else; return what came of each.

    Raises:
        IllegalTransition: it is not over, or people are still to decide what became of a call.
        UnknownRun: there is no such run.
    """
    at = clock.now()
    report = list(
        await store.write(lambda connection: forgetting.forget(connection, run_id, at=at, actor=by))
    )
    kept = await store.scrub()
    report.append(Erased(store="files of the store", count=0, kept=kept))
    return [*report, *await forget_elsewhere(elsewhere, run_id)]


async def forget_elsewhere(elsewhere: Sequence[Forgets], run_id: RunId) -> Sequence[Erased]:
    """Have other places forget a run; return what came of each."""
    report: list[Erased] = []
    for other in elsewhere:
        try:
            report.append(await other.forget(run_id))
        except Exception as error:
            # Whatever it is, the rest is erased, and whoever asked is told of this.
            log.warning("run %s could not be forgotten by %s: %s", run_id, other.name, error)
            kept = f"it could not be erased ({type(error).__name__}: {error}); forget the run again"
            report.append(Erased(store=other.name, count=0, kept=kept))
    return report
