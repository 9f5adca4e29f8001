"""Notifications: people are told about gates, through the channels of their groups.

Sending never delays a run. What is to be sent is in the store, a process beside the worker sends
it and can be killed, and what fails is tried again.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import re
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter
from sqlalchemy import Connection
from typing_extensions import override

from penstock.checkpoints import Store, gates
from penstock.checkpoints.gates import notices
from penstock.contracts.clock import Clock
from penstock.contracts.gate import Gate, Notice
from penstock.contracts.ids import WorkerId
from penstock.nodes.secrets import Source, environment
from penstock.runs.links import GateLinks
from penstock.runs.messages import compose
from penstock.runs.services import Service

log = logging.getLogger(__name__)

TAKE_LIMIT = 10
"""Notices that are sent at once."""

SEND_LIMIT_S = 15.0
"""A channel that has not taken a message by then is taken to have failed."""

START_LIMIT_S = 15.0
"""So long the process may take to start, and to end after its time; a busy machine is slow."""

LINK_LIFE = timedelta(days=7)
"""So long a link is valid where its gate does not expire."""

_PROGRAM = Path(__file__).with_name("delivery.py")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SCHEMA = re.compile(r"([A-Za-z][A-Za-z0-9]{0,15})://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message to one channel."""

    url: str
    """In the form of Apprise. It holds secrets and is never shown."""
    title: str
    body: str

    def __repr__(self) -> str:
        return f"Letter(title={self.title!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The outcome of one letter."""

    number: int
    """The place of the letter among those that were sent together, from 0."""
    error: str | None
    """Why it was not delivered; None if it was."""


_DELIVERY = TypeAdapter(Delivery)


class Channels(Protocol):
    """Knows the channels of groups."""

    def channels(self, group: str) -> tuple[str, ...]:
        """Return the URLs of a group's channels in the form of Apprise; empty if it has none.

        `${NAME}` in a URL stands for a variable of the worker's environment, so that no secret
        has to be written down.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """One channel of a group, named without its URL, which holds secrets."""

    group: str
    number: int
    schema: str
    mark: str
    """A digest of the URL, which identifies the channel in the store."""

    def __str__(self) -> str:
        return f"channel {self.number} of group `{self.group}` ({self.schema})"


@dataclass(slots=True, kw_only=True)
class _Pending:
    """A notice that is being sent."""

    notice: Notice
    waiting: set[_Address] = field(default_factory=set[_Address])
    """The channels whose outcome is not known yet."""
    delivered: set[str] = field(default_factory=set[str])
    """The marks of the channels that have the message, also from earlier attempts."""
    errors: list[str] = field(default_factory=list[str])


class NotificationService(Service):
    """Sends the notices of a store that are due, a few at a time.

    Several workers may do so: each takes notices of its own.
    """

    name = "notifications"

    def __init__(
        self,
        store: Store,
        channels: Channels,
        clock: Clock,
        *,
        links: GateLinks | None = None,
        source: Source = environment,
        limit_s: float = SEND_LIMIT_S,
    ) -> None:
        """Send to `channels`, with `links` if there are any; secrets come from `source`."""
        self._store = store
        self._channels = channels
        self._clock = clock
        self._links = links
        self._source = source
        self._limit_s = limit_s
        self._logged: set[tuple[_Address, str]] = set()
        """The errors of channels that were logged, and that are not over."""

    @override
    async def run_once(self, worker: WorkerId) -> bool:
        """Send notices that are due; return whether there were any."""
        return await self.send_due() > 0

    async def send_due(self) -> int:
        """Send notices that are due, at most `TAKE_LIMIT`; return how many were taken.

        Only open gates are announced. A gate that is decided after its notice was taken may still
        be announced: its page then says how it was decided.
        """
        if not await self._store.read(notices.any_due):
            return 0
        taken = await self._store.write(_take)
        letters: list[Letter] = []
        sent_to: list[tuple[_Pending, _Address]] = []
        for notice, gate in taken:
            pending = _Pending(notice=notice, delivered=set(notice.delivered))
            for address, url in self._addresses(pending):
                letters.append(self._letter(gate, notice, url))
                sent_to.append((pending, address))
                pending.waiting.add(address)
            if not pending.waiting:
                await self._record(pending)
        if letters:
            await self._send(letters, sent_to)
        return len(taken)

    async def _send(
        self, letters: Sequence[Letter], sent_to: Sequence[tuple[_Pending, _Address]]
    ) -> None:
        try:
            async with aclosing(send(letters, limit_s=self._limit_s)) as deliveries:
                async for delivery in deliveries:
                    pending, address = sent_to[delivery.number]
                    self._record_outcome(pending, address, delivery.error)
                    if not pending.waiting:
                        # At once: what is recorded is not sent again if this worker dies.
                        await self._record(pending)
        except OSError as error:
            log.warning("the process that sends notices cannot be started: %s", error)
        late = {id(pending): pending for pending, _ in sent_to if pending.waiting}
        for pending in late.values():
            for address in sorted(pending.waiting, key=str):
                error = f"nothing came of it within {self._limit_s:g} s"
                self._record_outcome(pending, address, error)
            await self._record(pending)

    def _addresses(self, pending: _Pending) -> Sequence[tuple[_Address, str]]:
        """Return the channels that are still to be sent to, with URLs; record the invalid ones."""
        found: list[tuple[_Address, str]] = []
        group = pending.notice.group
        for number, written in enumerate(self._channels.channels(group), start=1):
            schema = _SCHEMA.match(written)
            address = _Address(
                group=group,
                number=number,
                schema=schema[1] if schema else "?",
                mark=hashlib.sha256(written.encode()).hexdigest()[:8],
            )
            if address.mark in pending.delivered:
                continue
            url = self._url(written)
            if url is None:
                self._record_outcome(pending, address, self._missing(written))
            else:
                found.append((address, url))
        return found

    def _url(self, written: str) -> str | None:
        """Return a channel's URL with its secrets; None if one is missing."""
        if "${" in _VARIABLE.sub("", written):
            return None
        values = {name: self._source(name) for name in _VARIABLE.findall(written)}
        if any(value is None for value in values.values()):
            return None
        return _VARIABLE.sub(lambda found: values[found[1]] or "", written)

    def _missing(self, written: str) -> str:
        names = [name for name in _VARIABLE.findall(written) if self._source(name) is None]
        if not names:
            return "a `${` in it names no variable; write `${NAME}`"
        listed = ", ".join(f"`{name}`" for name in names)
        return f"the worker has no {listed} in its environment; set it there"

    def _record_outcome(self, pending: _Pending, address: _Address, error: str | None) -> None:
        """Record the outcome of one channel; an error is logged once, until it is over."""
        pending.waiting.discard(address)
        if error is None:
            pending.delivered.add(address.mark)
            self._logged = {logged for logged in self._logged if logged[0] != address}
            return
        pending.errors.append(f"{address}: {error}")
        if (address, error) not in self._logged:
            self._logged.add((address, error))
            log.warning("%s could not be told of a gate: %s; it is tried again", address, error)

    async def _record(self, pending: _Pending) -> None:
        """Record the outcome of a notice, when it is known for every channel."""
        notice, delivered = pending.notice, frozenset(pending.delivered)
        if pending.errors:
            why = "; ".join(pending.errors)
            await self._store.write(
                lambda connection: notices.record_failure(
                    connection, notice, why=why, delivered=delivered
                )
            )
            return
        outcome = f"sent; channels told: {len(delivered)}"
        if not delivered:
            outcome = f"group `{notice.group}` has no channel"
            log.warning("nobody was told of gate %s: %s", notice.gate_id, outcome)
        await self._store.write(
            lambda connection: notices.record_sent(connection, notice, outcome=outcome)
        )

    def _letter(self, gate: Gate, notice: Notice, url: str) -> Letter:
        now = self._clock.now()
        link = self._links and self._links.sign(
            gate.id, group=notice.group, until=gate.expires_at or now + LINK_LIFE
        )
        message = compose(gate, notice.kind, now=now, link=link)
        return Letter(url=url, title=message.title, body=message.body)


async def send(
    letters: Sequence[Letter], *, limit_s: float = SEND_LIMIT_S
) -> AsyncGenerator[Delivery, None]:
    """Send letters at once in a process, and yield the outcome of each as soon as it is known.

    A letter without an outcome in time yields nothing. However this ends, the process has ended
    then too.
    """
    end_at = asyncio.get_running_loop().time() + limit_s + START_LIMIT_S
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(_PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # A Ctrl-C is for the worker.
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101  (it is piped)
    assert process.stdout is not None  # noqa: S101  (it is piped)
    job = {"limit_s": limit_s, "messages": [asdict(letter) for letter in letters]}
    try:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout_at(end_at):
                process.stdin.write(json.dumps(job).encode())
                await process.stdin.drain()
                process.stdin.close()
            while True:
                async with asyncio.timeout_at(end_at):
                    line = await process.stdout.readline()
                # A line that is not whole is one of a program that was killed over it.
                if not line.endswith(b"\n"):
                    break
                yield _DELIVERY.validate_json(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def _take(connection: Connection) -> Sequence[tuple[Notice, Gate]]:
    return [
        (notice, gates.get(connection, notice.gate_id))
        for notice in notices.take(connection, limit=TAKE_LIMIT)
    ]
