"""Reading `langgraph.json`, the file in which a LangGraph project lists its graphs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError

from penstock.contracts.errors import InvalidManifest

FILE_NAME = "langgraph.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a variable lies: in a file of the project, or in a module that can be imported."""

    text: str
    """As the manifest has it: `./agent.py:graph`."""
    place: Path | str
    """The file, or the module's dotted name."""
    variable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One graph of a manifest."""

    name: str
    """Its id in the file."""
    reference: Reference
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What Penstock takes from a `langgraph.json`. Other keys of it are left to LangGraph."""

    file: Path
    entries: tuple[Entry, ...]
    folders: tuple[Path, ...]
    """Where the project's own modules lie: its folder, and the dependencies that are folders."""
    env: Path | Mapping[str, str]
    """The file of variables, which may be missing, or the variables. Nothing here applies them:
    a caller that wants them does so before the graphs are loaded."""


def read_manifest(path: Path) -> Manifest:
    """Read a `langgraph.json`, given as the file or the folder that holds it.

    Raises:
        InvalidManifest: It is missing, not JSON, or not a manifest.
    """
    file = (path / FILE_NAME if path.is_dir() else path).resolve()
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidManifest(
            f"`{path}` cannot be read: {error.strerror}. "
            f"Give the path of a project's `{FILE_NAME}`, or of its folder."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidManifest(f"`{path}` is not UTF-8 text: {error.reason}.") from error
    try:
        told = _File.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise InvalidManifest(
            f"`{path}` is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except ValidationError as error:
        raise InvalidManifest(_problems(path, error)) from error
    folder = file.parent
    return Manifest(
        file=file,
        entries=tuple(
            Entry(
                name=name,
                reference=_reference(graph.path, folder=folder, graph=name),
                description=graph.description or "",
            )
            for name, graph in told.graphs.items()
        ),
        folders=_folders(folder, told.dependencies),
        env=folder / told.env if isinstance(told.env, str) else told.env,
    )


class _Graph(BaseModel):
    path: str
    description: str | None = None


def _spelled_out(value: Any) -> Any:
    """Read the short form of an entry, its path alone, as the long one."""
    return {"path": value} if isinstance(value, str) else value


class _File(BaseModel):
    graphs: dict[str, Annotated[_Graph, BeforeValidator(_spelled_out)]]
    dependencies: list[str] = []
    env: str | dict[str, str] = {}


def _reference(text: str, *, folder: Path, graph: str) -> Reference:
    place, _, variable = text.rpartition(":")
    if not place or not variable.isidentifier():
        raise InvalidManifest(
            f"Graph `{graph}` has the path `{text}`. "
            "Wanted is a file or a module and a variable in it: `./agent.py:graph`."
        )
    if "/" not in place and not place.endswith(".py"):
        return Reference(text=text, place=place, variable=variable)
    file = (folder / place).resolve()
    if file.suffix != ".py":
        raise InvalidManifest(
            f"Graph `{graph}` lies in `{place}`. Penstock runs graphs written in Python."
        )
    if not file.is_file():
        raise InvalidManifest(
            f"Graph `{graph}` lies in `{place}`, but there is no such file. "
            f"Paths begin at the folder of the `{FILE_NAME}`."
        )
    return Reference(text=text, place=file, variable=variable)


def _folders(folder: Path, dependencies: list[str]) -> tuple[Path, ...]:
    """Return the folders in which LangGraph would find modules; packages are installed already."""
    local = [(folder / name).resolve() for name in dependencies if name.startswith(".")]
    return tuple(dict.fromkeys([folder, *(place for place in local if place.is_dir())]))


def _problems(path: Path, error: ValidationError) -> str:
    lines = [
        f"- `{'.'.join(str(part) for part in problem['loc']) or FILE_NAME}`: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return "\n".join([f"`{path}` is JSON, but no manifest of graphs:", *lines])
