"""Where a function was written, for whoever has to mend it."""

import inspect
from collections.abc import Callable
from pathlib import Path

from penstock.contracts.errors import InvalidContract


def invalid(function: Callable[..., object], found: str, wanted: str) -> InvalidContract:
    """Return the error that refuses a declaration.

    Args:
        function: The function of the tool, which is named with its file and line.
        found: A sentence on what it declares.
        wanted: A sentence on what it may do instead.
    """
    return InvalidContract(f"{place(function)}: {found} {wanted}")


def place(function: Callable[..., object]) -> str:
    """Return a function's name, with its file and line where it has them."""
    bare = inspect.unwrap(function)
    name = getattr(bare, "__qualname__", type(bare).__name__)
    code = getattr(bare, "__code__", None)
    if code is None:
        return f"`{name}`"
    return f"`{name}` ({Path(code.co_filename).name}, line {code.co_firstlineno})"


def import_path(function: Callable[..., object]) -> str | None:
    """Return `module:name` by which another process finds a function; None where none can."""
    name: str = getattr(function, "__qualname__", "")
    module: str = getattr(function, "__module__", None) or "__main__"
    if module == "__main__" or not name or "<" in name:
        return None
    return f"{module}:{name}"
