"""Finding the variable that a manifest names, in the project's own code."""

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from penstock.contracts.errors import InvalidGraph
from penstock.graphs.manifest import Entry, Manifest


def make_importable(folders: Iterable[Path]) -> None:
    """Let the project's modules find each other, behind everything that is installed."""
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def locate(entry: Entry, manifest: Manifest) -> object:
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
