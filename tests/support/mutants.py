"""Mutants of Penstock: rules, each with the code that keeps it and what breaks it.

A mutant names its code by what it is, not by where it stands: by the function, class or constant,
wherever that is defined, and by a pattern. So it outlives moves, reformatting and most renames;
where it does not fit any more, the error says what is there.
"""

import ast
import importlib
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.checkout import ROOMS, ROOT
from support.code_patterns import Change, Match

FOLDER = ROOT / "tests" / "mutants"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule."""

    claim: str
    """What would be true of the product if this mutant lived."""
    at: str
    """The function, class, constant or module, with as much of its dotted name as it takes."""
    old: str
    """The code that keeps the rule, as a pattern: see `support.code_patterns`."""
    new: str
    """The code that takes its place; where it is empty, the old code is only taken out."""
    killed_by: Sequence[str]
    """The tests that guard the rule, of which one must fail."""


class Misfit(AssertionError):
    """A mutant whose code was not found, or more than once."""


@dataclass(frozen=True, slots=True)
class Place:
    """A definition of Penstock that a mutant can be made in."""

    name: str
    """Its dotted name, with the module's."""
    path: Path
    """Its module, below the checkout."""
    module: ast.Module
    node: ast.AST


@dataclass(frozen=True, slots=True)
class Broken:
    """A module in which one rule is broken."""

    path: Path
    text: str


class Code:
    """The modules of Penstock in a checkout, and what is defined in them."""

    def __init__(self, root: Path = ROOT) -> None:
        """Parse all modules."""
        self._root = root
        self._places: dict[str, list[Place]] = {}
        for room in ROOMS:
            for path in sorted((root / room / "penstock").rglob("*.py")):
                self._add(path.relative_to(root), path.relative_to(root / room))

    def _add(self, path: Path, within: Path) -> None:
        module = ast.parse((self._root / path).read_text())
        name = ".".join(within.with_suffix("").parts).removesuffix(".__init__")
        for dotted, node in [(name, module), *_definitions(module, name)]:
            last = dotted.rpartition(".")[2]
            self._places.setdefault(last, []).append(Place(dotted, path, module, node))

    def places(self, name: str) -> list[Place]:
        """Return what has a name, which may lack the front of it."""
        found = self._places.get(name.rpartition(".")[2], [])
        return [place for place in found if f".{place.name}".endswith(f".{name}")]

    def find(self, mutant: Mutant) -> tuple[Place, Match]:
        """Return the one place of a mutant: where its names are used, or else the fewest others.

        Raises:
            Misfit: there is none, or more than one.
        """
        change = Change(mutant.old, mutant.new)
        places = self.places(mutant.at)
        for may_rename in (False, True):
            found = _matches(change, places, may_rename=may_rename)
            fewest = min((match.fit.renamed_count for _, match in found), default=0)
            nearest = [each for each in found if each[1].fit.renamed_count == fewest]
            if len(nearest) == 1:
                return nearest[0]
            if found:
                break
        raise Misfit(self._misfit(mutant, places, found))

    def broken(self, mutant: Mutant) -> Broken:
        """Return the module of a mutant with its rule broken; nothing is written.

        Raises:
            Misfit: there is no one place for it, or what it puts there is the same.
        """
        place, match = self.find(mutant)
        text = (self._root / place.path).read_text()
        whole = _statement_around(match, place.module)
        with Change(mutant.old, mutant.new).made(match):
            changed = ast.unparse(whole)
        if changed == ast.unparse(whole):
            msg = f"mutant `{mutant.claim}` changes nothing in `{place.name}`"
            raise Misfit(msg)
        if isinstance(whole, ast.Module):
            return Broken(place.path, changed)
        lines = text.splitlines(keepends=True)
        first, last = _lines(whole)
        lines[first - 1 : last] = [f"{changed}\n"]
        return Broken(place.path, "".join(lines))

    def _misfit(
        self, mutant: Mutant, places: Sequence[Place], found: Sequence[tuple[Place, Match]]
    ) -> str:
        lines = [f"mutant `{mutant.claim}`", f"  looks in `{mutant.at}` for", _quoted(mutant.old)]
        if found:
            lines += ["  which stands more than once:", *(_where(*each) for each in found)]
        elif places:
            lines += ["  and does not find it in", *(_where(place) for place in places)]
        else:
            lines += ["  and finds nothing of that name"]
        if not found:
            change = Change(mutant.old, mutant.new)
            modules = [each for many in self._places.values() for each in many]
            modules = [each for each in modules if each.node is each.module]
            elsewhere = _matches(change, modules, may_rename=False)
            lines += ["  It stands in:", *(_where(*each) for each in elsewhere)] * bool(elsewhere)
        return "\n".join(lines)


def load() -> dict[str, Sequence[Mutant]]:
    """Return all mutants, by the file of their subject."""
    subjects = [path.stem for path in FOLDER.glob("*.py")]
    subjects = sorted(name for name in subjects if name != "conftest" and name[:5] != "test_")
    return {name: importlib.import_module(f"mutants.{name}").MUTANTS for name in subjects}


def _definitions(parent: ast.AST, name: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield what is defined below a node, with its dotted name."""
    for node in ast.iter_child_nodes(parent):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield f"{name}.{node.name}", node
                yield from _definitions(node, f"{name}.{node.name}")
            case ast.Assign(targets=[ast.Name(id=constant)]) if isinstance(parent, ast.Module):
                yield f"{name}.{constant}", node
            case ast.AnnAssign(target=ast.Name(id=constant)) if isinstance(parent, ast.Module):
                yield f"{name}.{constant}", node
            case ast.stmt():
                yield from _definitions(node, name)
            case _:
                pass


def _matches(
    change: Change, places: Sequence[Place], *, may_rename: bool
) -> list[tuple[Place, Match]]:
    """Return all matches in some places; a place can lie within another."""
    found: dict[tuple[int, str, int, str], tuple[Place, Match]] = {}
    for place in places:
        for match in change.find(place.node, may_rename=may_rename):
            found[id(match.owner), match.field, match.start, match.kind] = (place, match)
    return list(found.values())


def _statement_around(match: Match, module: ast.Module) -> ast.stmt | ast.Module:
    """Return the statement of a module that holds a match, or the module where none does."""
    around = (each for each in module.body if any(node is match.owner for node in ast.walk(each)))
    return next(around, module)


def _lines(statement: ast.stmt) -> tuple[int, int]:
    """Return the first and the last line of a statement, with its decorators."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(each.lineno for each in decorators)])
    return first, statement.end_lineno or first


def _where(place: Place, match: Match | None = None) -> str:
    node = place.node if match is None else match.nodes[0]
    return f"    {place.path}:{getattr(node, 'lineno', 1)} `{place.name}`"


def _quoted(pattern: str) -> str:
    return textwrap.indent(textwrap.dedent(pattern).strip(), "    | ")
