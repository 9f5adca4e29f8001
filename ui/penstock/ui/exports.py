"""What is written out of the store: a run as one document, and audit events as lines of JSON.

A run's document is all that is known of it, to send with a report of a fault. What was erased is
not in it, and what the contracts of the graph's tools mark as sensitive is hidden, wherever it
stands. So it is made with the run's graph alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from penstock.checkpoints import (
    Store,
    audit,
    budgets,
    decisions,
    gates,
    ledger,
    states,
    steps,
)
from penstock.checkpoints.audit import queries
from penstock.contracts.audit import EventFilter
from penstock.contracts.budget import run_account
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.errors import PenstockError
from penstock.contracts.redaction import Masking
from penstock.contracts.run import Run
from penstock.graphs import Graph
from penstock.ui.views.audit import event_line
from penstock.ui.views.budgets import account_view
from penstock.ui.views.documents import document_data, json_data, json_text
from penstock.ui.views.effects import effect_report_view, effect_view
from penstock.ui.views.gates import gate_view, vote_view
from penstock.ui.views.runs import event_view, run_view, step_view

FORMAT = "penstock.run/1"

ROWS = 1_000
"""So many rows of each kind are in it, the newest."""

STATES_BYTES = 8_000_000
"""States are in it up to so much JSON, the newest first."""

EVENT_ROWS = 1000
"""So many audit events are read at once."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExport:
    """A file that the document of a run was written to."""

    run: str
    file: str
    bytes: int
    cut: Sequence[str]
    """What is not in it, because there is too much."""


def run_document(connection: Connection, run: Run, graph: Graph) -> dict[str, Any]:
    """Return all that is known of a run; the document says itself where it was cut."""
    cut: list[str] = []

    def newest(what: str, rows: Sequence[T]) -> Sequence[T]:
        if len(rows) > ROWS:
            cut.append(f"{what}: the newest {ROWS:,} of {len(rows):,}")
        return rows[-ROWS:]

    points = states.points(connection, run.id, limit=ROWS + 1)
    effects = ledger.list_effects(connection, run_id=run.id, limit=ROWS + 1)[::-1]
    account = budgets.statement(connection, run_account(run.id))
    known, masking = _states(connection, points[-ROWS:], graph)
    if len(known) < len(points):
        cut.append(f"states: of the newest {len(known):,} of {len(points):,} or more checkpoints")
    document: dict[str, Any] = {
        "format": FORMAT,
        "run": document_data(run_view(run)),
        "steps": [
            document_data(step_view(each))
            for each in newest("steps", steps.of_run(connection, run.id))
        ],
        "effects": [
            {
                **document_data(effect_view(ledger.get(connection, each.key))),
                "story": [
                    document_data(effect_report_view(line))
                    for line in ledger.reports(connection, each.key)
                ],
            }
            for each in newest("effects", effects)
        ],
        "gates": [
            {
                **document_data(gate_view(each)),
                "votes": [
                    document_data(vote_view(vote)) for vote in gates.votes_of(connection, each.id)
                ],
            }
            for each in newest("gates", gates.of_run(connection, run.id))
        ],
        "decisions": newest("decisions", decisions.of_run(connection, run.id)),
        "budget": None if account is None else document_data(account_view(account)),
        "holds": newest("holds", budgets.holds(connection, run.id)),
        "history": [
            document_data(event_view(each))
            for each in newest("history", audit.of_run(connection, run.id))
        ],
        "checkpoints": [
            {
                "id": each.id,
                "parent_id": each.parent_id,
                "namespace": each.namespace,
                "number": each.number,
                "source": each.source,
                "at": each.at,
                "tasks": list(each.tasks),
                "state": known.get((each.namespace, each.id)),
            }
            for each in newest("checkpoints", points)
        ],
    }
    (masked,) = masking.mask(json_data(document))
    return {**masked, "cut": cut}


def document_text(document: dict[str, Any]) -> str:
    """Return the document of a run as text."""
    return json_text(json_data(document))


def event_lines(store: Store, wanted: EventFilter, *, limit: int) -> str:
    """Return the last events that fit, so many at most, as `penstock audit export` writes them."""
    found: list[str] = []
    before: int | None = None
    while len(found) < limit:
        rows = min(EVENT_ROWS, limit - len(found))
        page = store.read_blocking(
            lambda connection, before=before, rows=rows: queries.page(
                connection, wanted, before=before, limit=rows
            )
        )
        found += [event_line(event) for event in page.events]
        before = page.looked_to
        if page.is_end:
            break
    return "".join(f"{line}\n" for line in reversed(found))


def _states(
    connection: Connection, points: Sequence[CheckpointInfo], graph: Graph
) -> tuple[dict[tuple[str, str], Any], Masking]:
    """Return the newest states, as many as there is room for, and what hides what is in them."""
    found: dict[tuple[str, str], Any] = {}
    left = STATES_BYTES
    for point in reversed(points):
        try:
            held = states.state(connection, point)
        except PenstockError as error:
            found[point.namespace, point.id] = {"missing": str(error)}
            continue
        state = {"values": dict(held.values), "kept_as_changes": list(held.elsewhere)}
        left -= len(json_text(json_data(state)))
        if left < 0:
            break
        found[point.namespace, point.id] = state
    return found, Masking(graph.sensitive, *found.values())
