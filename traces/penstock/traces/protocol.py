"""How spans and metrics are sent."""

from enum import StrEnum


class Protocol(StrEnum):
    """What is sent is written like this, as `OTEL_EXPORTER_OTLP_PROTOCOL` says it."""

    HTTP = "http/protobuf"
    GRPC = "grpc"
