"""Signed heads: how far a chain had come, signed and kept where the store's owner cannot reach.

Whoever can write to the database can write a whole chain anew. They cannot sign its head: the key
is in a file beside the workers and never in the store.
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

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

from penstock.contracts.audit import Fault, Head, canonical, instant
from penstock.contracts.errors import InvalidAuditKey, ProjectExists

PUBLIC = ".pub"
"""What the name of a public key's file ends in, beside that of its private one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A head that was signed, and when."""

    head: Head
    at: datetime


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


class Signer:
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
        told = _statement(head, instant(at), self._id)
        signature = base64.b64encode(self._key.sign(canonical(told).encode())).decode()
        return canonical({**told, "signature": signature})


class HeadReader:
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

    def read(self, lines: Iterable[str], *, name: str) -> tuple[Sequence[SignedHead], list[Fault]]:
        """Return the heads on lines of a file, in their order, and what is wrong with others."""
        found: list[SignedHead] = []
        faults: list[Fault] = []
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
            faults.append(Fault(tenant=tenant, number=None, at=None, what=told))
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


def _tenant_of(line: str) -> str:
    try:
        told: object = json.loads(line)
    except ValueError:
        return "?"
    return str(cast("dict[str, Any]", told).get("tenant", "?")) if isinstance(told, dict) else "?"


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _private(content: bytes) -> object:
    return load_pem_private_key(content, None)


def _public(content: bytes) -> object:
    if b"PRIVATE" not in content:
        return load_pem_public_key(content)
    key = load_pem_private_key(content, None)
    return key.public_key()


def _load(path: Path, read: Callable[[bytes], object]) -> object:
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise InvalidAuditKey(f"the key `{path}` cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise InvalidAuditKey(f"`{path}` holds no key that can be read: {error}") from error
