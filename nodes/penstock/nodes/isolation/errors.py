"""Errors of a job that has no result, beside the typed errors that its tool raises.

No text of these errors contains a secret of the job.
"""

from penstock.contracts.errors import PenstockError


class IsolationError(PenstockError):
    """A job has no result."""

    code = "isolation"


class NotStarted(IsolationError):
    """The tool's function was not called, and never will be: nothing happened."""

    code = "isolation_not_started"
    retryable = True


class Unfit(NotStarted):
    """The tool cannot be imported, or the job does not fit it; nothing happened."""

    code = "isolation_unfit"
    retryable = False


class PoolClosed(NotStarted):
    """A job was given to a pool that is closed; nothing happened."""

    code = "isolation_pool_closed"
    retryable = False


class Interrupted(IsolationError):
    """The function was called and interrupted: nobody knows how far it came."""

    def __init__(self, message: str, *, output: str = "") -> None:
        super().__init__(message)
        self.output = output
        """The end of what its process wrote to standard output and standard error."""


class TimedOut(Interrupted):
    """The function had not returned at the deadline; its processes were killed."""

    code = "isolation_timed_out"


class Died(Interrupted):
    """Its process ended by itself, was killed from outside, or sent an invalid message."""

    code = "isolation_died"

    def __init__(
        self,
        message: str,
        *,
        exit_code: int | None = None,
        signal: int | None = None,
        output: str = "",
    ) -> None:
        super().__init__(message, output=output)
        self.exit_code = exit_code
        """Its exit code; None where it did not exit or nobody saw it."""
        self.signal = signal
        """The number of the signal that killed it, if one did."""


class Raised(IsolationError):
    """The function raised an error that does not tell whether anything happened."""

    code = "isolation_raised"

    def __init__(self, type_name: str, message: str, *, traceback: str, output: str = "") -> None:
        super().__init__(f"`{type_name}`: {message}" if message else f"`{type_name}`")
        self.type_name = type_name
        self.message = message
        self.traceback = traceback
        """The text of the traceback in the tool's process, shortened."""
        self.output = output
        """The end of what its process wrote to standard output and standard error."""
