"""LangGraph projects for tests: a folder with a `langgraph.json` and some modules."""

import json
import textwrap
from pathlib import Path
from typing import Any

AGENT = """
from typing import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict):
    count: int

def step(state: State) -> State:
    return {"count": state["count"] + 1}

builder = StateGraph(State).add_node("step", step).add_edge(START, "step")
graph = builder.compile()
"""
"""A module with a `builder` and a `graph`, whose one node is `step`."""


class Project:
    """A LangGraph project in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        """Write a module of the project."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def manifest(self, graphs: Any, **more: Any) -> Path:
        """Write the project's `langgraph.json`."""
        told = {"dependencies": ["."], "graphs": graphs, **more}
        return self.write("langgraph.json", json.dumps(told))
