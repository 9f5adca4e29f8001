"""Telling people about gates: takes the notices that are due, and sends them to their channels.

It is an effect of the runtime's own and never in the way of a run: what was to be told is in the
store, sending happens in a process beside the worker, and what does not work is tried again.

Sending messages to channels, in a process that can be killed.
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

from sqlalchemy import Connection

from penstock.checkpoints import Store, gates
from penstock.checkpoints.gates import notices
from penstock.contracts.clock import Clock
from penstock.contracts.gate import Gate, Notice
from penstock.nodes.secrets import Source, environment
from penstock.runs.links import GateLinks
from penstock.runs.messages import compose

LIMIT_S = 15.0
"""A channel that has not taken a message by then is taken to have failed."""

START_S = 15.0
"""So long the process has to start, and to end after its time; a busy machine is slow."""

_PROGRAM = Path(__file__).with_name("delivery.py")

log = logging.getLogger(__name__)

TAKE_LIMIT = 10
"""Notices that are sent at once."""

TROUBLE_S = 10.0
"""After a round that broke down, the next one waits for so long."""

LINK_LIFE = timedelta(days=7)
"""So long a link is good where its gate does not expire."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SCHEMA = re.compile(r"([A-Za-z][A-Za-z0-9]{0,15})://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message to one channel."""

    url: str
    """As Apprise spells it; holds secrets, and is shown nowhere."""
    title: str
    body: str

    def __repr__(self) -> str:
        return f"Letter(title={self.title!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of one letter."""

    number: int
    """Which one of those that were handed in, from 0."""
    why: str | None
    """Why it was not delivered; None if it was."""


class Channels(Protocol):
    """Knows how groups are told of something."""

    def channels(self, group: str) -> tuple[str, ...]:
        """Return the URLs of a group's channels, as Apprise spells them; none if it has none.

        `${NAME}` in one stands for that variable of the worker's environment, so that no secret
        needs to be written down.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """One channel of a group, as it is named where it must not be shown."""

    group: str
    number: int
    schema: str
    mark: str
    """Tells it from the group's others, in the store."""

    def __str__(self) -> str:
        return f"channel {self.number} of group `{self.group}` ({self.schema})"


@dataclass(slots=True, kw_only=True)
class _Errand:
    """What is still to be done about one notice."""

    notice: Notice
    waiting: set[_Address] = field(default_factory=set[_Address])
    told: set[str] = field(default_factory=set[str])
    """Marks, also of those that were told before."""
    troubles: list[str] = field(default_factory=list[str])


class NotificationService:
    """Sends the notices of one store, as one worker of perhaps many."""

    def __init__(
        self,
        store: Store,
        channels: Channels,
        clock: Clock,
        *,
        links: GateLinks | None = None,
        source: Source = environment,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Send to `channels`, with `links` where there are any; secrets come from `source`."""
        self._store = store
        self._channels = channels
        self._clock = clock
        self._links = links
        self._source = source
        self._limit_s = limit_s
        self._stopping = asyncio.Event()
        self._said: set[tuple[_Address, str]] = set()
        """Troubles that the log has been told of, and that are not over."""

    async def work(self, *, every_s: float) -> None:
        """Send what is due, again and again, until `stop`; no failure of it ends a worker."""
        while not self._stopping.is_set():
            wait_s = every_s
            try:
                if await self.send_due():
                    continue
            except Exception:
                # The top of a task of a worker: runs go on, whatever is wrong here.
                log.exception("notices could not be sent; they are tried again")
                wait_s = max(every_s, TROUBLE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()

    def stop(self) -> None:
        """Send nothing more after what is being sent now."""
        self._stopping.set()

    async def send_due(self) -> int:
        """Send notices that are due, a few at most; return how many were taken.

        Only gates that ask are told of. One that is decided after its notice was taken may still
        be told of: the page says then how it was decided.
        """
        if not await self._store.read(notices.any_due):
            return 0
        taken = await self._store.write(_take)
        letters: list[Letter] = []
        sent_to: list[tuple[_Errand, _Address]] = []
        for notice, gate in taken:
            errand = _Errand(notice=notice, told=set(notice.delivered))
            for address, url in self._addresses(errand):
                letters.append(self._letter(gate, notice, url))
                sent_to.append((errand, address))
                errand.waiting.add(address)
            if not errand.waiting:
                await self._record(errand)
        if letters:
            await self._send(letters, sent_to)
        return len(taken)

    async def _send(
        self, letters: Sequence[Letter], sent_to: Sequence[tuple[_Errand, _Address]]
    ) -> None:
        try:
            async with aclosing(send(letters, limit_s=self._limit_s)) as deliveries:
                async for delivery in deliveries:
                    errand, address = sent_to[delivery.number]
                    self._heard(errand, address, delivery.why)
                    if not errand.waiting:
                        # At once: what is recorded is not sent again if this worker dies.
                        await self._record(errand)
        except OSError as error:
            log.warning("the process that sends notices cannot be started: %s", error)
        late = {id(errand): errand for errand, _ in sent_to if errand.waiting}
        for errand in late.values():
            for address in sorted(errand.waiting, key=str):
                self._heard(errand, address, f"nothing came of it within {self._limit_s:g} s")
            await self._record(errand)

    def _addresses(self, errand: _Errand) -> Sequence[tuple[_Address, str]]:
        """Return the channels that are still to be told, with their URLs; note what is amiss."""
        found: list[tuple[_Address, str]] = []
        group = errand.notice.group
        for number, written in enumerate(self._channels.channels(group), start=1):
            schema = _SCHEMA.match(written)
            address = _Address(
                group=group,
                number=number,
                schema=schema[1] if schema else "?",
                mark=hashlib.sha256(written.encode()).hexdigest()[:8],
            )
            if address.mark in errand.told:
                continue
            url = self._url(written)
            if url is None:
                self._heard(errand, address, self._missing(written))
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

    def _heard(self, errand: _Errand, address: _Address, why: str | None) -> None:
        """Note what came of one channel; what is amiss is said once, until it is over."""
        errand.waiting.discard(address)
        if why is None:
            errand.told.add(address.mark)
            self._said = {said for said in self._said if said[0] != address}
            return
        errand.troubles.append(f"{address}: {why}")
        if (address, why) not in self._said:
            self._said.add((address, why))
            log.warning("%s could not be told of a gate: %s; it is tried again", address, why)

    async def _record(self, errand: _Errand) -> None:
        notice, told = errand.notice, frozenset(errand.told)
        if errand.troubles:
            why = "; ".join(errand.troubles)
            await self._store.write(
                lambda connection: notices.record_failure(
                    connection, notice, why=why, delivered=told
                )
            )
            return
        outcome = f"sent; channels told: {len(told)}"
        if not told:
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
    letters: Sequence[Letter], *, limit_s: float = LIMIT_S
) -> AsyncGenerator[Delivery, None]:
    """Send letters at once, and give what came of each as soon as it is known.

    Of a letter that nothing comes of in time there is nothing to give. However this ends, the
    process has ended then too.
    """
    end_at = asyncio.get_running_loop().time() + limit_s + START_S
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
                yield Delivery(**json.loads(line))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def _take(connection: Connection) -> Sequence[tuple[Notice, Gate]]:
    return [
        (notice, gates.get(connection, notice.gate_id))
        for notice in notices.take(connection, limit=TAKE_LIMIT)
    ]
