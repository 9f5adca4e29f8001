"""`penstock migrate` and `retention`: the store's tables, and what is too old to be kept."""

from typing import TYPE_CHECKING

from penstock.contracts.clock import SystemClock
from penstock.ui.cli.options import AsJson
from penstock.ui.cli.output import Output
from penstock.ui.project import open_project, read_settings, store_url_errors
from penstock.ui.views import store as views

if TYPE_CHECKING:
    from penstock.runs.settings import Settings


def migrate(*, as_json: AsJson = False) -> None:
    """Bring the store's tables up to date, making it if there is none."""
    from penstock.checkpoints.migration import HEAD

    settings = read_settings()
    before = make_store(settings)
    url = shown_url(settings)
    Output(as_json=as_json).answer(
        views.Migration(store=url, before=before, after=HEAD),
        f"the store {url} {migration_outcome(before)}",
    )


def retention(*, as_json: AsJson = False) -> None:
    """Show how long what is kept, and how much is older now; nothing is taken away."""
    from penstock.runs.retention import find_expired

    settings, at = read_settings(), SystemClock().now()
    periods = settings.retention()
    with open_project(settings) as project:
        old = project.store.read_blocking(
            lambda connection: find_expired(connection, periods, at=at)
        )
    runs_kept = (
        "runs are kept until they are forgotten by hand: PENSTOCK_RETENTION_RUNS_DAYS is not set"
        if settings.retention_runs_days is None
        else f"runs are forgotten {settings.retention_runs_days} days after their end:"
        f" {old.run_count} are older now"
    )
    events = ", ".join(f"{count} of tenant `{tenant}`" for tenant, count in old.events.items())
    Output(as_json=as_json).answer(
        views.RetentionReport(
            runs_days=settings.retention_runs_days,
            audit_days=settings.retention_audit_days,
            old_runs=old.run_count,
            old_events=old.events,
        ),
        runs_kept,
        f"audit events are kept for {settings.retention_audit_days} days: {events or 'none'} older"
        " now",
        "workers take away what is older; this has changed nothing",
    )


def make_store(settings: "Settings") -> str | None:
    """Migrate the store and return at which migration it was.

    Raises:
        MigrationNeeded: a newer version has migrated it.
        StoreError: it cannot be opened or written.
        InvalidSettings: the URL is not one of a store.
    """
    from penstock.checkpoints.migration import migrate

    with store_url_errors():
        return migrate(settings.store_url)


def migration_outcome(before: str | None) -> str:
    """Say what a migration did."""
    from penstock.checkpoints.migration import HEAD

    if before is None:
        return f"was made, at migration {HEAD}"
    if before == HEAD:
        return f"is up to date, at migration {HEAD}"
    return f"was migrated from {before} to {HEAD}"


def shown_url(settings: "Settings") -> str:
    """Return the store's URL without its password."""
    from sqlalchemy import make_url

    return make_url(settings.store_url).render_as_string(hide_password=True)
