"""A client of Phoenix: it annotates spans and traces, and deletes traces."""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import httpx

from penstock.contracts.errors import PhoenixUnreachable
from penstock.contracts.ids import RunId
from penstock.contracts.run import Erased
from penstock.traces.ids import trace_hex
from penstock.traces.phoenix_links import PhoenixAnnotation

IDENTIFIER = "penstock"
"""Whose annotations they are: told again, one takes the place of the one before."""
LIMIT_S = 10.0
"""So long an answer may take."""

_NOT_NOW = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Answers that say nothing of what was asked: an operator mends them, or time does."""


class PhoenixClient:
    """Writes to a Phoenix and deletes from it, by its HTTP interface."""

    name = "traces"
    """What it is called where it is reported that a run was forgotten."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        """Speak to the one at `url`; `api_key` where it wants one."""
        self._url = url.rstrip("/") + "/"
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}

    async def annotate(self, note: PhoenixAnnotation) -> str | None:
        """Annotate a span or a trace; return why it was not taken, None if it was.

        One that Phoenix does not know yet is not taken: it would keep such a note for ten minutes,
        in memory, and then drop it.

        Raises:
            PhoenixUnreachable: nobody answers, or not now.
        """
        told: dict[str, Any] = {
            "name": note.name,
            "annotator_kind": note.by.value,
            "identifier": IDENTIFIER,
            # Beside a score, Phoenix would not show the label.
            "result": {"label": note.label, "explanation": note.explanation},
            "metadata": dict(note.metadata),
        }
        async with self._talking() as http:
            client = (await _client_module()).AsyncClient(http_client=http)
            try:
                if note.span_id is None:
                    told["trace_id"] = trace_hex(note.run_id)
                    await client.traces.log_trace_annotations(trace_annotations=[told], sync=True)
                else:
                    told["span_id"] = note.span_id
                    await client.spans.log_span_annotations(span_annotations=[told], sync=True)
            except httpx.HTTPStatusError as error:
                return self._why(error.response)
        return None

    async def version(self) -> str:
        """Return which version it is.

        Raises:
            PhoenixUnreachable: nobody answers, or not as Phoenix does.
        """
        async with self._talking() as http:
            response = await http.get("arize_phoenix_version")
        if not response.is_success:
            raise self._unreachable(f"it answered with status {response.status_code}")
        return response.text.strip()

    async def forget(self, run_id: RunId) -> Erased:
        """Delete the trace of a run, with what was told of it; where there is none, do nothing.

        Raises:
            PhoenixUnreachable: nobody answers, or it refuses.
        """
        async with self._talking() as http:
            response = await http.delete(f"v1/traces/{trace_hex(run_id)}")
        if response.status_code == HTTPStatus.NOT_FOUND:
            return Erased(store=self.name, count=0)
        if not response.is_success:
            raise self._unreachable(self._why(response))
        return Erased(store=self.name, count=1)

    @asynccontextmanager
    async def _talking(self) -> AsyncGenerator[httpx.AsyncClient]:
        try:
            async with httpx.AsyncClient(
                base_url=self._url, headers=self._headers, timeout=LIMIT_S
            ) as http:
                yield http
        except httpx.TransportError as error:
            raise self._unreachable(type(error).__name__) from error

    def _why(self, response: httpx.Response) -> str:
        """Say why something was not taken."""
        status = response.status_code
        if response.is_server_error or status in _NOT_NOW:
            raise self._unreachable(f"it answered with status {status}")
        if status == HTTPStatus.NOT_FOUND:
            return "it is not there"
        return f"it answered with status {status}"

    def _unreachable(self, why: str) -> PhoenixUnreachable:
        return PhoenixUnreachable(
            f"Phoenix at `{self._url}` cannot be asked: {why}. Is it up, and does"
            " PENSTOCK_PHOENIX_API_KEY fit?"
        )


async def _client_module() -> Any:
    # It takes half a second to import, which would stop all runs of a worker for so long.
    return await asyncio.to_thread(importlib.import_module, "phoenix.client")
