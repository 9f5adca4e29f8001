"""Versions of a channel survive being kept as differences, and stay small."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.checkpoints.saver import deltas
from penstock.checkpoints.saver.deltas import HEADER_BYTES, KEYS, LINKS, Version
from penstock.contracts.errors import CheckpointCorrupt


def write(values: list[bytes]) -> list[deltas.Stored]:
    """Store `values` one after the other, as the writer does."""
    stored: list[deltas.Stored] = []
    head: Version | None = None
    for number, raw in enumerate(values, start=1):
        stored.append(deltas.store(number, raw, after=head))
        head = stored[-1].head
    return stored


def read(stored: list[deltas.Stored], version: int) -> tuple[bytes, int]:
    """Put a version together from what is stored; return it and how many rows that took."""
    rows = {row.head.version: row for row in stored}
    chain = [rows[version]]
    while (base := chain[-1].base) is not None:
        chain.append(rows[base])
    raw = b""
    for row in reversed(chain):
        raw = deltas.unpack(row.data) if row.base is None else deltas.apply(row.data, raw)
    return raw, len(chain)


def conversation(count: int, *, begun_bytes: int = 0) -> list[bytes]:
    """Return a value that grows by one part of 400 incompressible bytes at a time."""
    source = random.Random(1)
    whole = source.randbytes(begun_bytes)
    values: list[bytes] = []
    for number in range(count):
        whole += source.randbytes(400)
        values.append(number.to_bytes(HEADER_BYTES, "big") + whole)
    return values


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=8))
def test_any_values_come_back_as_they_were(values: list[bytes]) -> None:
    stored = write(values)
    assert [read(stored, number)[0] for number in range(1, len(values) + 1)] == values


@given(st.binary(max_size=900), st.binary(max_size=90), st.integers(0, 900), st.integers(0, 90))
def test_any_edit_of_a_value_comes_back_as_it_was(
    base: bytes, new: bytes, at: int, dropped: int
) -> None:
    edited = base[:at] + new + base[at + dropped :]
    difference = deltas.difference(edited, base)
    assert difference is None or deltas.apply(difference, base) == edited


def test_a_value_that_repeats_itself_is_not_counted_twice() -> None:
    base, shorter = b"h" * HEADER_BYTES + b"a" * 500, b"h" * HEADER_BYTES + b"a" * 300
    for raw, under in ((shorter, base), (base, shorter), (base, base)):
        difference = deltas.difference(raw, under)
        assert difference is not None
        assert deltas.apply(difference, under) == raw


def test_unrelated_values_are_kept_whole() -> None:
    source = random.Random(2)
    stored = write([source.randbytes(2000) for _ in range(3)])
    assert [row.base for row in stored] == [None, None, None]


def test_a_growing_value_takes_little_more_room_than_what_was_added() -> None:
    values = conversation(1000)
    size = sum(len(row.data) for row in write(values))
    # Each part is kept as a link and again in a key; the first key is as large as it is.
    assert size < 2.5 * len(values[-1])


def test_a_read_follows_a_bounded_number_of_rows() -> None:
    values = conversation(LINKS * KEYS + 10, begun_bytes=LINKS * 400)
    stored = write(values)
    longest = 0
    for number in range(1, len(values) + 1):
        raw, row_count = read(stored, number)
        assert raw == values[number - 1]
        longest = max(longest, row_count)
    assert longest == LINKS + KEYS - 1


def test_a_whole_version_comes_after_the_last_key() -> None:
    stored = write(conversation(LINKS * KEYS + 1, begun_bytes=LINKS * 400))
    whole = [row.head.version for row in stored if row.base is None]
    assert whole == [1, LINKS * KEYS + 1]


def test_a_difference_laid_on_the_wrong_base_is_found() -> None:
    short, long, other = conversation(3)[0], conversation(3)[2], b"h" * 50
    difference = deltas.difference(long, long[:-10])
    assert difference is not None
    for wrong in (short, other):
        with pytest.raises(CheckpointCorrupt, match="bytes where"):
            deltas.apply(difference, wrong)


@given(st.binary(max_size=2000))
def test_packing_loses_nothing(raw: bytes) -> None:
    assert deltas.unpack(deltas.pack(raw)) == raw


def test_packing_shrinks_what_can_be_shrunk_and_grows_nothing_by_more_than_a_byte() -> None:
    assert len(deltas.pack(b"again " * 100)) < 100
    noise = random.Random(3).randbytes(1000)
    assert len(deltas.pack(noise)) == len(noise) + 1
