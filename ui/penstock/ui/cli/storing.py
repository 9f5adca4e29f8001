"""`penstock migrate`: bring the store's tables up to date."""

from sqlalchemy import make_url

from penstock.checkpoints import migrate as bring_up_to_date
from penstock.checkpoints.migration import HEAD
from penstock.runs.settings import Settings
from penstock.ui.cli.output import Output
from penstock.ui.project import store_url_errors


def migrate(settings: Settings, output: Output) -> None:
    """Bring the store to the form that this version works with, making it if there is none."""
    before = make_store(settings)
    output.answer(
        {"store": shown_url(settings), "before": before, "after": HEAD},
        f"the store {shown_url(settings)} {told(before)}",
    )


def make_store(settings: Settings) -> str | None:
    """Migrate the store and return at which migration it was.

    Raises:
        MigrationNeeded: a newer version has migrated it.
        StoreError: it cannot be opened or written.
        InvalidSettings: the URL is not one of a store.
    """
    with store_url_errors():
        return bring_up_to_date(settings.store_url)


def told(before: str | None) -> str:
    """Say what a migration did."""
    if before is None:
        return f"was made, at migration {HEAD}"
    if before == HEAD:
        return f"is up to date, at migration {HEAD}"
    return f"was migrated from {before} to {HEAD}"


def shown_url(settings: Settings) -> str:
    """Return the store's URL without its password."""
    return make_url(settings.store_url).render_as_string(hide_password=True)
