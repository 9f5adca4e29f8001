"""Where the demonstration's runs are seen as traces: in Phoenix, if one is there."""

import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from penstock.contracts.run import Run
from penstock.traces.phoenix_links import PhoenixLinks
from penstock.ui.dev import phoenix, ports
from penstock.ui.dev.supervisor import tied_to_parent

PORT = 6006


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Where the runs are seen as traces: in Phoenix, if one is there."""

    url: str | None
    _process: "subprocess.Popen[bytes] | None" = None
    """A Phoenix that was started here."""

    @classmethod
    @contextmanager
    def shown(cls, home: Path, console: Console) -> "Generator[Traces]":
        """Take the Phoenix that is up, or start one where it is installed and somebody looks."""
        url = os.environ.get("PENSTOCK_PHOENIX_URL")
        if url is not None or not console.is_terminal:
            yield cls(url=url)
            return
        url = phoenix.url(PORT)
        if ports.answers(PORT, "/arize_phoenix_version"):
            yield cls(url=url)
            return
        found = phoenix.find(None)
        if found is None or not ports.is_free(PORT):
            yield cls(url=None)
            return
        # What `penstock dev` takes for this store, too.
        part = found.program(port=PORT, folder=home / ".penstock" / "phoenix")
        with (home / "phoenix.log").open("a") as log:
            process = subprocess.Popen(
                tied_to_parent(part.command), env=dict(part.env), stdout=log, stderr=log
            )
        try:
            with console.status("Phoenix begins; the first time it takes up to a minute"):
                while not ports.answers(PORT, "/healthz") and process.poll() is None:
                    _ended(process, within_s=0.5)
            yield cls(url=None if process.poll() is not None else url, _process=process)
        finally:
            process.terminate()
            if not _ended(process, within_s=part.stop_s):
                process.kill()

    @property
    def variables(self) -> dict[str, str]:
        """What a worker has to know to send them there."""
        if self.url is None:
            return {}
        return {"PENSTOCK_PHOENIX_URL": self.url, "OTEL_EXPORTER_OTLP_ENDPOINT": self.url}

    def told(self, graph: str, runs: Mapping[str, Run], *, begin_anew: str) -> str:
        """Say where the runs are seen, or what has to be done first."""
        if self.url is None:
            return (
                "\nTo see each run as a trace, set Phoenix up and begin anew: "
                f"make phoenix; {begin_anew}; make demo"
            )
        links, (ticket, run) = PhoenixLinks(url=self.url), next(iter(runs.items()))
        return (
            f"\nAll runs as traces: {links.project(graph)}\nThat of {ticket}: {links.trace(run.id)}"
        )

    def wait(self, console: Console) -> None:
        """Let a Phoenix that was started here be looked at until somebody has seen enough."""
        if self._process is not None and self._process.poll() is None:
            console.print("\nPhoenix stays until Ctrl-C.")
            with suppress(KeyboardInterrupt):
                self._process.wait()


def _ended(process: "subprocess.Popen[bytes]", *, within_s: float) -> bool:
    """Tell whether a process has ended, and wait so long for it."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(within_s)
    return process.poll() is not None
