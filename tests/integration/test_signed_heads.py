"""Heads are signed and written out, and whatever is done to them is found."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc import jws
from joserfc.jwk import OKPKey

from penstock.checkpoints import Store
from penstock.contracts.audit import Head, canonical
from penstock.contracts.errors import InvalidAuditKey
from penstock.runs.signed_heads import (
    HeadExport,
    HeadSigner,
    HeadVerifier,
    SignedHeadService,
    make_key,
)
from support import chains
from support.runs import NOW
from support.services import serving


class FixedClock:
    """A clock that a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "audit.key"
    make_key(path)
    return path


def shipper(
    store: Store, key: Path, target: str, clock: FixedClock, *, every_count: int = 100
) -> SignedHeadService:
    shipment = HeadExport(
        signer=HeadSigner(key), target=target, every_s=60.0, every_count=every_count
    )
    return SignedHeadService(store, shipment, clock)


def read(key: Path, lines: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return the numbers of the heads on lines, and what is wrong with others."""
    found, wrong = HeadVerifier(key).read(lines, name="heads")
    return [each.head.number for each in found], [str(fault) for fault in wrong]


async def test_a_head_that_moved_is_written_out_after_its_time(
    store: Store, key: Path, tmp_path: Path
) -> None:
    clock, file = FixedClock(NOW), tmp_path / "heads.jsonl"
    ship = shipper(store, key, str(file), clock)
    chains.tell(store, "a")
    assert await ship.write_due() == 1
    chains.tell(store, "b")
    assert await ship.write_due() == 0
    clock.at += timedelta(seconds=60)
    assert await ship.write_due() == 1
    clock.at += timedelta(seconds=60)
    assert await ship.write_due() == 0
    assert read(key, file.read_text().splitlines()) == ([1, 2], [])


async def test_a_head_that_moved_far_is_written_out_at_once(
    store: Store, key: Path, tmp_path: Path
) -> None:
    file = tmp_path / "heads.jsonl"
    ship = shipper(store, key, str(file), FixedClock(NOW), every_count=3)
    chains.tell(store, "a")
    await ship.write_due()
    chains.tell(store, "b", "c")
    assert await ship.write_due() == 0
    chains.tell(store, "d")
    assert await ship.write_due() == 1


async def test_a_worker_that_ends_writes_out_what_there_is(
    store: Store, key: Path, tmp_path: Path
) -> None:
    file = tmp_path / "heads.jsonl"
    ship = shipper(store, key, str(file), FixedClock(NOW))
    chains.tell(store, "a")
    await ship.write_due()
    chains.tell(store, "b")
    await ship.run_last()
    assert read(key, file.read_text().splitlines()) == ([1, 2], [])


async def test_what_could_not_be_written_out_is_written_out_later(
    store: Store, key: Path, tmp_path: Path
) -> None:
    file = tmp_path / "missing" / "heads.jsonl"
    ship = shipper(store, key, str(file), FixedClock(NOW))
    chains.tell(store, "a")
    with pytest.raises(OSError, match="No such file"):
        await ship.write_due()
    file.parent.mkdir()
    assert await ship.write_due() == 1


async def test_trouble_with_writing_out_ends_no_worker(
    store: Store, key: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ship = shipper(store, key, str(tmp_path / "missing" / "heads"), FixedClock(NOW))
    chains.tell(store, "a")
    async with serving(ship):
        async with asyncio.timeout(60):
            while not caplog.records:  # noqa: ASYNC110  (the log tells)
                await asyncio.sleep(0.01)
    assert "export of signed heads failed, and will be tried again" in caplog.text


class _Taker(BaseHTTPRequestHandler):
    taken: ClassVar[list[str]]
    code = 204

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.taken.append(self.rfile.read(length).decode())
        self.send_response(self.code)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def taker() -> Iterator[tuple[str, type[_Taker]]]:
    class Taker(_Taker):
        taken: ClassVar[list[str]] = []

    server = HTTPServer(("127.0.0.1", 0), Taker)
    serving = Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/heads?token=secret", Taker
    server.shutdown()
    serving.join()
    server.server_close()


async def test_heads_are_posted_to_a_url_until_it_takes_them(
    store: Store, key: Path, taker: tuple[str, type[_Taker]]
) -> None:
    url, server = taker
    ship = shipper(store, key, url, FixedClock(NOW))
    chains.tell(store, "a")
    server.code = 503
    with pytest.raises(ConnectionError, match="the URL answered 503") as caught:
        await ship.write_due()
    assert "secret" not in str(caught.value)
    server.code = 204
    assert await ship.write_due() == 1
    assert read(key, "".join(server.taken[-1:]).splitlines()) == ([1], [])


async def test_two_workers_that_write_one_head_do_no_harm(
    store: Store, key: Path, tmp_path: Path
) -> None:
    file = tmp_path / "heads.jsonl"
    both = [shipper(store, key, str(file), FixedClock(NOW)) for _ in range(2)]
    chains.tell(store, "a")
    await asyncio.gather(*(ship.write_due() for ship in both))
    assert set(read(key, file.read_text().splitlines())[0]) == {1}


# ---- what is done to heads ----

HEADS = [Head(tenant="acme", number=number, hash=str(number) * 64) for number in (3, 6, 9)]


def lines(key: Path) -> list[str]:
    return [HeadSigner(key).sign(head, NOW) for head in HEADS]


def edited(line: str, part: int, **changes: object) -> str:
    """Return a line with other fields in its header (0) or its payload (1)."""
    parts = line.split(".")
    fields = {**json.loads(decoded(parts[part])), **changes}
    parts[part] = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    return ".".join(parts)


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        (1, {"tenant": "other"}),
        (1, {"number": 7}),
        (1, {"hash": "7" * 64}),
        (1, {"at": "2027-01-01T00:00:00.000000Z"}),
        (0, {"kid": "other"}),
        (0, {"alg": "none"}),
        (0, {"alg": "HS256"}),
        (0, {"typ": "JWT"}),
    ],
)
def test_a_head_that_was_edited_is_found(key: Path, part: int, changes: Any) -> None:
    first, second, third = lines(key)
    found, (fault,) = read(key, [first, edited(second, part, **changes), third])
    assert found == [3, 9]
    assert "line 2 of `heads` is no head that was signed with this key" in fault
    assert fault.startswith(f"tenant `{changes.get('tenant', 'acme')}`")


def test_what_the_key_has_signed_otherwise_is_no_head(key: Path) -> None:
    signer = OKPKey.import_key(key.read_bytes())
    payload = decoded(lines(key)[0].split(".")[1])
    token = jws.serialize_compact(
        {"alg": "Ed25519", "typ": "JWT"}, payload, signer, algorithms=["Ed25519"]
    )
    assert read(key, [token])[0] == []


def test_a_head_is_verified_without_penstock(key: Path) -> None:
    """By RFC 7515 alone, with no library for JWS."""
    header, payload, signature = lines(key)[0].split(".")
    public = load_pem_public_key(key.with_name("audit.key.pub").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    public.verify(decoded(signature), f"{header}.{payload}".encode())
    assert json.loads(decoded(header))["alg"] == "Ed25519"
    assert json.loads(decoded(payload)) == {
        "tenant": "acme",
        "number": 3,
        "hash": "3" * 64,
        "at": NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def before_jws(key: Path, head: Head) -> str:
    """Return a head as it was signed before it was a JWS."""
    private = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    fields: dict[str, object] = {
        "penstock": "audit head 1",
        "tenant": head.tenant,
        "number": head.number,
        "hash": head.hash,
        "at": NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "key": hashlib.sha256(raw).hexdigest()[:16],
    }
    signature = base64.b64encode(private.sign(canonical(fields).encode())).decode()
    return canonical({**fields, "signature": signature})


def test_heads_from_before_jws_are_read_too(key: Path) -> None:
    assert read(key, [before_jws(key, HEADS[0]), *lines(key)[1:]]) == ([3, 6, 9], [])


@pytest.mark.parametrize("name", ["tenant", "number", "hash", "at", "key", "penstock"])
def test_a_head_from_before_jws_that_was_edited_is_found(key: Path, name: str) -> None:
    fields = json.loads(before_jws(key, HEADS[1]))
    fields[name] = 7 if name == "number" else fields[name].replace("a", "b") + "x"
    found, (fault,) = read(key, [lines(key)[0], json.dumps(fields), lines(key)[2]])
    assert found == [3, 9]
    assert "line 2 of `heads` is no head that was signed with this key" in fault


def test_a_head_of_another_key_is_found(key: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    assert read(key, lines(tmp_path / "other")[:1])[0] == []


def test_an_old_head_that_is_put_in_again_is_found(key: Path) -> None:
    first, second, third = lines(key)
    found, (fault,) = read(key, [first, second, third, second])
    assert found == [3, 6, 9]
    assert fault == (
        "tenant `acme`: line 4 of `heads` has a head at 6 after one at 9: an old one was put in"
        " again, or the store was set back"
    )


def test_heads_that_end_early_say_how_far_they_go(key: Path) -> None:
    assert read(key, lines(key)[:1]) == ([3], [])


def test_the_public_half_is_enough_to_read(key: Path) -> None:
    assert read(key.with_name("audit.key.pub"), lines(key)) == ([3, 6, 9], [])


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAA==\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "no.key"
    file.write_text(content)
    for reader in (HeadSigner, HeadVerifier):
        with pytest.raises(InvalidAuditKey, match="holds no key that can be read"):
            reader(file)
    with pytest.raises(InvalidAuditKey, match="cannot be read: No such file"):
        HeadSigner(tmp_path / "nowhere")
