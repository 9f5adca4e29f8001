"""What a tool raises to say that nothing happened, and whether trying again can help.

Any other error leaves that open. For a tool of class `probe` or `unsafe` it puts the call in doubt.
"""

from penstock.contracts.errors import PenstockError


class ToolError(PenstockError):
    """The call failed, and nothing happened."""

    code = "tool_error"


class Retryable(ToolError):
    """Nothing happened; the same call may succeed later."""

    code = "tool_retryable"
    retryable = True

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s
        """How long the service asks to be left alone."""


class Permanent(ToolError):
    """Nothing happened, and the same call will fail again."""

    code = "tool_permanent"


class RefusedByService(ToolError):
    """Nothing happened: the service understood the call and will not do it."""

    code = "tool_refused_by_service"
