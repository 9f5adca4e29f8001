"""`penstock retention`: what is older than it is to be kept, which workers take away."""

from typing import Any

from penstock.contracts.clock import SystemClock
from penstock.runs.retention import find_expired
from penstock.runs.settings import Settings
from penstock.ui.cli.output import Output
from penstock.ui.project import open_project


def show(settings: Settings, output: Output) -> None:
    """Show how long what is kept, and how much is older now; nothing is taken away."""
    retention, at = settings.retention(), SystemClock().now()
    with open_project(settings) as desk:
        old = desk.store.read_blocking(
            lambda connection: find_expired(connection, retention, at=at)
        )
    data: dict[str, Any] = {
        "runs_days": settings.retention_runs_days,
        "audit_days": settings.retention_audit_days,
        "old_runs": old.run_count,
        "old_events": dict(old.events),
    }
    kept = (
        "runs are kept until they are forgotten by hand: PENSTOCK_RETENTION_RUNS_DAYS is not set"
        if settings.retention_runs_days is None
        else f"runs are forgotten {settings.retention_runs_days} days after their end:"
        f" {old.run_count} are older now"
    )
    told = ", ".join(f"{count} of tenant `{tenant}`" for tenant, count in old.events.items())
    output.answer(
        data,
        kept,
        f"audit events are kept for {settings.retention_audit_days} days: {told or 'none'} older"
        " now",
        "workers take away what is older; this has changed nothing",
    )
