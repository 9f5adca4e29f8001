"""A form built from a JSON Schema: fields that keep the types of what is filled in.

What a schema leaves open, or says in a way that no field can show, is filled in as JSON. Nothing is
checked here beyond what a field can hold: whoever receives the value checks it against the schema.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, cast

import streamlit as st

from penstock.ui.components.markdown import as_text, escaped

Schema = Mapping[str, Any]

_LONG = 80
_LARGEST = 2**53 - 1
"""Beyond it a browser cannot tell whole numbers apart."""
_DEPTH_LIMIT = 8
"""Deeper fields are filled in as JSON."""


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
"""The value of an optional field that was left empty."""


@dataclass(slots=True)
class Form:
    """The fields of one schema, and what was filled in."""

    schema: Schema
    """The whole schema, in which each `$ref` is looked up."""
    key: str
    """The prefix of its widgets' keys, which tells them from those of other forms."""
    problems: list[str] = field(default_factory=list[str])
    """Values that cannot be read as what the schema wants, a sentence each."""

    def fill(self, initial: Any = MISSING) -> Any:
        """Show the fields, filled with `initial`; return what they hold."""
        return self._field(self.schema, (), initial, label="Answer", is_wanted=True)

    def _field(
        self, schema: Schema, path: tuple[str, ...], initial: Any, *, label: str, is_wanted: bool
    ) -> Any:
        schema, may_be_null = self._resolved(schema)
        initial = schema.get("default", MISSING) if initial is MISSING else initial
        label = str(schema.get("title") or label)
        if "const" in schema:
            return schema["const"]
        branches = _branches(schema)
        if branches:
            return self._branch(branches, path, initial, label=label, is_wanted=is_wanted)
        if schema.get("prefixItems"):
            return self._items(schema["prefixItems"], path)
        is_shown = schema.get("type") == "object" and schema.get("properties")
        if is_shown and len(path) < _DEPTH_LIMIT:
            return self._properties(schema, path, initial, label=label)
        value = self._plain(schema, path, initial, label=label, is_wanted=is_wanted)
        if value is MISSING and may_be_null and is_wanted:
            return None
        if value is MISSING and is_wanted:
            self.problems.append(f"`{label}` is wanted")
        return value

    def _properties(
        self, schema: Schema, path: tuple[str, ...], initial: Any, *, label: str
    ) -> dict[str, Any]:
        parts = cast("Mapping[str, Schema]", schema["properties"])
        wanted = set(schema.get("required", ()))
        known: Mapping[str, Any] = {}
        if isinstance(initial, Mapping):
            known = cast("Mapping[str, Any]", initial)
        if path and label and not _is_fixed(schema):
            st.markdown(f"**{escaped(label)}**")
        found = {
            name: self._field(
                part,
                (*path, name),
                known.get(name, MISSING),
                label=name,
                is_wanted=name in wanted,
            )
            for name, part in parts.items()
        }
        return {name: value for name, value in found.items() if value is not MISSING}

    def _items(self, items: Sequence[Schema], path: tuple[str, ...]) -> list[Any]:
        found: list[Any] = []
        for number, item in enumerate(items):
            with st.container(border=True):
                found.append(
                    self._field(
                        item,
                        (*path, str(number)),
                        MISSING,
                        label=f"{number + 1} of {len(items)}",
                        is_wanted=True,
                    )
                )
        return found

    def _branch(
        self,
        branches: Sequence[Schema],
        path: tuple[str, ...],
        initial: Any,
        *,
        label: str,
        is_wanted: bool,
    ) -> Any:
        names = [str(each.get("title") or f"Choice {n + 1}") for n, each in enumerate(branches)]
        name = st.segmented_control(escaped(label), names, key=self._key(path))
        if name is None:
            if is_wanted:
                self.problems.append(f"`{label}`: choose one of {', '.join(names)}")
            return MISSING
        branch = branches[names.index(name)]
        return self._field(branch, (*path, name), initial, label="", is_wanted=is_wanted)

    def _plain(
        self, schema: Schema, path: tuple[str, ...], initial: Any, *, label: str, is_wanted: bool
    ) -> Any:
        name = escaped(label) + ("" if is_wanted else " (may be left empty)")
        about = schema.get("description")
        help_ = escaped(about) if isinstance(about, str) else None
        key = self._key(path)
        if "enum" in schema:
            options: list[Any] = list(schema["enum"])
            index = options.index(initial) if initial in options else None
            picked = st.selectbox(
                name, options, index=index, format_func=as_text, key=key, help=help_
            )
            return MISSING if picked is None else picked
        match schema.get("type"):
            case "boolean":
                index = None if initial is MISSING else int(not initial)
                choice = st.radio(
                    name, ["Yes", "No"], index=index, horizontal=True, key=key, help=help_
                )
                return MISSING if choice is None else choice == "Yes"
            case "integer" if initial is MISSING or _is_small(initial):
                number = st.number_input(
                    name,
                    value=None if initial is MISSING else int(initial),
                    min_value=_bound(schema, "minimum", -_LARGEST),
                    max_value=_bound(schema, "maximum", _LARGEST),
                    step=1,
                    key=key,
                    help=help_,
                )
                return MISSING if number is None else int(number)
            case "integer" | "number" as kind:
                return self._number(name, label, initial, kind=kind, key=key, help_=help_)
            case "string":
                return self._text(name, schema, initial, key=key, help_=help_)
            case "null":
                return None
            case _:
                return self._json(name, label, initial, key=key, help_=help_)

    def _text(self, name: str, schema: Schema, initial: Any, *, key: str, help_: str | None) -> Any:
        text = "" if initial is MISSING or initial is None else str(initial)
        is_long = len(text) > _LONG or "\n" in text or schema.get("maxLength", 0) > _LONG
        typed = (
            st.text_area(name, text, key=key, help=help_)
            if is_long
            else st.text_input(name, text, key=key, help=help_)
        )
        # An empty text that was there before is one; one that never was is nothing said.
        return typed if typed or initial == "" else MISSING

    def _number(
        self, name: str, label: str, initial: Any, *, kind: object, key: str, help_: str | None
    ) -> Any:
        text = "" if initial is MISSING or initial is None else json.dumps(initial)
        typed = st.text_input(name, text, key=key, help=help_).strip()
        if not typed:
            return MISSING
        try:
            number: Any = json.loads(typed)
        except ValueError:
            number = None
        is_whole = isinstance(number, int) and not isinstance(number, bool)
        if is_whole or (kind == "number" and isinstance(number, float)):
            return number
        self.problems.append(f"`{label}`: `{typed}` is no {'whole ' * (kind == 'integer')}number")
        return MISSING

    def _json(self, name: str, label: str, initial: Any, *, key: str, help_: str | None) -> Any:
        text = "" if initial is MISSING else json.dumps(initial, indent=2, ensure_ascii=False)
        typed = st.text_area(f"{name}, as JSON", text, key=key, help=help_)
        if not typed.strip():
            return MISSING
        try:
            return json.loads(typed)
        except ValueError as error:
            self.problems.append(f"`{label}` is no JSON: {error}")
            return MISSING

    def _resolved(self, schema: Schema) -> tuple[Schema, bool]:
        """Return a schema without a reference, and whether null fits beside it."""
        may_be_null = False
        for _ in range(_DEPTH_LIMIT):
            choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
            if "$ref" in schema:
                name = str(schema["$ref"]).rpartition("/")[2]
                found: Schema = self.schema.get("$defs", {}).get(name, {})
                schema = {**found, **{k: v for k, v in schema.items() if k != "$ref"}}
            elif len(choices) == 1:
                may_be_null = may_be_null or len(schema["anyOf"]) > 1
                schema = {**choices[0], **{k: v for k, v in schema.items() if k != "anyOf"}}
            else:
                break
        return schema, may_be_null

    def _key(self, path: Sequence[str]) -> str:
        return "/".join((self.key, *path))


def has_branches(schema: Schema) -> bool:
    """Tell whether choices in some fields decide which other fields there are."""
    text = json.dumps(schema)
    return '"oneOf"' in text or '"anyOf"' in text


def _branches(schema: Schema) -> Sequence[Schema]:
    """Return what there is to choose from, where each choice is an object or fixed."""
    choices = cast("Sequence[Schema]", schema.get("oneOf") or schema.get("anyOf") or ())
    is_shown = all("const" in each or each.get("type") == "object" for each in choices)
    return choices if choices and is_shown else ()


def _is_fixed(schema: Schema) -> bool:
    return all("const" in part for part in schema["properties"].values())


def _is_small(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _bound(schema: Schema, name: str, otherwise: int) -> int:
    found = schema.get(name)
    return found if isinstance(found, int) and abs(found) <= _LARGEST else otherwise
