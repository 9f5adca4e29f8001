"""Deltas: each version of a channel is stored as its difference from an earlier one.

A conversation grows by a message a step and is serialised whole each time. Two neighbouring
versions share a long beginning, and often a long end, so a version is kept as *how much of the
base's beginning, what is between, how much of the base's end*. That takes a hundredth of the time
that a compressor needs with the base as its dictionary, and grows with the length of the
conversation, not its square.

Three kinds of versions bound what a read has to follow: most are links to the version before;
every `LINKS`-th is a key, a difference from the key before it; every `KEYS`-th key is whole. A
read follows at most `LINKS + KEYS` rows, and what is kept is about twice what was ever added.
"""

import struct
from dataclasses import dataclass

import zstandard

from penstock.contracts.errors import CheckpointCorrupt

LINKS = 32
"""A key after so many versions."""
KEYS = 32
"""A whole version after so many keys."""

HEADER_BYTES = 16
"""The first bytes of a serialised value hold its length, which changes with every append. They
are kept as they are, and the comparison begins behind them."""

SHARED_MIN = 0.5
"""A version that shares less than this with its base is kept whole."""

COMPRESS_MIN_BYTES = 192
"""Below this, compressing costs more than it saves."""

_LENGTHS = struct.Struct("<III")
_PLAIN = b"\x00"
_ZSTD = b"\x01"
_STRIDE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a channel, with what the next one needs to be kept as a difference."""

    version: int
    raw: bytes
    """The serialised value, whole."""
    link_count: int
    """How many links lie between this version and its key."""
    key_count: int
    """How many keys lie between this version's key and the whole one below it."""
    key: "Version | None"
    """The key this version goes back to; none if it is one itself."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is written for one version."""

    base: int | None
    """The version it is a difference from; none if it is whole."""
    data: bytes
    head: Version
    """The version as the next one will see it."""


def store(version: int, raw: bytes, *, after: Version | None) -> Stored:
    """Decide how `raw` is stored after the version written before it."""
    if after is not None:
        key = after.key or after
        if after.link_count + 1 < LINKS:
            base, head = after, Version(version, raw, after.link_count + 1, after.key_count, key)
        else:
            base, head = key, Version(version, raw, 0, after.key_count + 1, None)
        if head.key_count < KEYS and (data := difference(raw, base.raw)) is not None:
            return Stored(base.version, data, head)
    return Stored(None, pack(raw), Version(version, raw, 0, 0, None))


def difference(raw: bytes, base: bytes) -> bytes | None:
    """Return `raw` as a difference from `base`, or nothing when they have too little in common."""
    limit = min(len(raw), len(base)) - HEADER_BYTES
    if limit <= 0:
        return None
    front = _shared_front(raw, base, limit)
    back = _shared_back(raw, base, limit - front)
    if front + back < len(raw) * SHARED_MIN:
        return None
    middle = raw[HEADER_BYTES + front : len(raw) - back]
    return _LENGTHS.pack(len(raw), front, back) + raw[:HEADER_BYTES] + pack(middle)


def apply(data: bytes, base: bytes) -> bytes:
    """Return the value that `difference` made `data` of.

    Raises:
        CheckpointCorrupt: when `data` does not fit `base`.
    """
    length, front, back = _LENGTHS.unpack_from(data)
    body = _LENGTHS.size + HEADER_BYTES
    raw = b"".join(
        (
            data[_LENGTHS.size : body],
            base[HEADER_BYTES : HEADER_BYTES + front],
            unpack(data[body:]),
            base[len(base) - back :] if back else b"",
        ),
    )
    if len(raw) != length:
        msg = f"a stored difference makes {len(raw)} bytes where {length} were kept"
        raise CheckpointCorrupt(msg)
    return raw


def pack(raw: bytes) -> bytes:
    """Return `raw` compressed if that makes it smaller, with a byte that says which."""
    if len(raw) >= COMPRESS_MIN_BYTES:
        squeezed = zstandard.compress(raw, 1)
        if len(squeezed) < len(raw):
            return _ZSTD + squeezed
    return _PLAIN + raw


def unpack(data: bytes) -> bytes:
    """Return the bytes that `pack` packed."""
    return zstandard.decompress(data[1:]) if data[:1] == _ZSTD else data[1:]


def _shared_front(raw: bytes, base: bytes, limit: int) -> int:
    """Count the equal bytes behind the header, comparing at the speed of memory."""
    done, stride = 0, _STRIDE_BYTES
    while stride and done < limit:
        start = HEADER_BYTES + done
        while (
            done + stride <= limit and raw[start : start + stride] == base[start : start + stride]
        ):
            done += stride
            start += stride
        stride //= 4
    return done


def _shared_back(raw: bytes, base: bytes, limit: int) -> int:
    """Count the equal bytes before the end."""
    done, stride = 0, _STRIDE_BYTES
    while stride and done < limit:
        while done + stride <= limit:
            ours = raw[len(raw) - done - stride : len(raw) - done]
            if ours != base[len(base) - done - stride : len(base) - done]:
                break
            done += stride
        stride //= 4
    return done
