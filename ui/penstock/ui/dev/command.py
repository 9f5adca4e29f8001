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
from penstock.ui.cli.output import Exit, Output
from penstock.ui.cli.store import make_store, migration_outcome, shown_url
from penstock.ui.dev import phoenix, ports
from penstock.ui.dev.supervisor import OWN, Log, Program, Supervisor
from penstock.ui.signals import stopped_by_signals
from penstock.ui.views.store import EndedPrograms

WORKER_STOP_S = 60.0
"""A worker that drains waits for the calls that are under way."""
PAGES_STOP_S = 5.0

_PENSTOCK = (sys.executable, "-P", "-m", "penstock.ui")


@dataclass(frozen=True, slots=True, kw_only=True)
class DevOptions:
    """The programs that run beside the worker, and their ports."""

    port: int
    """The port of the pages."""
    phoenix_port: int
    pages: bool
    phoenix: bool


def dev(settings: Settings, output: Output, *, options: DevOptions) -> Exit:
    """Run everything until a signal, which ends all in order; a second one is at once.

    Raises:
        InvalidManifest: the project's `langgraph.json` is not there or not one.
        PortTaken: somebody else listens where the pages are to be.
        StoreError: the store cannot be opened or written.
    """
    manifest = read_manifest(settings.graphs)
    if options.pages and not ports.is_free(options.port):
        holder = ports.holder(options.port)
        raise PortTaken(
            f"port {options.port} is taken by {holder}; stop that, or say another one with `--port`"
        )
    store = f"the store {shown_url(settings)} {migration_outcome(make_store(settings))}"
    traces = _traces(settings, options)
    programs = _programs(options, traces)
    log = Log([program.name for program in programs], as_json=output.as_json)
    graphs = ", ".join(sorted(entry.name for entry in manifest.entries)) or "none"
    for line in (store, f"graphs: {graphs} from {manifest.file}", *traces.messages):
        log.write(OWN, line)
    log.write(OWN, f"{_listed(programs)}; Ctrl-C ends all of it")
    asyncio.run(_run(programs, log))
    document = EndedPrograms(ended="stopped", parts=[program.name for program in programs])
    output.answer(document, "all has ended")
    return Exit.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traces:
    """Where traces are shown, and the program that shows them."""

    url: str | None
    program: Program | None
    messages: Sequence[str]


def _traces(settings: Settings, options: DevOptions) -> _Traces:
    if settings.phoenix_url is not None:
        message = f"traces: Phoenix at {settings.phoenix_url}, as PENSTOCK_PHOENIX_URL says"
        return _Traces(url=settings.phoenix_url, program=None, messages=[message])
    if not options.phoenix:
        return _Traces(url=None, program=None, messages=[])
    found = phoenix.find(settings.phoenix_env)
    if found is None:
        message = f"no traces are shown: {phoenix.MISSING}"
        return _Traces(url=None, program=None, messages=[message])
    url = phoenix.url(options.phoenix_port)
    if not ports.is_free(options.phoenix_port):
        holder = ports.holder(options.phoenix_port)
        message = (
            f"no Phoenix is started: port {options.phoenix_port} is taken by {holder}. Stop that,"
            f" say another one with `--phoenix-port`, or set PENSTOCK_PHOENIX_URL={url} if that is"
            " the Phoenix you want"
        )
        return _Traces(url=None, program=None, messages=[message])
    program = found.program(port=options.phoenix_port, folder=_data_folder(settings) / "phoenix")
    message = "traces: Phoenix begins; it takes half a minute, and nothing waits for it"
    return _Traces(url=url, program=program, messages=[message])


def _programs(options: DevOptions, traces: _Traces) -> Sequence[Program]:
    """Return the programs; the first ends last, so that Phoenix receives all spans."""
    ui_url = f"http://{ports.HOST}:{options.port}" if options.pages else None
    env = phoenix.penstock_environment(ui_url=ui_url, phoenix_url=traces.url)
    programs = [] if traces.program is None else [traces.program]
    programs.append(
        Program(
            name="worker",
            command=(*_PENSTOCK, "worker"),
            env=env,
            stop_s=WORKER_STOP_S,
            restarts=True,
        )
    )
    if options.pages:
        programs.append(
            Program(
                name="ui",
                command=(*_PENSTOCK, "ui", "--port", str(options.port)),
                env=env,
                stop_s=PAGES_STOP_S,
                restarts=True,
                health=(options.port, "/_stcore/health"),
                up=f"shows the pages at {ui_url}",
            )
        )
    return programs


def _data_folder(settings: Settings) -> Path:
    """Return the folder for data beside the store: in its folder, or here if it is no file."""
    url = make_url(settings.store_url)
    is_file = url.get_backend_name() == "sqlite" and url.database
    return (Path(url.database or "").parent if is_file else Path()) / ".penstock"


async def _run(programs: Sequence[Program], log: Log) -> None:
    supervisor = Supervisor(programs, log.write)

    def stop(_: int) -> None:
        log.write(OWN, "ends all in order; another signal kills at once")
        supervisor.stop()

    with stopped_by_signals(stop, at_once=supervisor.kill):
        await supervisor.run()


def _listed(programs: Sequence[Program]) -> str:
    return "runs " + ", ".join(program.name for program in programs)
