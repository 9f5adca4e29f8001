"""What a policy refers to: which tools' calls, and which of their arguments and facts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast

from cedarpy import pst

from penstock.policies.cedar_schema import ToolShape

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the conditions of a policy look at."""

    args: frozenset[str] | None
    """Names of arguments; None where it takes them all at once."""
    facts: frozenset[str] | None
    """Names of facts; None where it takes them all at once."""
    asked: frozenset[Path]
    """What it asks for with `has`, from `context` or `principal` on."""


def references_of(tree: pst.Template) -> References:
    """Return what a policy looks at."""
    names: dict[str, set[str]] = {"args": set(), "facts": set()}
    whole: set[str] = set()
    asked: set[Path] = set()
    stack: list[object] = list(tree.clauses)
    while stack:
        node = stack.pop()
        path = _path(node)
        if path is None:
            stack += _parts(node)
            continue
        if isinstance(node, pst.HasAttr):
            asked.add(path)
        # Neither the whole context nor all arguments or facts at once can be told apart by name.
        match path:
            case ("context",):
                whole.update(names)
            case ("context", part) if part in names:
                whole.add(part)
            case ("context", part, name, *_) if part in names:
                names[part].add(name)
            case _:
                pass
    found = {part: None if part in whole else frozenset(names[part]) for part in names}
    return References(args=found["args"], facts=found["facts"], asked=frozenset(asked))


def tools_of(tree: pst.Template, tools: Iterable[ToolShape]) -> tuple[ToolShape, ...]:
    """Return the tools whose calls a policy is about, by what it says of the action first."""
    match tree.action:
        case pst.ActionEq(entity):
            return tuple(tool for tool in tools if tool.name == entity.id)
        case pst.ActionIn(entities):
            named = {entity.id for entity in entities}
            return tuple(tool for tool in tools if tool.name in named or tool.groups & named)
        case _:
            return tuple(tools)


def nodes_of(root: object) -> Iterator[object]:
    """Return all nodes of a tree, and the values in them."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += _parts(node)


def _parts(node: object) -> list[object]:
    if isinstance(node, Mapping):
        return list(cast("Mapping[str, object]", node).values())
    if isinstance(node, tuple):
        return list(cast("tuple[object, ...]", node))
    if is_dataclass(node) and not isinstance(node, type):
        tree: Any = node
        return [getattr(tree, field.name) for field in fields(tree)]
    return []


def _path(node: object) -> Path | None:
    """Return the way from a variable to what a node takes or asks for; None for other nodes."""
    match node:
        case pst.Var(name):
            return (name,)
        case pst.GetAttr(base, name):
            base_path = _path(base)
            return None if base_path is None else (*base_path, name)
        case pst.HasAttr(base, names):
            base_path = None if isinstance(base, pst.HasAttr) else _path(base)
            return None if base_path is None else (*base_path, *names)
        case _:
            return None
