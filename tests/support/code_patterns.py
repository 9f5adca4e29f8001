"""Finds code by its structure, and puts other code in its place.

A pattern is Python: statements, an expression, or a piece that stands only inside others, which is
an argument (`limit=3`), a link of a chain (`.limit(3)`), a `case` or an `except`. Syntax trees are
compared, so formatting and comments do not matter.

`...` stands for anything: for any one expression, and in a list of statements or arguments for any
number of them. In the new code, each `...` is what the same one of the old code stands for.
"""

import ast
import builtins
import textwrap
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

_STATEMENT = "statement"
_EXPRESSION = "expression"
_ARGUMENT = "argument"
_CLAUSE = "clause"


@dataclass(frozen=True, slots=True)
class Fit:
    """What stands in the code for the names and for each `...` of a pattern."""

    may_rename: bool = False
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    anything: Sequence[Sequence[ast.AST]] = ()

    @property
    def renamed_count(self) -> int:
        """How many names of the pattern are others in the code."""
        return sum(1 for wanted, there in self.names.items() if wanted != there)

    def naming(self, wanted: str, there: str) -> "Fit | None":
        """Let one name stand for another; each stands for one and has one that stands for it."""
        known = self.names.get(wanted)
        if known is not None:
            return self if known == there else None
        is_free = self.may_rename and not hasattr(builtins, wanted)
        if (wanted != there and not is_free) or there in self.names.values():
            return None
        return replace(self, names={**self.names, wanted: there})

    def with_anything(self, nodes: Sequence[ast.AST]) -> "Fit":
        """Let nodes stand for the next `...`."""
        return replace(self, anything=(*self.anything, nodes))


@dataclass(frozen=True, slots=True)
class Match:
    """A place where a pattern fits: some elements of one field of a node."""

    owner: ast.AST
    field: str
    start: int
    stop: int
    kind: str
    fit: Fit

    @property
    def nodes(self) -> list[ast.AST]:
        """The code that stands there."""
        return _elements(getattr(self.owner, self.field))[self.start : self.stop]


class Change:
    """Code to look for, and the code that takes its place."""

    def __init__(self, old: str, new: str) -> None:
        """Parse both; where the new code is empty, the old code is taken out."""
        self.old = _readings(old)
        is_link = old.lstrip().startswith(".")
        self.new = _readings(new or "..." * is_link)

    def find(self, tree: ast.AST, *, may_rename: bool = False) -> list[Match]:
        """Return each place below a node where the old code stands, under other names if it may.

        A renaming is consistent: one name of the pattern is always the same name of the code, two
        names are never one, and the names of Python itself stay.
        """
        found: list[Match] = []
        for owner in ast.walk(tree):
            for name, value in ast.iter_fields(owner):
                elements = _elements(value)
                for kind, wanted in self.old.items():
                    if isinstance(owner, ast.Expr) and kind == _EXPRESSION:
                        continue  # It has been found as a statement.
                    for start in range(len(elements) - len(wanted) + 1):
                        if type(elements[start]) is not type(wanted[0]):
                            continue
                        stop = start + len(wanted)
                        fit = _fit_all(wanted, elements[start:stop], Fit(may_rename=may_rename))
                        if fit is not None:
                            found.append(Match(owner, name, start, stop, kind, fit))
        return found

    @contextmanager
    def made(self, match: Match) -> Generator[None]:
        """Have the new code in the tree, where the old was found, for as long as this lasts."""
        filling = iter(match.fit.anything)
        nodes = _filled_all(self.new.get(match.kind, []), filling, match.fit.names)
        value = getattr(match.owner, match.field)
        if isinstance(value, list):
            changed: Any = [*value[: match.start], *nodes, *value[match.stop :]]
            if not changed and match.kind == _STATEMENT and match.field != "orelse":
                changed = [ast.Pass()]
        else:
            (changed,) = nodes
        setattr(match.owner, match.field, changed)
        try:
            yield
        finally:
            setattr(match.owner, match.field, value)


def _readings(text: str) -> Mapping[str, Sequence[ast.AST]]:
    """Parse a pattern as each of the kinds of code that it can be."""
    text = textwrap.dedent(text).strip()
    if text.startswith("case "):
        (switch,) = ast.parse("match ...:\n" + textwrap.indent(text, " ")).body
        return {_CLAUSE: switch.cases} if isinstance(switch, ast.Match) else {}
    if text.startswith("except"):
        (attempt,) = ast.parse("try: ...\n" + text).body
        return {_CLAUSE: attempt.handlers} if isinstance(attempt, ast.Try) else {}
    # What comes before a link of a chain is anything.
    statements = ast.parse("..." + text if text.startswith(".") and text != "..." else text).body
    match statements:
        case []:
            return {}
        case [ast.Expr(value=value)]:
            return {_STATEMENT: statements, _EXPRESSION: [value]}
        case [ast.Assign(targets=[ast.Name(id=name)], value=value)]:
            return {_STATEMENT: statements, _ARGUMENT: [ast.keyword(arg=name, value=value)]}
        case _:
            return {_STATEMENT: statements}


def _elements(value: object) -> list[Any]:
    """Return the elements of a field; one that is no list has one."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _is_anything(node: object) -> bool:
    value = node.value if isinstance(node, ast.Expr) else node
    return isinstance(value, ast.Constant) and value.value is ...


def _fit(wanted: Any, there: Any, fit: Fit) -> Fit | None:
    """Return the fit with what stands for the names of one more node or value, if it fits."""
    match wanted, there:
        case list(), list():
            return _fit_all(cast("list[Any]", wanted), cast("list[Any]", there), fit)
        case ast.AST(), ast.AST() if _is_anything(wanted):
            return fit.with_anything([there])
        case ast.AST(), ast.AST() if type(wanted) is type(there):
            return _fit_fields(wanted, there, fit)
        case ast.AST(), _:
            return None
        case _:
            return fit if wanted == there and type(wanted) is type(there) else None


def _fit_fields(wanted: ast.AST, there: ast.AST, fit: Fit) -> Fit | None:
    so_far: Fit | None = fit
    for name in wanted._fields:
        one, other = getattr(wanted, name, None), getattr(there, name, None)
        if isinstance(one, str) and isinstance(other, str) and _has_names(wanted):
            so_far = so_far.naming(one, other)
        else:
            so_far = _fit(one, other, so_far)
        if so_far is None:
            return None
    return so_far


def _fit_all(wanted: Sequence[Any], there: Sequence[Any], fit: Fit) -> Fit | None:
    if not wanted:
        return None if there else fit
    first, *rest = wanted
    if _is_anything(first):
        for count in range(len(there) - len(rest) + 1):
            whole = _fit_all(rest, there[count:], fit.with_anything(there[:count]))
            if whole is not None:
                return whole
        return None
    begun = _fit(first, there[0], fit) if there else None
    return None if begun is None else _fit_all(rest, there[1:], begun)


def _filled(node: Any, filling: Iterator[Sequence[ast.AST]], names: Mapping[str, str]) -> Any:
    """Copy new code, with what was found for each `...` and with the names that are used there."""
    match node:
        case list():
            return _filled_all(cast("list[Any]", node), filling, names)
        case ast.AST() if _is_anything(node):
            (only,) = next(filling, [node])
            return only
        case ast.AST():
            fields = {name: getattr(node, name, None) for name in node._fields}
            for name, value in fields.items():
                if isinstance(value, str) and _has_names(node):
                    fields[name] = names.get(value, value)
                else:
                    fields[name] = _filled(value, filling, names)
            return ast.copy_location(type(node)(**fields), node)
        case _:
            return node


def _filled_all(
    nodes: Sequence[Any], filling: Iterator[Sequence[ast.AST]], names: Mapping[str, str]
) -> list[Any]:
    filled: list[Any] = []
    for node in nodes:
        filled += next(filling, [node]) if _is_anything(node) else [_filled(node, filling, names)]
    return filled


def _has_names(node: ast.AST) -> bool:
    """Return whether texts in the fields of a node are names."""
    return not isinstance(node, ast.Constant)
