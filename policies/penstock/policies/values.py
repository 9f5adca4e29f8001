"""The values of a call as Cedar takes them, or why it cannot."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import assert_never, cast

from penstock.contracts.policy import FactType
from penstock.policies.runtime_facts import RuntimeType
from penstock.policies.shapes import RecordOf, Scalar, SetOf, Shape

LEAST_WHOLE, GREATEST_WHOLE = -(2**63), 2**63 - 1
"""What Cedar's whole numbers hold."""
PLACES = 4
"""What Cedar's decimals have after the point."""

CedarValue = str | int | bool | list["CedarValue"] | dict[str, "CedarValue"]
"""A value as Cedar's JSON has it."""


class Unfit(Exception):
    """A value is not what its type says."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"`{place}` {why}")


class TooLarge(Unfit):
    """A number is beyond what Cedar holds, or finer."""


def argument_value(value: object, shape: Shape, place: str) -> CedarValue:
    """Return a value of an argument as Cedar takes it.

    What the shape does not name is not passed on: a field could otherwise claim to be an entity.

    Raises:
        Unfit: It is not of that shape, or a number that Cedar cannot hold.
    """
    match shape:
        case Scalar.DECIMAL:
            return _decimal(value, place)
        case Scalar():
            return _scalar(value, shape, place)
        case SetOf():
            if not isinstance(value, list | tuple):
                raise Unfit(place, "is no list")
            each = cast("list[object]", value)
            return [argument_value(one, shape.element, place) for one in each]
        case RecordOf():
            if not isinstance(value, Mapping):
                raise Unfit(place, "is no object")
            return record_value(cast("Mapping[str, object]", value), shape, place)
    assert_never(shape)


def record_value(
    given: Mapping[str, object], record: RecordOf, place: str
) -> dict[str, CedarValue]:
    """Return the fields of a record, without those that are absent or null.

    Raises:
        Unfit: One is missing that has to be there, or is not of its shape.
    """
    found: dict[str, CedarValue] = {}
    for name, field in record.fields.items():
        where = f"{place}.{name}"
        value = given.get(name)
        if value is not None:
            found[name] = argument_value(value, field.shape, where)
        elif field.is_required:
            raise Unfit(where, "is missing")
    return found


def fact_value(value: object, kind: FactType | RuntimeType, place: str) -> CedarValue:
    """Return the value of a fact as Cedar takes it.

    Raises:
        Unfit: It is not of that type.
    """
    match kind:
        case FactType.TEXT:
            return _scalar(value, Scalar.TEXT, place)
        case FactType.WHOLE | RuntimeType.WHOLE:
            return _scalar(value, Scalar.WHOLE, place)
        case FactType.TRUTH | RuntimeType.TRUTH:
            return _scalar(value, Scalar.TRUTH, place)
        case FactType.TEXTS | RuntimeType.TEXTS:
            if not isinstance(value, list | tuple | set | frozenset):
                raise Unfit(place, "is no list of texts")
            each = sorted(cast("list[str]", value), key=str)
            return [_scalar(one, Scalar.TEXT, place) for one in each]
        case RuntimeType.DATETIME:
            return _instant(value, place)
    assert_never(kind)


def _scalar(value: object, scalar: Scalar, place: str) -> CedarValue:
    match scalar:
        case Scalar.TEXT if isinstance(value, str):
            return value
        case Scalar.TRUTH if isinstance(value, bool):
            return value
        case Scalar.WHOLE if isinstance(value, int | float) and not isinstance(value, bool):
            return _whole(value, place)
        case _:
            raise Unfit(place, f"is of type `{type(value).__name__}`, and a {scalar} is wanted")


def _whole(value: float, place: str) -> int:
    # JSON Schema counts 5.0 among the integers.
    if isinstance(value, float):
        if not value.is_integer():
            raise Unfit(place, "is no whole number")
        value = int(value)
    if not LEAST_WHOLE <= value <= GREATEST_WHOLE:
        raise TooLarge(place, "is a whole number beyond 64 bits")
    return value


def _decimal(value: object, place: str) -> CedarValue:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise Unfit(place, f"is of type `{type(value).__name__}`, and a number is wanted")
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise Unfit(place, "is no number")
    if number.adjusted() > len(str(GREATEST_WHOLE)):
        raise TooLarge(place, "is a number beyond what a policy can compare")
    try:
        scaled = int(number.scaleb(PLACES).to_integral_exact())
        is_exact = Decimal(scaled).scaleb(-PLACES) == number
    except (InvalidOperation, OverflowError):
        raise TooLarge(place, "is a number beyond what a policy can compare") from None
    if not LEAST_WHOLE <= scaled <= GREATEST_WHOLE:
        raise TooLarge(place, "is a number beyond what a policy can compare")
    if not is_exact:
        raise TooLarge(place, "is a number of more than four decimals")
    sign, digits = "-" if scaled < 0 else "", f"{abs(scaled):0{PLACES + 1}d}"
    return {"__extn": {"fn": "decimal", "arg": f"{sign}{digits[:-PLACES]}.{digits[-PLACES:]}"}}


def _instant(value: object, place: str) -> CedarValue:
    instant = value
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            raise Unfit(place, "is no instant") from None
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise Unfit(place, "is no instant with a time zone")
    utc = instant.astimezone(UTC).replace(tzinfo=None)
    written = utc.isoformat(timespec="milliseconds")
    return {"__extn": {"fn": "datetime", "arg": f"{written}Z"}}
