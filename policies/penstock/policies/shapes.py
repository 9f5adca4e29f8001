"""What of a tool's arguments a policy can see: a JSON Schema as Cedar's types.

Cedar knows strings, whole numbers of 64 bits, decimals of four places, booleans, sets and records.
What is none of these stays out, with the reason; the tool is no worse for it.
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import cast

from penstock.contracts.tool import JsonSchema, ToolContract

CEDARS_OWN = frozenset({"__entity", "__extn", "__expr"})
"""Names of fields by which Cedar's JSON says that a value is an entity or of an extension."""


class Scalar(StrEnum):
    """A type without parts."""

    TEXT = "String"
    WHOLE = "Long"
    DECIMAL = "decimal"
    TRUTH = "Boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOf:
    """A list, as a set: neither order nor number matter."""

    element: "Shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a record."""

    shape: "Shape"
    is_required: bool
    """Whether it is always there, and never null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOf:
    """An object with named fields."""

    fields: Mapping[str, Field]


Shape = Scalar | SetOf | RecordOf


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A field of a tool's arguments that no policy can see."""

    tool: str
    field: str
    """Dotted: `card.number`."""
    why: str
    """The end of a sentence: it stays out because …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentShape:
    """What a policy sees of the arguments of one tool."""

    record: RecordOf
    left_out: tuple[LeftOut, ...]


def read_arguments(contract: ToolContract) -> ArgumentShape:
    """Read what a policy can see of a tool's arguments."""
    reader = _Reader(contract)
    record = reader.read(contract.arguments_schema)
    return ArgumentShape(record=record, left_out=tuple(reader.left_out))


class _NoType(Exception):
    """Cedar has no type for a field; the text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    shape: Shape
    may_be_null: bool = False


@dataclass(slots=True)
class _Reader:
    contract: ToolContract
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])
    path: tuple[str, ...] = ()
    inside: frozenset[str] = frozenset()
    """The references that led here."""
    is_whole: bool = False
    """Whether a field that has no type takes all around it with it: in a list, or a union."""

    def read(self, schema: JsonSchema) -> RecordOf:
        try:
            node = self._resolved(schema)
        except _NoType as error:
            self._leave_out(str(error))
            return RecordOf(fields={})
        return self._record(node)

    def _field(self, schema: object) -> _Read:
        if ".".join(self.path) in self.contract.sensitive:
            raise _NoType("the contract says that it is sensitive")
        if not isinstance(schema, Mapping):
            raise _NoType("it may be anything")
        before = self.inside
        try:
            return self._node(self._resolved(cast(JsonSchema, schema)))
        finally:
            self.inside = before

    def _node(self, node: JsonSchema) -> _Read:
        for key in ("anyOf", "oneOf", "allOf"):
            if key in node:
                return self._union(cast("list[object]", node[key]), is_all=key == "allOf")
        if "enum" in node or "const" in node:
            values = cast("list[object]", node["enum"] if "enum" in node else [node["const"]])
            return _of_values(values)
        named = node.get("type")
        types = cast("list[object]", named) if isinstance(named, list) else [named]
        told = [each for each in types if each != "null"]
        if len(told) != 1:
            raise _NoType("it may be of several types" if told else "it is always null")
        return _Read(shape=self._typed(told[0], node), may_be_null=len(told) < len(types))

    def _typed(self, name: object, node: JsonSchema) -> Shape:
        match name:
            case "string":
                return Scalar.TEXT
            case "integer":
                return Scalar.WHOLE
            case "boolean":
                return Scalar.TRUTH
            case "number":
                return _number(node)
            case "array":
                return self._set(node)
            case "object":
                if not node.get("properties"):
                    raise _NoType("it is an object whose fields nobody named")
                return self._record(node)
            case _:
                raise _NoType("it may be anything")

    def _set(self, node: JsonSchema) -> SetOf:
        if node.get("prefixItems") or not isinstance(node.get("items"), Mapping):
            raise _NoType("it is a list whose elements are not all of one type")
        with self._taking_all():
            element = self._field(node["items"])
        if element.may_be_null:
            raise _NoType("it is a list in which may be null")
        return SetOf(element=element.shape)

    def _record(self, node: JsonSchema) -> RecordOf:
        required = cast("list[str]", node.get("required") or [])
        fields: dict[str, Field] = {}
        for name, schema in cast("dict[str, object]", node.get("properties") or {}).items():
            with self._at(name):
                try:
                    if name in CEDARS_OWN:
                        raise _NoType("Cedar keeps this name for itself")
                    found = self._field(schema)
                except _NoType as error:
                    if self.is_whole:
                        raise
                    self._leave_out(str(error))
                    continue
            is_required = name in required and not found.may_be_null
            fields[name] = Field(shape=found.shape, is_required=is_required)
        if node.get("additionalProperties"):
            if self.is_whole:
                raise _NoType("it may have fields that nobody named")
            with self._at("*"):
                self._leave_out("nobody named these fields")
        return RecordOf(fields=fields)

    def _union(self, options: list[object], *, is_all: bool) -> _Read:
        told = [each for each in options if not _is_null(each)]
        if is_all and len(options) > 1:
            raise _NoType("it has to fit several schemas at once")
        if len(told) == 1:
            found = self._field(told[0])
            return _Read(
                shape=found.shape, may_be_null=found.may_be_null or len(told) < len(options)
            )
        with self._taking_all():
            read = [self._field(each) for each in told]
        if not read or any(each.shape != read[0].shape for each in read):
            raise _NoType("it may be of several types" if read else "it is always null")
        may_be_null = len(told) < len(options) or any(each.may_be_null for each in read)
        return _Read(shape=read[0].shape, may_be_null=may_be_null)

    def _resolved(self, node: JsonSchema) -> JsonSchema:
        while "$ref" in node:
            reference = str(node["$ref"])
            if reference in self.inside:
                raise _NoType("it is made of itself")
            self.inside |= {reference}
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = dict(self._target(reference)) | beside
        return node

    def _target(self, reference: str) -> JsonSchema:
        found: JsonSchema | None = self.contract.arguments_schema
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            below = None if found is None else found.get(name)
            found = cast(JsonSchema, below) if isinstance(below, Mapping) else None
        if not reference.startswith("#") or found is None:
            raise _NoType(f"its reference `{reference}` leads nowhere")
        return found

    @contextmanager
    def _at(self, name: str) -> Generator[None]:
        before = self.path
        self.path = (*before, name)
        try:
            yield
        finally:
            self.path = before

    @contextmanager
    def _taking_all(self) -> Generator[None]:
        before = self.is_whole
        self.is_whole = True
        try:
            yield
        finally:
            self.is_whole = before

    def _leave_out(self, why: str) -> None:
        where = ".".join(self.path) or "*"
        self.left_out.append(LeftOut(tool=self.contract.name, field=where, why=why))


def _is_null(schema: object) -> bool:
    return isinstance(schema, Mapping) and cast(JsonSchema, schema).get("type") == "null"


def _number(node: JsonSchema) -> Scalar:
    step = node.get("multipleOf")
    if isinstance(step, int | float) and Decimal(str(step)) % Decimal("0.0001"):
        raise _NoType("it is a number of more than four decimals")
    return Scalar.DECIMAL


def _of_values(values: Iterable[object]) -> _Read:
    listed = list(values)
    kinds = {_scalar_of(value) for value in listed if value is not None}
    if len(kinds) != 1:
        raise _NoType("its values are of several types" if kinds else "it is always null")
    (kind,) = kinds
    if kind is None:
        raise _NoType("its values are no texts, whole numbers or truths")
    return _Read(shape=kind, may_be_null=None in listed)


def _scalar_of(value: object) -> Scalar | None:
    match value:
        case bool():
            return Scalar.TRUTH
        case str():
            return Scalar.TEXT
        case int():
            return Scalar.WHOLE
        case _:
            return None
