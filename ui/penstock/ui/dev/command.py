"""`penstock dev`: migrates the store, and runs a worker, the pages and Phoenix until a signal."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from penstock.contracts.errors import PortTaken
from penstock.graphs import read_manifest
from penstock.runs.settings import Settings
from penstock.ui.cli.exits import Exit
from penstock.ui.cli.output import Output
from penstock.ui.cli.storing import make_store, shown_url, told
from penstock.ui.dev import environment, phoenix, ports
from penstock.ui.dev.log import OWN, Log
from penstock.ui.dev.part import Part
from penstock.ui.dev.supervise import Supervisor
from penstock.ui.signals import stopped_by_signals

WORKER_STOP_S = 60.0
"""A worker that drains waits for the calls that are under way."""
PAGES_STOP_S = 5.0

_PENSTOCK = (sys.executable, "-P", "-m", "penstock.ui")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to run beside the worker, and where."""

    port: int
    """Of the pages."""
    phoenix_port: int
    pages: bool
    phoenix: bool


def dev(settings: Settings, output: Output, *, wanted: Wanted) -> Exit:
    """Run everything until a signal, which ends all in order; a second one is at once.

    Raises:
        InvalidManifest: the project's `langgraph.json` is not there or not one.
        PortTaken: somebody else listens where the pages are to be.
        StoreError: the store cannot be opened or written.
    """
    manifest = read_manifest(settings.graphs)
    if wanted.pages and not ports.is_free(wanted.port):
        holder = ports.holder(wanted.port)
        raise PortTaken(
            f"port {wanted.port} is taken by {holder}; stop that, or say another one with `--port`"
        )
    store = f"the store {shown_url(settings)} {told(make_store(settings))}"
    traces = _traces(settings, wanted)
    parts = _parts(wanted, traces)
    log = Log([part.name for part in parts], as_json=output.as_json)
    graphs = ", ".join(sorted(entry.name for entry in manifest.entries)) or "none"
    for line in (store, f"graphs: {graphs} from {manifest.file}", *traces.said):
        log.say(OWN, line)
    log.say(OWN, f"{_listed(parts)}; Ctrl-C ends all of it")
    asyncio.run(_run(parts, log))
    output.answer({"ended": "stopped", "parts": [part.name for part in parts]}, "all has ended")
    return Exit.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traces:
    """Where traces are shown."""

    url: str | None
    part: Part | None
    said: Sequence[str]


def _traces(settings: Settings, wanted: Wanted) -> _Traces:
    if settings.phoenix_url is not None:
        said = f"traces: Phoenix at {settings.phoenix_url}, as PENSTOCK_PHOENIX_URL says"
        return _Traces(url=settings.phoenix_url, part=None, said=[said])
    if not wanted.phoenix:
        return _Traces(url=None, part=None, said=[])
    found = phoenix.find(settings.phoenix_env)
    if found is None:
        said = f"no traces are shown: {phoenix.MISSING}"
        return _Traces(url=None, part=None, said=[said])
    url = phoenix.url(wanted.phoenix_port)
    if not ports.is_free(wanted.phoenix_port):
        holder = ports.holder(wanted.phoenix_port)
        said = (
            f"no Phoenix is started: port {wanted.phoenix_port} is taken by {holder}. Stop that,"
            f" say another one with `--phoenix-port`, or set PENSTOCK_PHOENIX_URL={url} if that is"
            " the Phoenix you want"
        )
        return _Traces(url=None, part=None, said=[said])
    part = found.part(port=wanted.phoenix_port, folder=_data_folder(settings) / "phoenix")
    said = "traces: Phoenix begins; it takes half a minute, and nothing waits for it"
    return _Traces(url=url, part=part, said=[said])


def _parts(wanted: Wanted, traces: _Traces) -> Sequence[Part]:
    """Return what runs; what begins first ends last, so that Phoenix hears of all."""
    ui_url = f"http://{ports.HOST}:{wanted.port}" if wanted.pages else None
    env = environment.of_penstock(ui_url=ui_url, phoenix_url=traces.url)
    parts = [] if traces.part is None else [traces.part]
    parts.append(
        Part(
            name="worker",
            command=(*_PENSTOCK, "worker"),
            env=env,
            stop_s=WORKER_STOP_S,
            restarts=True,
        )
    )
    if wanted.pages:
        parts.append(
            Part(
                name="ui",
                command=(*_PENSTOCK, "ui", "--port", str(wanted.port)),
                env=env,
                stop_s=PAGES_STOP_S,
                restarts=True,
                health=(wanted.port, "/_stcore/health"),
                up=f"shows the pages at {ui_url}",
            )
        )
    return parts


def _data_folder(settings: Settings) -> Path:
    """Return where data beside the store lies: in its folder, or here if it is no file."""
    url = make_url(settings.store_url)
    is_file = url.get_backend_name() == "sqlite" and url.database
    return (Path(url.database or "").parent if is_file else Path()) / ".penstock"


async def _run(parts: Sequence[Part], log: Log) -> None:
    supervisor = Supervisor(parts, log.say)

    def stop(_: int) -> None:
        log.say(OWN, "ends all in order; another signal kills at once")
        supervisor.stop()

    with stopped_by_signals(stop, at_once=supervisor.kill):
        await supervisor.run()


def _listed(parts: Sequence[Part]) -> str:
    return "runs " + ", ".join(part.name for part in parts)
