"""`penstock init`: a project to begin with."""

import json
from pathlib import Path

from penstock.contracts.errors import ProjectExists
from penstock.graphs.manifest import FILE_NAME
from penstock.runs.settings import Settings
from penstock.ui.cli.output import Output
from penstock.ui.cli.storing import make_store, shown_url, told

EXAMPLE = '''"""A graph that greets somebody, once a person has read the greeting."""

from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel


class Greeting(TypedDict, total=False):
    name: str
    text: str
    sent: bool


class Approval(BaseModel):
    approved: bool


def write(state: Greeting) -> Greeting:
    return {"text": f"Hello, {state['name']}!"}


def approve(state: Greeting) -> Greeting:
    answer = interrupt({"send this?": state["text"]}, response_schema=Approval)
    return {"sent": Approval.model_validate(answer).approved}


builder = StateGraph(Greeting)
builder.add_node("write", write)
builder.add_node("approve", approve)
builder.add_edge(START, "write")
builder.add_edge("write", "approve")
builder.add_edge("approve", END)
graph = builder.compile()
'''
"""The module of a new project."""

MANIFEST = {"dependencies": ["."], "graphs": {"hello": "./graph.py:graph"}}
"""The `langgraph.json` of a new project."""

COMMAND = """penstock run hello '{"name": "Ada"}' --wait"""
"""What to type in a new project."""


def init(settings: Settings, output: Output) -> None:
    """Write a project where the settings look for one, and make its store.

    Raises:
        ProjectExists: there is a file in the way; nothing was written.
    """
    named = settings.graphs
    manifest = named / FILE_NAME if named.is_dir() else named
    module = manifest.with_name("graph.py")
    for file in (manifest, module):
        _refuse_present(file)
    before = make_store(settings)
    for file, text in ((module, EXAMPLE), (manifest, json.dumps(MANIFEST, indent=2) + "\n")):
        _write_new(file, text)
    output.answer(
        {
            "files": [str(manifest), str(module)],
            "store": shown_url(settings),
            "before": before,
            "next": COMMAND,
        },
        f"wrote {manifest} and {module}",
        f"the store {shown_url(settings)} {told(before)}",
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
