"""Collectors that take traces and metrics by OTLP, or do not."""

import socket
import threading
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,  # pyright: ignore[reportUnknownVariableType]  (generated)
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,  # pyright: ignore[reportUnknownVariableType]  (generated)
)


class Collected:
    """What a collector was sent."""

    def __init__(self) -> None:
        self.url = ""
        self._spans: list[tuple[str, Any]] = []
        self._numbers: dict[tuple[str, str], float] = {}
        self._adding = threading.Lock()

    def add(self, request: ExportTraceServiceRequest) -> None:
        """Take in a request."""
        with self._adding:
            for resource in request.resource_spans:
                told = {each.key: each.value.string_value for each in resource.resource.attributes}
                project = told["openinference.project.name"]
                for scope in resource.scope_spans:
                    self._spans += [(project, span) for span in scope.spans]

    def add_metrics(self, request: ExportMetricsServiceRequest) -> None:
        """Take in a request."""
        with self._adding:
            for resource in request.resource_metrics:
                for metric in (each for scope in resource.scope_metrics for each in scope.metrics):
                    for point in metric.gauge.data_points:
                        of = "".join(each.value.string_value for each in point.attributes)
                        # Whole numbers and others are different fields.
                        number: float = getattr(point, point.WhichOneof("value") or "")
                        self._numbers[metric.name, of] = number

    @property
    def numbers(self) -> Mapping[tuple[str, str], float]:
        """The newest numbers, by metric and by what they are of."""
        return dict(self._numbers)

    @property
    def names(self) -> list[str]:
        """The names of all spans, sorted."""
        return sorted(span.name for _, span in self._spans)

    @property
    def projects(self) -> set[str]:
        """The projects that spans were of."""
        return {project for project, _ in self._spans}

    @property
    def traces(self) -> set[str]:
        """The ids of the traces."""
        return {span.trace_id.hex() for _, span in self._spans}


@contextmanager
def http_collector() -> Generator[Collected]:
    """Take traces and metrics by HTTP."""
    collected = Collected()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                collected.add(ExportTraceServiceRequest.FromString(body))
            elif self.path == "/v1/metrics":
                collected.add_metrics(ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collected.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield collected
    server.shutdown()
    server.server_close()


@contextmanager
def grpc_collector() -> Generator[Collected]:
    """Take traces and metrics by gRPC."""
    collected = Collected()

    class Servicer(TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  (the library's name)
            del context
            collected.add(request)
            return ExportTraceServiceResponse()

    class Counting(MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  (the library's name)
            del context
            collected.add_metrics(request)
            return ExportMetricsServiceResponse()

    server: Any = grpc.server(ThreadPoolExecutor(1))
    add_MetricsServiceServicer_to_server(Counting(), server)
    add_TraceServiceServicer_to_server(Servicer(), server)
    collected.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield collected
    server.stop(None).wait()


@contextmanager
def deaf_collector() -> Generator[str]:
    """Let everybody connect, and answer nobody; its URL is given."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
