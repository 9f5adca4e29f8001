"""Importing what a manifest names from a project's own code; a factory is called as well."""

import asyncio
import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.contracts.errors import InvalidGraph
from penstock.graphs.declaration import describe_object
from penstock.graphs.manifest import Entry, Manifest

DEADLINE_S = 60.0
"""How long an asynchronous factory may take."""

SERVER_ONLY = "ServerRuntime"
"""The argument with which a factory asks for LangGraph's own server."""


def make_importable(folders: Iterable[Path]) -> None:
    """Let the project's modules find each other, behind everything that is installed."""
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def load_variable(entry: Entry, manifest: Manifest) -> object:
    """Import what an entry of the manifest points to, and return it.

    Raises:
        InvalidGraph: The import fails (its error is chained), or the variable is not there.
    """
    reference = entry.reference
    # This runs code of the project, which may raise anything.
    try:
        if isinstance(reference.place, str):
            module = importlib.import_module(reference.place)
        else:
            module = _import_file(reference.place, manifest.file.parent)
    except Exception as error:
        raise InvalidGraph(
            f"Graph `{entry.name}` cannot be imported from `{reference.text}`: "
            f"{type(error).__name__}: {error}"
        ) from error
    try:
        # As LangGraph does it: what a module's `__getattr__` would make up is not looked for.
        return vars(module)[reference.variable]
    except KeyError:
        raise InvalidGraph(
            f"Graph `{entry.name}` should be `{reference.text}`, "
            f"but there is no `{reference.variable}`. There is: {_public_names(module)}."
        ) from None


def call_factory(factory: Callable[..., object], *, name: str) -> object:
    """Call a graph's factory as LangGraph does, and return what it made.

    It is called once, when the graph is loaded, with an empty `RunnableConfig` if it takes one: a
    graph that was shaped by the config of each run would have no fingerprint. An asynchronous
    factory is awaited on an event loop of its own, which is gone afterwards.

    Raises:
        InvalidGraph: It wants other arguments, raises (its error is chained), takes too long, or
            returns a context manager.
    """
    arguments = _arguments(factory, name=name)
    # This runs code of the project, which may raise anything.
    try:
        made = factory(*arguments)
        if inspect.iscoroutine(made):
            made = _await(made)
    except Exception as error:
        raise InvalidGraph(
            f"The factory of graph `{name}` failed: {type(error).__name__}: {error}"
        ) from error
    if isinstance(made, contextlib.AbstractContextManager | contextlib.AbstractAsyncContextManager):
        raise InvalidGraph(
            f"The factory of graph `{name}` is a context manager. Penstock keeps a graph for as "
            "long as its worker lives: return the graph, and open what a run needs in its nodes."
        )
    return made  # pyright: ignore[reportUnknownVariableType] (whatever the project made)


def _import_file(file: Path, folder: Path) -> ModuleType:
    """Import a file under the name by which its neighbours import it, if it has one.

    Otherwise it would be there twice, with two sets of classes. A file that no import statement
    can name gets a name of its own, from its place in the project: every worker must give it the
    same, because checkpoints name the types of a state by it.
    """
    parts = file.relative_to(folder).with_suffix("").parts if file.is_relative_to(folder) else ()
    dotted = ".".join(parts)
    if parts and all(part.isidentifier() for part in parts) and _leads_to(dotted, file):
        return importlib.import_module(dotted)
    name = "langgraph_json_" + re.sub(r"\W", "_", dotted or file.stem)
    taken = sys.modules.get(name)
    if taken is not None and taken.__file__ != str(file):
        name += "_" + hashlib.sha256(str(file).encode()).hexdigest()[:8]
    return sys.modules[name] if name in sys.modules else _execute(file, name)


def _leads_to(dotted: str, file: Path) -> bool:
    """Whether importing this name would import this file."""
    try:
        found = importlib.util.find_spec(dotted)
    except (ImportError, ValueError, AttributeError):
        return False
    return found is not None and found.origin is not None and Path(found.origin).resolve() == file


def _execute(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"Python has no loader for `{file.name}`")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _public_names(module: ModuleType) -> str:
    names = [f"`{name}`" for name in vars(module) if not name.startswith("_")]
    return ", ".join(sorted(names)) or "nothing"


def _arguments(factory: Callable[..., object], *, name: str) -> tuple[object, ...]:
    try:
        signature = inspect.signature(factory)
    except ValueError as error:
        raise InvalidGraph(
            f"Graph `{name}` is {describe_object(factory)}, which does not say what it takes. "
            "Wanted is a graph, or a function that returns one."
        ) from error
    parameters = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]
    for parameter in parameters:
        if SERVER_ONLY in str(parameter.annotation):
            raise InvalidGraph(
                f"The factory of graph `{name}` takes a `{SERVER_ONLY}`, which only LangGraph's "
                "server has. Let it take a `RunnableConfig`, or nothing."
            )
    needed = [parameter for parameter in parameters if parameter.default is parameter.empty]
    keyword_only = [parameter for parameter in needed if parameter.kind is parameter.KEYWORD_ONLY]
    if len(needed) > 1 or keyword_only:
        wanted = ", ".join(f"`{parameter.name}`" for parameter in needed)
        raise InvalidGraph(
            f"The factory of graph `{name}` wants {wanted}. "
            "It may take nothing, or one `RunnableConfig`."
        )
    takes_one = bool(parameters) and parameters[0].kind is not inspect.Parameter.KEYWORD_ONLY
    return ({"configurable": {}},) if takes_one else ()


def _await(made: Coroutine[Any, Any, object]) -> object:
    """Await on a loop in another thread: this one may be running a loop already."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="penstock-factory") as thread:
        return thread.submit(asyncio.run, _in_time(made)).result()


async def _in_time(made: Coroutine[Any, Any, object]) -> object:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await made
    except TimeoutError as error:
        raise TimeoutError(f"it was not done within {DEADLINE_S:g} s") from error
