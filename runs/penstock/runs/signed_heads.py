"""Signed heads: how far a chain had come, signed and kept where the store's owner cannot reach.

Whoever can write to the database can write a whole chain anew. They cannot sign its head: the key
is in a file beside the workers and never in the store.

Writing signed heads out: to a file, or to a URL, apart from whatever a run does.

Every worker that has the key does it. Two that write the same head do no harm.
"""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from penstock.checkpoints import Store
from penstock.checkpoints.audit import marks
from penstock.contracts.audit import ChainFault, Head, canonical, format_instant
from penstock.contracts.clock import Clock
from penstock.contracts.errors import InvalidAuditKey, ProjectExists

PUBLIC = ".pub"
"""What the name of a public key's file ends in, beside that of its private one."""

log = logging.getLogger(__name__)

TROUBLE_S = 10.0
"""After a round that did not work, the next one waits for so long."""

POST_LIMIT_S = 3.0
"""A POST that takes longer has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A head that was signed, and when."""

    head: Head
    at: datetime


class HeadSigner:
    """Signs heads with one key."""

    def __init__(self, path: Path) -> None:
        """Read the private key at `path`.

        Raises:
            InvalidAuditKey: it cannot be read, or is no such key.
        """
        key = _load(path, _private)
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidAuditKey(
                f"`{path}` is not a private key that `penstock audit keygen` made"
            )
        self._key = key
        self._id = _key_id(key.public_key())

    def sign(self, head: Head, at: datetime) -> str:
        """Return a signed head as a line of JSON, without its end."""
        told = _statement(head, format_instant(at), self._id)
        signature = base64.b64encode(self._key.sign(canonical(told).encode())).decode()
        return canonical({**told, "signature": signature})


class HeadVerifier:
    """Reads signed heads, and tells which were not signed with the key."""

    def __init__(self, path: Path) -> None:
        """Read the public key at `path`; of a private one, its public half.

        Raises:
            InvalidAuditKey: it cannot be read, or is no such key.
        """
        key = _load(path, _public)
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidAuditKey(f"`{path}` is not a key that `penstock audit keygen` made")
        self._key = key
        self._id = _key_id(key)

    def read(
        self, lines: Iterable[str], *, name: str
    ) -> tuple[Sequence[SignedHead], list[ChainFault]]:
        """Return the heads on lines of a file, in their order, and what is wrong with others."""
        found: list[SignedHead] = []
        faults: list[ChainFault] = []
        newest: dict[str, SignedHead] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            signed = self._read(line)
            before = None if signed is None else newest.get(signed.head.tenant)
            if signed is None:
                what = "is no head that was signed with this key"
                tenant = _tenant_of(line)
            elif before is not None and signed.head.number < before.head.number:
                what = (
                    f"has a head at {signed.head.number} after one at {before.head.number}: an old"
                    " one was put in again, or the store was set back"
                )
                tenant = signed.head.tenant
            else:
                newest[signed.head.tenant] = signed
                found.append(signed)
                continue
            told = f"line {number} of `{name}` {what}"
            faults.append(ChainFault(tenant=tenant, number=None, at=None, what=told))
        return found, faults

    def _read(self, line: str) -> SignedHead | None:
        try:
            told = cast("dict[str, Any]", json.loads(line))
            signature = base64.b64decode(told.pop("signature"), validate=True)
            head = Head(tenant=told["tenant"], number=told["number"], hash=told["hash"])
            at = datetime.strptime(told["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
            wanted = _statement(head, told["at"], self._id)
            self._key.verify(signature, canonical(wanted).encode())
        except (ValueError, TypeError, KeyError, AttributeError, binascii.Error, InvalidSignature):
            return None
        return SignedHead(head=head, at=at) if told == wanted else None


def _statement(head: Head, at: str, key_id: str) -> dict[str, Any]:
    return {
        "penstock": "audit head 1",
        "tenant": head.tenant,
        "number": head.number,
        "hash": head.hash,
        "at": at,
        "key": key_id,
    }


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _private(content: bytes) -> object:
    return load_pem_private_key(content, None)


def _load(path: Path, read: Callable[[bytes], object]) -> object:
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise InvalidAuditKey(f"the key `{path}` cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise InvalidAuditKey(f"`{path}` holds no key that can be read: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadExport:
    """With what heads are signed, where they go, and how often."""

    signer: HeadSigner
    target: str
    """A file that lines are added to, or a URL that they are POSTed to."""
    every_s: float
    """A chain that moved is written out after so long at the latest."""
    every_count: int
    """And after so many events."""


class SignedHeadService:
    """Writes the heads of one store out, as one worker of perhaps many."""

    def __init__(self, store: Store, shipment: HeadExport, clock: Clock) -> None:
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
            lambda connection: marks.heads_due(
                connection, every_count=shipment.every_count, before=before
            )
        )
        if heads:
            lines = [shipment.signer.sign(head, at) for head in heads]
            await self._put(heads, lines, at)
        return len(heads)

    async def _put(self, heads: Sequence[Head], lines: Sequence[str], at: datetime) -> None:
        """Write lines out, and note that they were, or why they were not."""
        shipment, to = self._shipment, shown_target(self._shipment.target)
        try:
            await asyncio.to_thread(write_lines, shipment.target, lines)
        except OSError as error:
            why = str(error)
            await self._store.write(
                lambda connection: marks.record_export_failure(
                    connection, heads, at=at, to=to, why=why
                )
            )
            raise
        await self._store.write(
            lambda connection: marks.record_export(connection, heads, at=at, to=to)
        )


def make_key(path: Path) -> Path:
    """Make a key in a file that only its owner can read; return the file of its public half.

    Raises:
        ProjectExists: there is one already, and it is not overwritten.
    """
    key, public = Ed25519PrivateKey.generate(), path.with_name(path.name + PUBLIC)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    told = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for file, content, mode in ((path, private, 0o600), (public, told, 0o644)):
        try:
            opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError as error:
            raise ProjectExists(f"`{file}` is there already; a key is not overwritten") from error
        except OSError as error:
            raise InvalidAuditKey(f"`{file}` cannot be written: {error.strerror}") from error
        with os.fdopen(opened, "wb") as writing:
            writing.write(content)
    return public


def shown_target(target: str) -> str:
    """Return where heads go, as it may be shown: of a URL, which may hold a secret, the host."""
    parts = urlsplit(target)
    if parts.scheme not in {"http", "https"}:
        return target
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


def write_lines(target: str, lines: Sequence[str]) -> None:
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


def _tenant_of(line: str) -> str:
    try:
        told: object = json.loads(line)
    except ValueError:
        return "?"
    return str(cast("dict[str, Any]", told).get("tenant", "?")) if isinstance(told, dict) else "?"


def _public(content: bytes) -> object:
    if b"PRIVATE" not in content:
        return load_pem_public_key(content)
    key = load_pem_private_key(content, None)
    return key.public_key()


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nobody: a POST that is redirected would arrive as a GET."""
