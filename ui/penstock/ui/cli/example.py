"""`penstock init`: an example project to begin with."""

import json
from pathlib import Path

from penstock.contracts.errors import ProjectExists
from penstock.ui.cli.options import AsJson
from penstock.ui.cli.output import Output
from penstock.ui.cli.store import make_store, migration_outcome, shown_url
from penstock.ui.project import read_settings
from penstock.ui.views.store import NewProject

EXAMPLE = '''\
"""A graph that writes a greeting, and sends it once a person has approved exactly that."""

from pathlib import Path
from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from penstock.contracts.errors import ToolRefused
from penstock.graphs import declare
from penstock.nodes import tool

HERE = Path(__file__).resolve().parent


class Greeting(TypedDict, total=False):
    name: str
    text: str
    outcome: str


# Never made twice: where nobody knows whether it has happened, a person is asked.
@tool(effect="unsafe")
def send(to: str, text: str) -> str:
    """Send a greeting: here, add it to a file."""
    with (HERE / "sent.txt").open("a", encoding="utf-8") as file:
        file.write(f"{to}: {text}\\n")
    return "sent"


def write(state: Greeting) -> Greeting:
    return {"text": f"Hello, {state['name']}!"}


async def deliver(state: Greeting) -> Greeting:
    try:
        return {"outcome": await send(to=state["name"], text=state["text"])}
    except ToolRefused as refused:
        return {"outcome": str(refused)}


builder = StateGraph(Greeting)
builder.add_node("write", write)
builder.add_node("deliver", deliver)
builder.add_edge(START, "write")
builder.add_edge("write", "deliver")
builder.add_edge("deliver", END)
graph = declare(builder, name="hello", tools=[send], policy=HERE / "policy")
'''
"""The module of a new project."""

ALLOW = """\
// What may happen at all. Without a permit a call is denied, and a forbid wins over every permit.

@id("look")
@doc("What only reads may be called.")
permit (principal, action in Penstock::Action::"effect_read", resource);

@id("send")
@doc("Greetings may be sent.")
permit (principal, action == Penstock::Action::"send", resource);
"""
GATES = """\
// What people approve first. Make a rule narrower, as in `when { context.args.to != "Ada" }`, or
// remove it; then try `penstock policy check`.

@id("read-first")
@doc("Somebody reads a greeting before it is sent.")
@gate("operators")
@self("allowed") // you may approve what you run yourself; remove it once there are others
permit (principal, action == Penstock::Action::"send", resource);
"""
"""The policy of a new project."""

MANIFEST = {"dependencies": ["."], "graphs": {"hello": "./graph.py:graph"}}
"""The `langgraph.json` of a new project."""

COMMAND = """penstock run hello '{"name": "Ada"}' --wait"""
"""What to type in a new project."""


def init(*, as_json: AsJson = False) -> None:
    """Write an example project here, and make its store."""
    from penstock.graphs.manifest import FILE_NAME

    settings = read_settings()
    named = settings.graphs
    manifest = named / FILE_NAME if named.is_dir() else named
    policy = manifest.with_name("policy")
    texts = {
        manifest: json.dumps(MANIFEST, indent=2) + "\n",
        manifest.with_name("graph.py"): EXAMPLE,
        policy / "allow" / "greetings.cedar": ALLOW,
        policy / "gates" / "greetings.cedar": GATES,
    }
    for file in (*texts, policy):
        _refuse_present(file)
    before = make_store(settings)
    # The manifest comes last: without it there is no project.
    for file, text in reversed(texts.items()):
        _write_new(file, text)
    url = shown_url(settings)
    Output(as_json=as_json).answer(
        NewProject(files=[str(file) for file in texts], store=url, before=before, next=COMMAND),
        *(f"wrote {file}" for file in texts),
        f"the store {url} {migration_outcome(before)}",
        f"next: {COMMAND}",
    )


def _refuse_present(file: Path) -> None:
    if file.exists():
        msg = f"`{file}` is there already and was left alone; use an empty folder for a new project"
        raise ProjectExists(msg)


def _write_new(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        msg = f"`{file}` cannot be written: {error.strerror}"
        raise ProjectExists(msg) from error
