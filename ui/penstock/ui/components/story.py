"""All that the store knows of a run but for its states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from penstock.checkpoints import audit, budgets, decisions, gates, ledger, runs, steps
from penstock.contracts.audit import AuditEvent
from penstock.contracts.budget import AccountStatement, run_account
from penstock.contracts.effect import Effect
from penstock.contracts.errors import UnknownRun
from penstock.contracts.gate import Gate
from penstock.contracts.ids import RunId
from penstock.contracts.policy import RecordedDecision
from penstock.contracts.run import Run
from penstock.contracts.step import Step
from penstock.graphs import Graph
from penstock.ui import front
from penstock.ui.components.selection import calls_of

EFFECT_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A run and what belongs to it."""

    run: Run
    gates: Sequence[Gate]
    steps: Sequence[Step]
    effects: Sequence[Effect]
    decided: Sequence[RecordedDecision]
    events: Sequence[AuditEvent]
    budget: AccountStatement | None

    @property
    def graph(self) -> Graph | None:
        """Its graph, where the project's are at hand."""
        catalog = front.desk().catalog
        return catalog.get(self.run.graph) if self.run.graph in catalog else None

    @property
    def calls(self) -> Mapping[str, Sequence[Effect]]:
        """The calls that each task has made."""
        return calls_of(self.steps, self.effects, self.decided)


def find(connection: Connection, run_id: RunId) -> Story:
    """Return a run of this tenant.

    Raises:
        UnknownRun: it has none with this id.
    """
    run = runs.get(connection, run_id)
    if run.tenant != front.tenant():
        msg = f"no run of tenant `{front.tenant()}` has the id `{run_id}`"
        raise UnknownRun(msg)
    return Story(
        run=run,
        gates=gates.of_run(connection, run_id),
        steps=steps.of_run(connection, run_id),
        effects=ledger.list_effects(connection, run_id=run_id, limit=EFFECT_ROWS)[::-1],
        decided=decisions.of_run(connection, run_id),
        events=audit.of_run(connection, run_id),
        budget=budgets.statement(connection, run_account(run_id)),
    )
