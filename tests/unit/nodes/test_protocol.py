"""Between a pool and its processes nothing is believed that is not well formed."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from penstock.nodes.isolation import Job, protocol
from penstock.nodes.isolation.protocol import decode_job, encode_job
from penstock.nodes.secrets import SecretValues
from support.calls import ATTEMPT


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a socket, of which the first does not block."""
    near, far = socket.socketpair()
    near.setblocking(False)  # noqa: FBT003  (socket's own)
    with near, far:
        yield near, far


@pytest.mark.parametrize(
    "said",
    [
        protocol.Calling(),
        protocol.Returned(result='"é\x00"'),
        protocol.Problem(what="retryable", type_name="R", message="m", after_s=1.5),
    ],
)
async def test_a_message_arrives(
    ends: tuple[socket.socket, socket.socket],
    said: protocol.Calling | protocol.Returned | protocol.Problem,
) -> None:
    near, far = ends
    framed = protocol.frame(protocol.encode(said))
    far.sendall(framed[:3])
    receiving = asyncio.create_task(protocol.receive(near, limit_bytes=1000))
    await asyncio.sleep(0)
    far.sendall(framed[3:])
    assert protocol.decode(await receiving) == said


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "before its answer"),
        (b"\x00\x00", "cut short"),
        (b"\x00\x00\x00\x05ab", "cut short"),
        (b"\x00\x01\x00\x00", "65536 bytes long"),
    ],
)
async def test_what_is_cut_short_or_too_long_is_broken(
    ends: tuple[socket.socket, socket.socket], sent: bytes, why: str
) -> None:
    near, far = ends
    far.sendall(sent)
    far.close()
    with pytest.raises(protocol.ProtocolError, match=why):
        await protocol.receive(near, limit_bytes=1000)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"kind":"returned","result":3}', b'{"kind":"x"}', b"\xff"]
)
def test_what_is_no_message_is_broken_and_not_shown(body: bytes) -> None:
    with pytest.raises(protocol.ProtocolError) as broken:
        protocol.decode(body)
    assert broken.value.__suppress_context__


def test_a_job_arrives_with_its_secrets_and_shows_none() -> None:
    job = Job(
        import_path="a:b",
        arguments='{"x":"é"}',
        attempt=ATTEMPT,
        remaining_s=1.5,
        secrets=SecretValues({"TOKEN": "canary"}),
    )
    near, other = socket.socketpair()
    with near, other:
        other.sendall(protocol.frame(encode_job(job)))
        body = protocol.receive_blocking(near)
        other.close()
        assert protocol.receive_blocking(near) is None
    assert body is not None
    read = decode_job(body)
    assert (read.import_path, read.arguments, read.attempt) == ("a:b", '{"x":"é"}', ATTEMPT)
    assert dict(read.secrets) == {"TOKEN": "canary"}
    assert "canary" not in repr(job) + repr(read)
