"""The shape of the commands about policies; what they do is in `policing`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from penstock.ui.cli.answering import answering
from penstock.ui.cli.options import As, AsJson, RunArgument, settings
from penstock.ui.cli.output import Output

policy_app = typer.Typer(
    name="policy", help="Check, load, explain and try out policies.", no_args_is_help=True
)

GraphOption = Annotated[str | None, typer.Option(help="Only of this graph; else of all.")]
GraphArgument = Annotated[
    str, typer.Argument(metavar="GRAPH", help="The graph's name in `langgraph.json`.")
]


@policy_app.command()
@answering
def check(
    *,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Else the one that each graph has.")
    ] = None,
    graph: GraphOption = None,
    as_json: AsJson = False,
) -> None:
    """Check policies against the tools they speak of; say what they cannot see."""
    from penstock.ui.cli import policing

    policing.check(settings(), Output(as_json=as_json), folder=folder, graph=graph)


@policy_app.command()
@answering
def load(
    *,
    graph: GraphArgument,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Else the one that the graph has.")
    ] = None,
    instead_of: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Only in place of this version, such as `desk@2`, if it decides.",
        ),
    ] = None,
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Load a policy; it decides from now on, in every worker."""
    from penstock.ui.cli import policing

    output = Output(as_json=as_json)
    if instead_of is None:
        policing.load(settings(), output, graph=graph, folder=folder, who=who)
    else:
        policing.replace(
            settings(), output, graph=graph, folder=folder, instead_of=instead_of, who=who
        )


@policy_app.command()
@answering
def use(
    *,
    name: Annotated[str, typer.Argument(metavar="VERSION", help="Its name, such as `desk@2`.")],
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Have a version decide that was loaded before: to roll back, or forward again."""
    from penstock.ui.cli import policing

    policing.use(settings(), Output(as_json=as_json), name=name, who=who)


@policy_app.command()
@answering
def show(
    *,
    graph: GraphArgument,
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", help="Of the version; else what decides.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the versions of a graph's policy, and the text of one."""
    from penstock.ui.cli import policing

    policing.show(settings(), Output(as_json=as_json), graph=graph, number=number)


@policy_app.command()
@answering
def explain(
    *,
    run_id: RunArgument,
    call: Annotated[
        str | None,
        typer.Argument(metavar="[CALL]", help="One call, by the beginning of its effect's key."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what was decided about the calls of a run, by which policy, and on what grounds."""
    from penstock.ui.cli import policing

    policing.explain(settings(), Output(as_json=as_json), typed=run_id, call=call)


@policy_app.command()
@answering
def whatif(
    *,
    candidate: Annotated[
        Path, typer.Argument(metavar="CANDIDATE", help="The folder of the policy to try out.")
    ],
    graph: GraphOption = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only calls decided about since then, in UTC.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide anew about every recorded call, and show what a candidate would change."""
    from penstock.ui.cli import policing

    policing.what_if(
        settings(), Output(as_json=as_json), candidate=candidate, graph=graph, since=since
    )
