"""Servers on the loopback that stand for people's channels: good, bad and silent ones."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Webhook:
    """Takes what is posted to it, and answers as it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.is_silent = False
        self.entered = asyncio.Event()
        """Something was posted."""
        self.left = asyncio.Event()
        """Whoever was kept waiting has hung up."""
        self.port = 0

    @property
    def url(self) -> str:
        """As Apprise spells it."""
        return f"json://127.0.0.1:{self.port}/hook"

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator["Webhook"]:
        """Be there."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
            self.got.append(json.loads(await reader.readexactly(length)))
            self.entered.set()
            if self.is_silent:
                await reader.read()
                self.left.set()
                return
            answer = (
                f"HTTP/1.1 {self.status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            writer.write(answer.encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


class Mailbox:
    """A mail server that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.to: list[Sequence[str]] = []
        self.port = 0

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator["Mailbox"]:
        """Be there."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(self, hostname="localhost", loop=loop), "127.0.0.1", 0
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802  (the name and arguments that aiosmtpd calls)
        """Keep a mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        self.got.append(message_from_bytes(content, EmailMessage, policy=policy.default))
        self.to.append(list(envelope.rcpt_tos))
        return "250 OK"
