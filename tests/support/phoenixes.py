"""A real Phoenix for tests, started as `penstock dev` starts it."""

import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from penstock.ui.dev import phoenix, ports
from support.checkout import ROOT

START_S = 240
"""It makes its database first, and the machine may be loaded."""


def find_phoenix() -> phoenix.Phoenix | None:
    """Give the Phoenix that `make phoenix` has set up."""
    return phoenix.find(ROOT / phoenix.FOLDER)


@contextmanager
def running(found: phoenix.Phoenix, folder: Path) -> Generator[str]:
    """Have a Phoenix run with its data in `folder`; give its address."""
    port = ports.free_port()
    part = found.part(port=port, folder=folder)
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            part.command, env=dict(part.env), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        ends = time.monotonic() + START_S
        while not ports.answers(port, "/healthz"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        yield phoenix.url(port)
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
