"""A real Phoenix for tests, started as `penstock dev` starts it."""

import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.ui.dev import phoenix, ports
from penstock.ui.dev.supervisor import tied_to_parent
from support.checkout import ROOT

START_S = 240
"""It makes its database first, and the machine may be loaded."""


def find_phoenix() -> phoenix.Phoenix | None:
    """Give the Phoenix that `make phoenix` has set up."""
    return phoenix.find(ROOT / phoenix.FOLDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A Phoenix that runs."""

    url: str
    process_id: int

    def addresses(self) -> set[str]:
        """Return the addresses that it listens on, as Linux writes them, in hex."""
        links = {str(link.readlink()) for link in Path(f"/proc/{self.process_id}/fd").iterdir()}
        rows = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path("/proc/net", table).read_text().splitlines()[1:]
        ]
        return {
            row[1].partition(":")[0]
            for row in rows
            if row[3] == "0A" and f"socket:[{row[9]}]" in links
        }


@contextmanager
def running(found: phoenix.Phoenix, folder: Path) -> Generator[Running]:
    """Have a Phoenix run with its data in `folder`."""
    port = ports.free_port()
    part = found.program(port=port, folder=folder)
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            tied_to_parent(part.command),
            env=dict(part.env),
            stdout=output,
            stderr=subprocess.STDOUT,
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
        yield Running(url=phoenix.url(port), process_id=process.pid)
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
