"""The process of one job: confined first, then given the job, then gone."""

import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from penstock.nodes.isolation import environment, limits, wire
from penstock.nodes.isolation.carry_out import carry_out
from penstock.nodes.isolation.job import read_job
from penstock.nodes.isolation.limits import Limits

_BROKEN = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a new process is given by the one that forked it."""

    channel: int
    """Descriptor of its end of the socket to the pool."""
    output: int
    """Descriptor of the pipe that takes what it prints."""
    close: Iterable[int]
    """Descriptors of its parent's that are none of its business."""
    home: Path
    """Its own directory, which is not there yet."""
    parent_id: int
    limits: Limits


def live(birth: Birth) -> NoReturn:
    """Wait for a job, do it, answer, and end. Nothing that the parent would do at its end is done.

    Runs in a process that was just forked.
    """
    try:
        _confine(birth)
        with socket.socket(fileno=birth.channel) as channel:
            _serve(channel, birth)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(_BROKEN)


def _confine(birth: Birth) -> None:
    os.setsid()
    limits.die_with_parent(birth.parent_id)
    limits.adopt_orphans()
    limits.give_up_privileges()
    # A service manager signals every process of a service when it stops; a call in flight ends by
    # itself, or at its deadline. Handlers, unlike ignoring, are not handed to programs it starts.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _pass)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for descriptor in birth.close:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (birth.output, 1), (birth.output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(birth.output)
    for stream in (sys.stdout, sys.stderr):
        # Its streams say what was printed when it is killed, too.
        getattr(stream, "reconfigure", dict)(line_buffering=True)
    birth.home.mkdir(mode=0o700)
    os.chdir(birth.home)
    environment.clean_up(birth.home)
    tempfile.tempdir = None
    limits.bound(birth.limits)


def _pass(number: int, frame: FrameType | None) -> None:
    del number, frame


def _serve(channel: socket.socket, birth: Birth) -> None:
    body = wire.receive_blocking(channel)
    if body is None:
        return
    job = read_job(body)
    limits.bound_cpu(birth.limits, remaining_s=job.remaining_s)
    own_id = os.getpid()
    said = carry_out(
        job,
        calling=lambda: channel.sendall(wire.frame(wire.write(wire.Calling()))),
        result_bytes=birth.limits.message_bytes,
    )
    if os.getpid() != own_id:
        # The tool forked, and this is the copy of it that came back too.
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    channel.sendall(wire.frame(wire.write(said)))
