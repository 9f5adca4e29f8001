"""Writing signed heads out: to a file, or to a URL, apart from whatever a run does.

Every worker that has the key does it. Two that write the same head do no harm.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from penstock.checkpoints import Store
from penstock.checkpoints.audit import shipping
from penstock.contracts.audit import Head
from penstock.contracts.clock import Clock
from penstock.runs.heads import Signer

log = logging.getLogger(__name__)

TROUBLE_S = 10.0
"""After a round that did not work, the next one waits for so long."""
POST_LIMIT_S = 3.0
"""A POST that takes longer has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """With what heads are signed, where they go, and how often."""

    signer: Signer
    target: str
    """A file that lines are added to, or a URL that they are POSTed to."""
    every_s: float
    """A chain that moved is written out after so long at the latest."""
    every_count: int
    """And after so many events."""


class Shipper:
    """Writes the heads of one store out, as one worker of perhaps many."""

    def __init__(self, store: Store, shipment: Shipment, clock: Clock) -> None:
        """Write out what `shipment` says."""
        self._store = store
        self._shipment = shipment
        self._clock = clock
        self._stopping = asyncio.Event()
        self._is_troubled = False

    async def work(self, *, every_s: float) -> None:
        """Write out what is due, again and again, until `stop`, and once more then."""
        is_last = False
        while not is_last:
            is_last = self._stopping.is_set()
            wait_s = every_s
            try:
                await self.ship_due(is_last=is_last)
                self._is_troubled = False
            except Exception as error:
                # The top of a task of a worker: runs go on, whatever is wrong here.
                if not self._is_troubled:
                    log.warning("signed heads could not be written out, and will be: %s", error)
                self._is_troubled, wait_s = True, max(every_s, TROUBLE_S)
            if not is_last:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._stopping.wait()

    def stop(self) -> None:
        """Write out what there is, and then nothing more."""
        self._stopping.set()

    async def ship_due(self, *, is_last: bool = False) -> int:
        """Write out the heads that are due, or all that moved; return how many."""
        at, shipment = self._clock.now(), self._shipment
        before = at if is_last else at - timedelta(seconds=shipment.every_s)
        heads = await self._store.read(
            lambda connection: shipping.due(
                connection, every_count=shipment.every_count, before=before
            )
        )
        if heads:
            lines = [shipment.signer.sign(head, at) for head in heads]
            await self._put(heads, lines, at)
        return len(heads)

    async def _put(self, heads: Sequence[Head], lines: Sequence[str], at: datetime) -> None:
        """Write lines out, and note that they were, or why they were not."""
        shipment, to = self._shipment, place_of(self._shipment.target)
        try:
            await asyncio.to_thread(put, shipment.target, lines)
        except OSError as error:
            why = str(error)
            await self._store.write(
                lambda connection: shipping.failed(connection, heads, at=at, to=to, why=why)
            )
            raise
        await self._store.write(
            lambda connection: shipping.shipped(connection, heads, at=at, to=to)
        )


def place_of(target: str) -> str:
    """Return where heads go, as it may be shown: of a URL, which may hold a secret, the host."""
    parts = urlsplit(target)
    if parts.scheme not in {"http", "https"}:
        return target
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


def put(target: str, lines: Sequence[str]) -> None:
    """Write lines out to a file or a URL, whole and durable, or raise an `OSError`."""
    content = "".join(f"{line}\n" for line in lines).encode()
    if target.startswith(("http://", "https://")):
        headers = {"Content-Type": "application/x-ndjson"}
        request = Request(target, content, headers, method="POST")  # noqa: S310  (http, as it says)
        try:
            with build_opener(_NoRedirect).open(request, timeout=POST_LIMIT_S):
                return
        except HTTPError as error:
            # What a URL holds may be a secret, and what a server answers may be anything.
            error.close()
            raise ConnectionError(f"the URL answered {error.code}") from None
        except URLError:
            raise ConnectionError("the URL did not answer") from None
    opened = os.open(Path(target), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.write(opened, content) != len(content):
            raise OSError(f"`{target}` took only a part of it; make room on its disk")
        os.fsync(opened)
    finally:
        os.close(opened)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nobody: a POST that is redirected would arrive as a GET."""
