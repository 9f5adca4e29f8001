"""What a tool returns is recorded, and comes back as it was; what would not is refused."""

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID  # noqa: TID251  (somebody else's ids)

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from typing_extensions import TypedDict

from penstock.contracts.errors import InvalidContract, InvalidResult
from penstock.nodes import tool
from penstock.nodes.tools.results import ResultCodec, UnstorableType


class Colour(Enum):
    RED = "red"
    BLUE = 2


class Size(IntEnum):
    SMALL = 1


class State(StrEnum):
    OPEN = "open"


@dataclass(frozen=True)
class Line:
    name: str
    price: Decimal
    raw: bytes = b""
    parts: tuple["Line", ...] = ()


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")
    id: UUID
    lines: list[Line] = []
    at: datetime | None = None
    state: State = State.OPEN


class Renamed(BaseModel):
    kind: str = Field(alias="Kind")


class Told(TypedDict, total=False):
    name: str
    took: timedelta


@dataclass
class Cash:
    kind: Literal["cash"]
    cents: int


@dataclass
class Card:
    kind: Literal["card"]
    last: str


LINES = st.recursive(
    st.builds(
        Line,
        name=st.text(),
        price=st.decimals(allow_nan=False, allow_infinity=False),
        raw=st.binary(),
    ),
    lambda lines: st.builds(
        Line, name=st.text(), price=st.just(Decimal("1.10")), parts=st.tuples(lines)
    ),
    max_leaves=4,
)
ORDERS = st.builds(
    Order,
    id=st.uuids(),
    lines=st.lists(LINES, max_size=3),
    at=st.none() | st.datetimes(),
    state=st.sampled_from(State),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (None, st.none()),
        (int, st.integers()),
        (float, st.floats(allow_nan=False)),
        (str, st.text()),
        (bytes, st.binary()),
        (list[bytes], st.lists(st.binary())),
        (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
        (datetime, st.datetimes()),
        (date, st.dates()),
        (timedelta, st.timedeltas(max_value=timedelta(days=9999), min_value=timedelta(0))),
        (Colour, st.sampled_from(Colour)),
        (Size, st.sampled_from(Size)),
        (Path, st.just(Path("a/b"))),
        (tuple[int, str], st.tuples(st.integers(), st.text())),
        (frozenset[str], st.frozensets(st.text())),
        (dict[int, tuple[str, ...]], st.dictionaries(st.integers(), st.tuples(st.text()))),
        (Line, LINES),
        (Order, ORDERS),
        (list[Order] | None, st.none() | st.lists(ORDERS, max_size=2)),
        (Told, st.fixed_dictionaries({"name": st.text()})),
        (
            Annotated[Cash | Card, Field(discriminator="kind")],
            st.builds(Cash, kind=st.just("cash"), cents=st.integers())
            | st.builds(Card, kind=st.just("card"), last=st.text()),
        ),
        (int | str, st.integers() | st.text()),
        (JsonValue, JSON),
    ],
)
def test_a_recorded_result_comes_back_as_it_was(
    annotation: Any, values: st.SearchStrategy[Any]
) -> None:
    codec = ResultCodec[Any](annotation)

    @given(values)
    def comes_back(value: Any) -> None:
        back = codec.load(codec.dump(value))
        assert back == value
        assert type(back) is type(value)

    comes_back()


def test_infinities_and_no_number_come_back() -> None:
    codec = ResultCodec[list[float]](list[float])
    back = codec.load(codec.dump([math.inf, -math.inf, math.nan]))
    assert back[:2] == [math.inf, -math.inf]
    assert math.isnan(back[2])


def test_a_model_with_aliases_comes_back() -> None:
    codec = ResultCodec[Renamed](Renamed)
    value = Renamed(Kind="a")
    assert codec.load(codec.dump(value)) == value


class Unknown:
    pass


class Loose(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    it: Unknown


class Raw(BaseModel):
    raw: bytes


class Exact(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    raw: bytes


class Hidden(BaseModel):
    shown: int
    hidden: int = Field(exclude=True)


class Described(BaseModel):
    type: int
    metadata: Any


@dataclass
class Holder:
    what: Any = field(default=None)


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (Any, "`JsonValue`"),
        (object, "`JsonValue`"),
        (dict[str, Any], "`JsonValue`"),
        (Holder, "`JsonValue`"),
        (Described, "`JsonValue`"),
        (Unknown, "Unknown"),
        (Loose, "a class that Pydantic does not know"),
        (Callable[[], int], "a callable"),
        (Generator[int, None, None], "a generator"),
        (Iterable[int], "a generator"),
        (type[int], "a class itself"),
        (Raw, "base64"),
        (Hidden, "excluded"),
        ("Nowhere", "Nowhere"),
    ],
)
def test_a_type_that_would_not_come_back_is_refused(annotation: Any, why: str) -> None:
    with pytest.raises(UnstorableType, match=why):
        ResultCodec(annotation)


def test_a_models_bytes_are_kept_where_it_says_how() -> None:
    codec = ResultCodec[Exact](Exact)
    assert codec.load(codec.dump(Exact(raw=b"\xff"))) == Exact(raw=b"\xff")


def test_a_tool_whose_result_cannot_be_recorded_is_refused() -> None:
    with pytest.raises(InvalidContract, match="cannot be recorded and replayed"):

        @tool
        async def look() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
            """Look."""
            return {}


def test_a_tool_that_does_not_say_what_it_returns_is_refused() -> None:
    with pytest.raises(InvalidContract, match="Nothing says what it returns"):

        @tool
        async def look():  # pyright: ignore  # noqa: PGH003
            """Look."""


def test_another_value_than_was_promised_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidResult) as refused:
        ResultCodec[Line](Line).dump({"name": "canary-7", "price": "canary-8"})
    assert "`price`" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_what_fits_is_made_what_was_promised() -> None:
    codec = ResultCodec[Line](Line)
    assert codec.load(codec.dump({"name": "a", "price": 1})) == Line("a", Decimal(1))
