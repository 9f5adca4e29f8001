"""What a trace shows of what runs read and write."""

from enum import StrEnum


class TraceContent(StrEnum):
    """How much of texts and arguments leaves the process in a graph's traces."""

    FULL = "full"
    """All of it. For development, and where the traces are as well kept as the store."""
    REDACTED = "redacted"
    """All but secrets, personal data, and what tool contracts mark as sensitive."""
    DIGESTS = "digests"
    """None of it: in its place stands a digest, the same where the text is the same."""
