"""What the command line's exit codes mean; `docs/cli.md` lists them."""

from enum import IntEnum

from penstock.contracts.errors import MigrationNeeded, PenstockError, StoreError


class Exit(IntEnum):
    """How a command ended. A signal that ended it adds 128 to its number."""

    OK = 0
    """It did what was asked."""
    NOT_SUCCEEDED = 1
    """The run that was waited for failed or was cancelled."""
    USAGE = 2
    """The command line itself could not be understood."""
    REFUSED = 3
    """What was asked for is not there, does not fit or is not allowed; nothing was changed."""
    STORE = 4
    """The store cannot be used: busy, full, broken or not migrated."""
    NOT_OVER = 75
    """The run that was waited for is not over: it waits at a gate, or the time was up."""


def of_error(error: PenstockError) -> Exit:
    """Return the exit code of a command that ended with `error`."""
    return Exit.STORE if isinstance(error, StoreError | MigrationNeeded) else Exit.REFUSED
