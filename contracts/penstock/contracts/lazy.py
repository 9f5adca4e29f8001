"""Package faces that import what they name only when it is asked for (PEP 562).

LangGraph and LangChain take a second to import. Who imports one name of a package, or one of its
modules, is not to wait for all of it.
"""

import importlib
import sys
from collections.abc import Callable, Mapping


def lazy_exports(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return the `__getattr__` of a package whose names stand in `modules`, each in a module.

    The package also imports the names under `TYPE_CHECKING`, for type checkers and readers.
    """

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
