"""The shape of the command line: commands, arguments, options.

The work is done by the other modules, which are imported by the command that needs them: LangGraph
takes half a second, and must find its strict mode set when it is first imported.
"""

import os
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from penstock.contracts.amounts import read_budget
from penstock.contracts.budget import OnExhaustion
from penstock.contracts.run import RunMode, WhenBusy
from penstock.ui.cli.answering import answering
from penstock.ui.cli.audit_app import audit_app
from penstock.ui.cli.exits import Exit
from penstock.ui.cli.gate_app import gate_app
from penstock.ui.cli.options import AsJson, RunArgument, settings
from penstock.ui.cli.output import Output
from penstock.ui.cli.policy_app import policy_app
from penstock.ui.cli.run_app import run_app
from penstock.ui.cli.show_app import show_app
from penstock.ui.cli.ui_app import ui_app
from penstock.ui.cli.worker_app import worker_app

STRICT = "LANGGRAPH_STRICT_MSGPACK"
"""LangGraph's switch: what is read from a checkpoint must not be able to run code."""

app = typer.Typer(
    name="penstock",
    help="Durable, governed runs for LangGraph agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(show_app)
app.add_typer(gate_app)
app.add_typer(run_app)
app.add_typer(policy_app)
app.add_typer(audit_app)
app.add_typer(ui_app)
app.add_typer(worker_app)


def main() -> None:
    """Run the command line."""
    app()


def _print_version(*, wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"penstock {version('penstock')}")
        except PackageNotFoundError:
            typer.echo("penstock (not installed as a package)")
        raise typer.Exit


@app.callback()
def prepare(
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Durable, governed runs for LangGraph agents."""
    _print_version(wanted=_version)
    os.environ[STRICT] = "true"


@app.command()
@answering
def init(*, as_json: AsJson = False) -> None:
    """Write an example project here, and make its store."""
    from penstock.ui.cli import beginning

    beginning.init(settings(), Output(as_json=as_json))


@app.command()
@answering
def run(
    *,
    graph: Annotated[str, typer.Argument(help="The graph's name in `langgraph.json`.")],
    given: Annotated[
        str,
        typer.Argument(metavar="[INPUT]", help="The input as JSON; `@file` or `-` reads it."),
    ] = "{}",
    key: Annotated[
        str | None, typer.Option(help="Your name for the run: the same key is the same run.")
    ] = None,
    thread: Annotated[
        str | None, typer.Option(help="The thread to run on; without one, a new one.")
    ] = None,
    when_busy: Annotated[
        WhenBusy, typer.Option(help="What to do while another run is on the thread.")
    ] = WhenBusy.WAIT,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Let its tools only read; refuse all else.")
    ] = False,
    deadline_s: Annotated[
        float | None, typer.Option(help="Seconds it may take; time at gates does not count.")
    ] = None,
    caps: Annotated[
        list[str] | None,
        typer.Option(
            "--budget",
            metavar="CAP",
            help="What it may use: `tokens=500000`, `money=2.50 USD`, `tool_calls=`, `tool_spend=`,"
            " `steps=`, `wall_s=`; may be repeated.",
        ),
    ] = None,
    when_exhausted: Annotated[
        OnExhaustion | None,
        typer.Option(help="What a cap that is reached does; without it, as the graph says."),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="The run that starts it, and whose budget it uses too."),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="What to sort it by; may be repeated.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Drive the run here and show how it comes on.")
    ] = False,
    no_drive: Annotated[
        bool, typer.Option("--no-drive", help="With --wait: leave the driving to workers.")
    ] = False,
    timeout_s: Annotated[
        float | None, typer.Option(min=0, help="With --wait: seconds to wait at most.")
    ] = None,
    traceparent: Annotated[
        str | None, typer.Option(help="The span that the run's trace is to link to.")
    ] = None,
    as_json: AsJson = False,
) -> int | None:
    """Start a run of a graph."""
    if not wait and (no_drive or timeout_s is not None):
        raise typer.BadParameter("--no-drive and --timeout-s need --wait")
    try:
        budget = replace(read_budget(caps or ()), on_exhaustion=when_exhausted)
    except ValueError as error:
        raise typer.BadParameter(f"--budget: {error}") from None
    from penstock.ui.cli import starting

    return starting.start(
        settings(),
        Output(as_json=as_json),
        graph=graph,
        given=given,
        key=key,
        thread=thread,
        when_busy=when_busy,
        mode=RunMode.SIMULATE if simulate else RunMode.LIVE,
        traceparent=traceparent,
        deadline_s=deadline_s,
        budget=budget,
        parent=parent,
        tags=tag or (),
        waiting=starting.Waiting(drive=not no_drive, timeout_s=timeout_s) if wait else None,
    )


@app.command()
@answering
def forget(
    *,
    run_id: RunArgument,
    thread: Annotated[
        bool, typer.Option("--thread", help="All runs of its thread, and with them its state.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Erase what a run was told, has said and done, and say what each store did."""
    from penstock.ui.cli import forgetting

    forgetting.forget(settings(), Output(as_json=as_json), typed=run_id, thread=thread)


@app.command()
@answering
def retention(*, as_json: AsJson = False) -> None:
    """Show how long what is kept, and how much is older now; nothing is taken away."""
    from penstock.ui.cli import retaining

    retaining.show(settings(), Output(as_json=as_json))


@app.command()
@answering
def dev(
    *,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of the pages; else PENSTOCK_UI_PORT."),
    ] = None,
    phoenix_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Of Phoenix, on this machine only.")
    ] = 6006,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Without the pages.")] = False,
    no_phoenix: Annotated[bool, typer.Option("--no-phoenix", help="Without Phoenix.")] = False,
    as_json: AsJson = False,
) -> Exit | None:
    """Run everything here: a worker, the pages, and Phoenix where it is installed."""
    from penstock.ui.dev import command

    told = settings()
    options = command.DevOptions(
        port=port or told.ui_port,
        phoenix_port=phoenix_port,
        pages=not no_ui,
        phoenix=not no_phoenix,
    )
    return command.dev(told, Output(as_json=as_json), options=options)


@app.command()
@answering
def migrate(*, as_json: AsJson = False) -> None:
    """Bring the store's tables up to date, making it if there is none."""
    from penstock.ui.cli import storing

    storing.migrate(settings(), Output(as_json=as_json))


@app.command()
@answering
def doctor(*, as_json: AsJson = False) -> Exit | None:
    """Look for what is wrong: versions, graphs, the store, workers, stuck runs."""
    from penstock.ui.cli import doctor as doctoring

    return doctoring.examine(settings(), Output(as_json=as_json))
