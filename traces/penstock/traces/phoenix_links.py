"""Links into the pages of Phoenix, and the annotations that are written to it.

It imports nothing of the client, so that settings and pages can use it at no cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from penstock.contracts.ids import RunId, ThreadId
from penstock.traces.ids import trace_hex


class Annotator(StrEnum):
    """Who says it, as Phoenix distinguishes them."""

    HUMAN = "HUMAN"
    CODE = "CODE"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoenixAnnotation:
    """What is told of a span, or of a whole trace where no span is named."""

    run_id: RunId
    span_id: str | None
    """In hex."""
    name: str
    by: Annotator
    label: str
    explanation: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoenixLinks:
    """Links into the pages of a Phoenix."""

    url: str

    def trace(self, run_id: RunId) -> str:
        """Return the link to all that is seen of a run."""
        return self._to("traces", trace_hex(run_id))

    def span(self, span_id: str) -> str:
        """Return the link to one span, whose id is given in hex."""
        return self._to("spans", span_id)

    def session(self, thread_id: ThreadId) -> str:
        """Return the link to all runs of a thread."""
        return self._to("sessions", thread_id)

    def project(self, graph: str) -> str:
        """Return the link to all runs of a graph."""
        return self._to("projects", graph)

    def _to(self, kind: str, name: str) -> str:
        return f"{self.url.rstrip('/')}/redirects/{kind}/{quote(name, safe='')}"
