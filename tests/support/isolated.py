"""Tools that run in processes of their own, and do there what tools should not."""

import asyncio
import ctypes
import json
import logging
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from langchain_core.tools import InjectedToolCallId
from opentelemetry.propagate import inject
from pydantic import Field, JsonValue

from penstock.nodes import (
    Attempt,
    IdempotencyKey,
    Permanent,
    RefusedByService,
    Retryable,
    SecretRef,
    tool,
)
from penstock.nodes.isolation import protocol

FOREVER_S = 600.0


@dataclass(frozen=True)
class Receipt:
    """A result with types in it."""

    id: str
    amount: Decimal
    parts: tuple[int, ...] = ()


class Declined(RefusedByService):
    """A refusal with a code of its own."""

    code = "card_declined"


class Odd(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError


def hang() -> None:
    """Do nothing for a long time."""
    select.select([], [], [], FOREVER_S)


@tool(effect="read", isolation="subprocess")
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool(effect="keyed", isolation="subprocess")
async def pay(cents: int, key: IdempotencyKey, attempt: Attempt) -> Receipt:
    """Pay, after a turn of the event loop."""
    await asyncio.sleep(0)
    return Receipt(id=f"{key}/{attempt.number}", amount=Decimal(cents) / 100, parts=(1, 2))


@tool(isolation="subprocess")
def call_id(own: Annotated[str, InjectedToolCallId]) -> str:
    """Return the provider's id of the call."""
    return own


@tool(isolation="subprocess")
def process(about: str) -> JsonValue:
    """Tell of the process it runs in."""
    del about
    return {
        "id": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109  (text)
        "temporary": tempfile.gettempdir(),
        "input": sys.stdin.read(),
        "descriptors": [
            target
            for each in os.listdir("/proc/self/fd")  # noqa: PTH208  (text)
            if (target := _target(each)) is not None
        ],
        "no_new_privileges": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0),
        "limits": {
            name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0]
            for name in ("CORE", "CPU", "AS", "NOFILE", "FSIZE")
        },
    }


@tool(isolation="subprocess")
def meet(folder: str, count: int) -> int:
    """Wait until as many calls are here at the same time."""
    place = Path(folder)
    (place / str(os.getpid())).touch()
    while (found := len(list(place.iterdir()))) < count:
        select.select([], [], [], 0.005)
    return found


@tool(isolation="subprocess")
def random_id() -> str:
    """Make an id as LangChain makes them."""
    import uuid_utils  # noqa: PLC0415  (as a tool would)

    return str(uuid_utils.uuid7())


@tool(isolation="subprocess")
def fail(how: str) -> None:
    """Fail in the way that is asked for."""
    match how:
        case "retryable":
            raise Retryable("try later", after_s=2.5)
        case "permanent":
            raise Permanent("never")
        case "refused":
            raise RefusedByService("not so")
        case "declined":
            raise Declined("no money")
        case "odd":
            raise Odd
        case "exit":
            sys.exit(3)
        case _:
            raise ValueError(how)


@tool(isolation="subprocess")
def lie(text: str) -> int:
    """Return something else than it says."""
    return text  # pyright: ignore[reportReturnType]


@tool(isolation="subprocess")
def die(signal_number: int) -> None:
    """Die of a signal, or leave with 7 for 0."""
    print("last words", flush=True)
    if signal_number == 0:
        os._exit(7)
    os.kill(os.getpid(), signal_number)
    hang()


@tool(isolation="subprocess")
def spin(note: str) -> None:
    """Never give way."""
    Path(note).write_text(str(os.getpid()))
    while True:
        pass


@tool(isolation="subprocess")
def block(note: str) -> None:
    """Block in C, deaf to signals."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    Path(note).write_text(str(os.getpid()))
    ctypes.CDLL(None).sleep(600)


@tool(isolation="subprocess")
def breed(note: str, *, stays: bool) -> str:
    """Start a process, and one in a session of its own that its parent leaves behind."""
    hanging = "import select; select.select([], [], [], 600)"
    near = subprocess.Popen([sys.executable, "-S", "-c", hanging])
    starting = (
        "import os, subprocess, sys;"
        f"p = subprocess.Popen([sys.executable, '-S', '-c', {hanging!r}], "
        " start_new_session=True, stdout=subprocess.DEVNULL);"
        "print(p.pid)"
    )
    far = subprocess.check_output([sys.executable, "-S", "-c", starting], text=True)
    pids = json.dumps([os.getpid(), near.pid, int(far)])
    Path(note).write_text(pids)
    if stays:
        hang()
    return pids


@tool(isolation="subprocess")
def hoard(mebibytes: int) -> int:
    """Take memory."""
    return len(bytearray(mebibytes << 20))


@tool(isolation="subprocess")
def fill(mebibytes: int) -> int:
    """Write a large file."""
    with Path("large").open("wb") as file:
        for _ in range(mebibytes):
            file.write(bytes(1 << 20))
            file.flush()
    return mebibytes


@tool(isolation="subprocess")
def shout(mebibytes: int) -> str:
    """Print much, in every way there is."""
    line = "noise " * 1000
    for _ in range(mebibytes * 80):
        print(line)
        print(line, file=sys.stderr)
    os.write(1, b"\x00\x00\x00\x02{}")
    subprocess.run(["/bin/echo", "from a program"], check=True)
    return "heard"


@tool(isolation="subprocess")
def large(count: int) -> str:
    """Return much."""
    return "x" * count


@tool(isolation="subprocess")
def leak(where: str, token: Annotated[str, SecretRef("CANARY")]) -> str:
    """Let a secret out in some way."""
    if where == "result":
        return f"the token is {token}"
    if where == "environment":
        return ", ".join(name for name in ("CANARY", "OTHER") if name in os.environ)
    _leak_and_fail(where, token)
    raise AssertionError


@tool(isolation="subprocess")
def coded(
    token: Annotated[str, SecretRef("CANARY")],
) -> Annotated[str, Field(pattern="^[a-z0-9]+$")]:
    """Return a secret where its mark would not fit."""
    return token


def _leak_and_fail(where: str, token: str) -> None:
    match where:
        case "message":
            raise ValueError(f"bad token {token}")
        case "typed":
            raise Permanent(f"bad token {token}")
        case "repr":
            raise ValueError([token])
        case "long":
            raise ValueError("x" * 3990 + token)
        case "type":
            raise type(token, (Exception,), {})
        case "log":
            logging.getLogger("it").warning("token %s", token)
            os._exit(1)
        case "output":
            print("y" * 20_000 + token, os.environ["CANARY"], flush=True)
            os._exit(1)
        case "part":
            os.write(1, token[:4].encode())
            os.write(1, token[4:].encode())
            os._exit(1)
        case _:
            raise ValueError("printed")


@tool(isolation="subprocess")
def meddle(how: str) -> str:
    """Answer wrongly on the channel to the pool."""
    (channel,) = [
        int(each)
        for each in os.listdir("/proc/self/fd")  # noqa: PTH208  (text)
        if (_target(each) or "").startswith("socket:")
    ]
    answers = {
        "nonsense": protocol.frame(b"nonsense"),
        "short": b"\x00\x00\x00\x09abc",
        "long": b"\xff\xff\xff\xff",
        "no JSON": protocol.frame(protocol.encode(protocol.Returned(result="{"))),
        "not asked": protocol.frame(protocol.encode(protocol.Calling())),
        "other": protocol.frame(b'{"kind":"returned","result":"1","more":1}'),
        "closed": b"",
    }
    os.write(channel, answers[how])
    if how == "closed":
        os.close(channel)
        hang()
    os._exit(0)


@tool(isolation="subprocess")
def fork() -> str:
    """Come back twice."""
    os.fork()
    return "once"


def bare(n: int) -> int:
    """Return it; a tool by another name."""
    return n


bare_tool = tool(bare, isolation="subprocess")


def _target(descriptor: str) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115  (text)
    except OSError:
        return None


@tool(effect="read", isolation="subprocess")
def hand_on() -> str:
    """Return what a client would send of the trace, or nothing."""
    headers: dict[str, str] = {}
    inject(headers)
    return headers.get("traceparent", "")


@tool(effect="read", isolation="subprocess")
async def hand_on_later() -> str:
    """Return what a client would send of the trace in a coroutine, or nothing."""
    return await asyncio.create_task(_hand_on())


async def _hand_on() -> str:
    headers: dict[str, str] = {}
    inject(headers)
    return headers.get("traceparent", "")
