"""The customers' mail server: it takes any mail and keeps each as a file."""

import asyncio
import os
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

TAKEN = "250 Message accepted for delivery"


class Mailbox:
    """An SMTP server in a thread of this process; a context manager."""

    def __init__(self, folder: Path) -> None:
        """Keep mails in `folder`, one `.eml` file each, twice when they come twice."""
        folder.mkdir(parents=True, exist_ok=True)
        self.host = "127.0.0.1"
        self.port = 0
        """Where it listens, once it is entered."""
        self._keeper = _Keeper(folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox")

    def __enter__(self) -> Self:
        serving = self._loop.create_server(
            lambda: SMTP(self._keeper, hostname="mailbox.example", loop=self._loop),
            self.host,
            port=0,
        )
        self._server = self._loop.run_until_complete(serving)
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.run_until_complete(_end_tasks())
        self._loop.close()


class _Keeper:
    """The hook that aiosmtpd calls with each mail."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - the name and arguments that aiosmtpd calls
        """Take a mail over only when its file is safe on the disk."""
        await asyncio.to_thread(self._keep, envelope.original_content or b"")
        return TAKEN

    def _keep(self, content: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part = Path(file.name)
        part.rename(part.with_suffix(".eml"))


async def _end_tasks() -> None:
    """Cut the conversations that still go on."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
