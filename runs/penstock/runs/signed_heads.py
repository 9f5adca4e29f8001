"""Signed heads: how far an audit chain had come, signed and kept out of reach of the store's owner.

Whoever can write to the database can rewrite a whole chain. They cannot sign its head: the key is
in a file beside the workers and never in the store. A signed head is a JWS (RFC 7515) in compact
serialization, so any library for JWS verifies it with the public key; `docs/audit.md` shows how.
"""

import asyncio
import base64
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import InvalidKeyTypeError, JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json
from typing_extensions import override

from penstock.checkpoints import Store
from penstock.checkpoints.audit import marks
from penstock.contracts.audit import ChainFault, Head, canonical, format_instant
from penstock.contracts.clock import Clock
from penstock.contracts.errors import InvalidAuditKey, ProjectExists
from penstock.contracts.ids import WorkerId
from penstock.runs.services import Service

PUBLIC_SUFFIX = ".pub"
"""The name of a public key's file is the one of its private key with this suffix."""

ALGORITHM = "Ed25519"
"""The JWS algorithm (RFC 9864)."""

TYPE = "penstock-audit-head+jws"
"""The `typ` of a signed head: the key signs nothing else that could be taken for one."""

POST_LIMIT_S = 3.0
"""A POST that takes longer has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A head with a valid signature."""

    head: Head
    at: datetime
    """When it was signed."""


class _Payload(BaseModel):
    """The signed content of a head."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    tenant: str
    number: int
    hash: str
    at: str

    def signed_head(self) -> SignedHead:
        """Return the head.

        Raises:
            ValueError: the instant is not one.
        """
        at = datetime.strptime(self.at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        head = Head(tenant=self.tenant, number=self.number, hash=self.hash)
        return SignedHead(head=head, at=at)


class HeadSigner:
    """Signs heads with one key."""

    def __init__(self, path: Path) -> None:
        """Read the private key at `path`.

        Raises:
            InvalidAuditKey: it cannot be read, or is no such key.
        """
        self._key = _read_key(path)
        if not self._key.is_private:
            raise InvalidAuditKey(
                f"`{path}` is not a private key that `penstock audit keygen` made"
            )

    def sign(self, head: Head, at: datetime) -> str:
        """Return a signed head as one line of text, without the line's end."""
        header = {"alg": ALGORITHM, "kid": self._key.thumbprint(), "typ": TYPE}
        payload = {
            "tenant": head.tenant,
            "number": head.number,
            "hash": head.hash,
            "at": format_instant(at),
        }
        return jws.serialize_compact(
            header, canonical(payload).encode(), self._key, algorithms=[ALGORITHM]
        )


class HeadVerifier:
    """Reads signed heads, and tells which were not signed with its key."""

    def __init__(self, path: Path) -> None:
        """Read the public key at `path`; of a private key, its public half.

        Raises:
            InvalidAuditKey: it cannot be read, or is no such key.
        """
        self._key = _read_key(path)

    def read(
        self, lines: Iterable[str], *, name: str
    ) -> tuple[Sequence[SignedHead], list[ChainFault]]:
        """Return the heads on the lines of a file, in their order, and the faults of other lines.

        A head whose number is lower than one before it, of the same tenant, is a fault too.
        """
        found: list[SignedHead] = []
        faults: list[ChainFault] = []
        newest: dict[str, SignedHead] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            signed = self._verify(line.strip())
            before = None if signed is None else newest.get(signed.head.tenant)
            if signed is None:
                what = "is no head that was signed with this key"
                tenant = _claimed_tenant(line)
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
            message = f"line {number} of `{name}` {what}"
            faults.append(ChainFault(tenant=tenant, number=None, at=None, what=message))
        return found, faults

    def _verify(self, line: str) -> SignedHead | None:
        """Return the head of a line; None if its signature is not valid."""
        if line.startswith("{"):
            return self._verify_json(line)
        try:
            signed = jws.deserialize_compact(line, self._key, algorithms=[ALGORITHM])
            if signed.headers().get("typ") != TYPE:
                return None
            return _Payload.model_validate_json(signed.payload).signed_head()
        except (JoseError, ValueError):
            return None

    def _verify_json(self, line: str) -> SignedHead | None:
        """Return the head of a line of the form before JWS: JSON with its signature as a field."""
        public = cast("Ed25519PublicKey", self._key.public_key)
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        try:
            fields = cast("dict[str, Any]", from_json(line))
            signature = base64.b64decode(fields.pop("signature"), validate=True)
            public.verify(signature, canonical(fields).encode())
            key_id = hashlib.sha256(raw).hexdigest()[:16]
            if (fields.pop("penstock"), fields.pop("key")) != ("audit head 1", key_id):
                return None
            return _Payload.model_validate(fields).signed_head()
        except (ValueError, TypeError, KeyError, AttributeError, InvalidSignature):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadExport:
    """The signer of heads, where the signed heads are written, and how often."""

    signer: HeadSigner
    target: str
    """A file that lines are appended to, or a URL that lines are POSTed to."""
    every_s: float
    """The head of a chain that has grown is written after so many seconds at the latest."""
    every_count: int
    """It is written earlier when the chain has grown by so many events."""


class SignedHeadService(Service):
    """Signs the heads of a store's chains and writes them to a file or a URL.

    Every worker with the key does it. Two that write the same head do no harm.
    """

    name = "export of signed heads"
    stops_last = True

    def __init__(self, store: Store, export: HeadExport, clock: Clock) -> None:
        """Write the heads of `store` as `export` says."""
        self._store = store
        self._export = export
        self._clock = clock

    @override
    async def run_once(self, worker: WorkerId) -> bool:
        """Write the heads that are due."""
        await self.write_due()
        return False

    @override
    async def run_last(self) -> None:
        """Write all heads that have moved, as the worker ends."""
        await self.write_due(is_last=True)

    async def write_due(self, *, is_last: bool = False) -> int:
        """Write the heads that are due, or all that have moved; return how many.

        Raises:
            OSError: they could not be written; the store says why.
        """
        at, export = self._clock.now(), self._export
        before = at if is_last else at - timedelta(seconds=export.every_s)
        heads = await self._store.read(
            lambda connection: marks.heads_due(
                connection, every_count=export.every_count, before=before
            )
        )
        if heads:
            lines = [export.signer.sign(head, at) for head in heads]
            await self._write(heads, lines, at)
        return len(heads)

    async def _write(self, heads: Sequence[Head], lines: Sequence[str], at: datetime) -> None:
        """Write lines to the target, and record in the store that it was done, or why it failed."""
        target = self._export.target
        to = shown_target(target)
        try:
            if _is_url(target):
                await _post_lines(target, lines)
            else:
                await asyncio.to_thread(_append_lines, Path(target), lines)
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
        InvalidAuditKey: the files cannot be written.
    """
    key, public_path = OKPKey.generate_key("Ed25519"), path.with_name(path.name + PUBLIC_SUFFIX)
    files = (
        (path, key.as_pem(private=True), 0o600),
        (public_path, key.as_pem(private=False), 0o644),
    )
    for file, content, mode in files:
        try:
            opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError as error:
            raise ProjectExists(f"`{file}` is there already; a key is not overwritten") from error
        except OSError as error:
            raise InvalidAuditKey(f"`{file}` cannot be written: {error.strerror}") from error
        with os.fdopen(opened, "wb") as writing:
            writing.write(content)
    return public_path


def shown_target(target: str) -> str:
    """Return a target as it may be shown: of a URL, which may hold a secret, the host alone."""
    if not _is_url(target):
        return target
    parts = urlsplit(target)
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


def _is_url(target: str) -> bool:
    return target.startswith(("http://", "https://"))


async def _post_lines(url: str, lines: Sequence[str]) -> None:
    """POST lines to a URL; a redirect is not followed, because it would arrive as a GET.

    Raises:
        ConnectionError: the URL did not take them. The message holds neither the URL, which may
            hold a secret, nor the response.
    """
    content = "".join(f"{line}\n" for line in lines).encode()
    headers = {"Content-Type": "text/plain; charset=us-ascii"}
    try:
        async with (
            asyncio.timeout(POST_LIMIT_S),
            httpx.AsyncClient(timeout=POST_LIMIT_S, follow_redirects=False) as client,
        ):
            response = await client.post(url, content=content, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
        raise ConnectionError("the URL did not answer") from None
    if not response.is_success:
        raise ConnectionError(f"the URL answered {response.status_code}")


def _append_lines(path: Path, lines: Sequence[str]) -> None:
    """Append lines to a file, whole and durable, or raise an `OSError`."""
    content = "".join(f"{line}\n" for line in lines).encode()
    opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.write(opened, content) != len(content):
            raise OSError(f"`{path}` took only a part of it; make room on its disk")
        os.fsync(opened)
    finally:
        os.close(opened)


def _read_key(path: Path) -> OKPKey:
    """Read an Ed25519 key in PEM.

    Raises:
        InvalidAuditKey: it cannot be read, or is no such key.
    """
    try:
        key = OKPKey.import_key(path.read_bytes())
    except OSError as error:
        raise InvalidAuditKey(f"the key `{path}` cannot be read: {error.strerror}") from error
    except InvalidKeyTypeError:
        key = None
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidAuditKey(f"`{path}` holds no key that can be read: {error}") from error
    if key is None or key.curve_name != "Ed25519":
        raise InvalidAuditKey(f"`{path}` is not a key that `penstock audit keygen` made")
    return key


def _claimed_tenant(line: str) -> str:
    """Return the tenant that a line names, though its signature is not valid; `?` if none."""
    line = line.strip()
    try:
        is_json = line.startswith("{")
        content = line if is_json else jws.extract_compact(line.encode()).payload
        fields: object = from_json(content)
    except (JoseError, ValueError):
        return "?"
    if not isinstance(fields, dict):
        return "?"
    return str(cast("dict[str, Any]", fields).get("tenant", "?"))
