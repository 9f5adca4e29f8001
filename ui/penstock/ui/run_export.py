"""All that is known of a run as one document, to send with a report of a fault.

What was erased is not in it, and what the contracts of the graph's tools mark as sensitive is
hidden, wherever it stands. So it is made with the run's graph alone.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic_core import to_jsonable_python
from sqlalchemy import Connection

from penstock.checkpoints import audit, budgets, decisions, gates, ledger, states, steps
from penstock.contracts.budget import run_account
from penstock.contracts.checkpoint import CheckpointInfo
from penstock.contracts.errors import PenstockError
from penstock.contracts.redaction import Masking
from penstock.contracts.run import Run
from penstock.graphs import Graph
from penstock.ui.cli import budgeting, rendering
from penstock.ui.cli.output import dump

FORMAT = "penstock.run/1"

ROWS = 1_000
"""So many rows of each kind are in it, the newest."""

STATES_BYTES = 8_000_000
"""States are in it up to so much JSON, the newest first."""

T = TypeVar("T")


def run_document(connection: Connection, run: Run, graph: Graph) -> dict[str, Any]:
    """Return the document, which says itself where it was cut."""
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
    told: dict[str, Any] = {
        "format": FORMAT,
        "run": rendering.of_run(run),
        "steps": [
            rendering.of_step(each) for each in newest("steps", steps.of_run(connection, run.id))
        ],
        "effects": [
            {
                **rendering.of_effect(ledger.get(connection, each.key)),
                "story": [
                    rendering.of_report(line) for line in ledger.reports(connection, each.key)
                ],
            }
            for each in newest("effects", effects)
        ],
        "gates": [
            {
                **rendering.of_gate(each),
                "votes": [rendering.of_vote(vote) for vote in gates.votes_of(connection, each.id)],
            }
            for each in newest("gates", gates.of_run(connection, run.id))
        ],
        "decisions": [
            to_jsonable_python(each, fallback=repr)
            for each in newest("decisions", decisions.of_run(connection, run.id))
        ],
        "budget": None if account is None else budgeting.of_account(account),
        "holds": [
            to_jsonable_python(each, fallback=repr)
            for each in newest("holds", budgets.holds(connection, run.id))
        ],
        "history": [
            rendering.of_event(each) for each in newest("history", audit.of_run(connection, run.id))
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
    (masked,) = masking.mask(to_jsonable_python(told, fallback=repr))
    return {**masked, "cut": cut}


def document_text(told: dict[str, Any]) -> str:
    """Return the document as text."""
    return dump(told)


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
        left -= len(dump(state))
        if left < 0:
            break
        found[point.namespace, point.id] = state
    return found, Masking(graph.sensitive, *found.values())
