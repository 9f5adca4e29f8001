"""What traces show, how they are sent, and which annotations are written back to them."""

from dataclasses import dataclass
from enum import StrEnum

from penstock.contracts.ids import GateId, RunId


class TraceContent(StrEnum):
    """How much of texts and arguments leaves the process in a graph's traces."""

    FULL = "full"
    """All of it. For development, and where the traces are as well kept as the store."""
    REDACTED = "redacted"
    """All but secrets, personal data, and what tool contracts mark as sensitive."""
    DIGESTS = "digests"
    """None of it: in its place stands a digest, the same where the text is the same."""


class AnnotationKind(StrEnum):
    """What is told."""

    DECISION = "decision"
    """How a gate was closed, on the span of the waiting."""
    OUTCOME = "outcome"
    """How a run ended, on its trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Something that is to be told of a gate or a run."""

    subject: str
    """Names it among all: `gate:<id>` or `run:<id>:<epoch>`."""
    kind: AnnotationKind
    run_id: RunId
    gate_id: GateId | None
    """Only of a decision."""
    attempt_count: int
    """How often it was taken, this time included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationCounts:
    """How the telling goes."""

    waiting: int
    """Taken and not told yet."""
    given_up: int
    """Tried as often as it is tried, without success."""


class Protocol(StrEnum):
    """What is sent is written like this, as `OTEL_EXPORTER_OTLP_PROTOCOL` says it."""

    HTTP = "http/protobuf"
    GRPC = "grpc"
