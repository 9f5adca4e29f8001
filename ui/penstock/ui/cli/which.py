"""Which runs a command is about: those that fit its options."""

from collections.abc import Collection
from dataclasses import dataclass

import typer

from penstock.contracts.amounts import read_budget
from penstock.contracts.budget import Budget
from penstock.contracts.inbox import RunFilter
from penstock.contracts.run import RunStatus, read_tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """The options by which runs are chosen, as they were typed."""

    statuses: Collection[RunStatus] = ()
    graph: str | None = None
    thread: str | None = None
    tags: Collection[str] = ()
    spent: Collection[str] = ()
    redrivable: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        self._used()

    @property
    def is_any(self) -> bool:
        """Whether nothing was asked for."""
        return self == Which()

    def of(self, tenant: str) -> RunFilter:
        """Return them as a filter of a tenant's runs."""
        used = self._used()
        return RunFilter(
            tenant=tenant,
            statuses=tuple(self.statuses),
            graph=self.graph,
            thread_id=self.thread,
            tags=read_tags(self.tags),
            is_redrivable=self.redrivable,
            tokens=used.tokens,
            money=used.money,
        )

    def _used(self) -> Budget:
        try:
            used = read_budget(self.spent)
        except ValueError as error:
            raise typer.BadParameter(f"--spent: {error}") from None
        named = {each.partition("=")[0].strip() for each in self.spent}
        if not named <= {"tokens", "money"}:
            raise typer.BadParameter("--spent goes by `tokens` and `money` only")
        return used
