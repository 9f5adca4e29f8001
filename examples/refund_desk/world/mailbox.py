"""The customers' mail server: it takes any mail, keeps each as a file, and says which it has.

`GET /mails/{message-id}` is answered with 200 or 404.
"""

import asyncio
import email
import email.policy
import os
import tempfile
import threading
from collections import deque
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from aiosmtpd.smtp import SMTP, Envelope, Session

TAKEN = "250 Message accepted for delivery"


class MailFault(StrEnum):
    """How the mail server may die in the middle of a conversation."""

    LOSE = "lose"
    """Before it has taken the mail over."""
    DROP = "drop"
    """After it has, and before it has said so."""


class Mailbox:
    """An SMTP server and its log over HTTP, in threads of this process; a context manager."""

    def __init__(self, folder: Path, faults: deque[MailFault]) -> None:
        """Keep mails in `folder`, one `.eml` file each, twice when they come twice."""
        folder.mkdir(parents=True, exist_ok=True)
        self.host = "127.0.0.1"
        self.port = 0
        """Where it listens, once it is entered."""
        self._keeper = _Keeper(folder, faults)
        self._log = _Log(folder)
        serve = partial(self._log.serve_forever, poll_interval=0.02)
        self._log_thread = threading.Thread(target=serve, name="mail log")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox")

    @property
    def log_url(self) -> str:
        """Where it says which mails it took over."""
        return f"http://127.0.0.1:{self._log.server_port}"

    def __enter__(self) -> Self:
        serving = self._loop.create_server(
            lambda: SMTP(self._keeper, hostname="mailbox.example", loop=self._loop),
            self.host,
            port=0,
        )
        self._server = self._loop.run_until_complete(serving)
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        self._log_thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.shutdown()
        self._log_thread.join()
        self._log.server_close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.run_until_complete(_end_tasks())
        self._loop.close()


class _Keeper:
    """The hook that aiosmtpd calls with each mail."""

    def __init__(self, folder: Path, faults: deque[MailFault]) -> None:
        self._folder = folder
        self._faults = faults

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - the name and arguments that aiosmtpd calls
        """Take a mail over only when its file is safe on the disk."""
        fault = self._faults.popleft() if self._faults else None
        if fault is not MailFault.LOSE:
            await asyncio.to_thread(self._keep, envelope.original_content or b"")
        if fault is not None and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return TAKEN

    def _keep(self, content: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part = Path(file.name)
        part.rename(part.with_suffix(".eml"))


class _Log(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__(("127.0.0.1", 0), _Handler)

    def has(self, message_id: str) -> bool:
        """Tell whether a mail was taken over."""
        policy = email.policy.default
        mails = (file.read_bytes() for file in self._folder.glob("*.eml"))
        return any(
            email.message_from_bytes(mail, policy=policy)["Message-ID"] == message_id
            for mail in mails
        )


class _Handler(BaseHTTPRequestHandler):
    server: _Log  # pyright: ignore[reportIncompatibleVariableOverride] - it is always ours

    def do_GET(self) -> None:
        is_there = self.server.has(unquote(self.path.removeprefix("/mails/")))
        self.send_response(HTTPStatus.OK if is_there else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


async def _end_tasks() -> None:
    """Cut the conversations that still go on."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
