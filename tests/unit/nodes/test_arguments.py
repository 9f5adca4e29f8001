"""Arguments are checked against the contract and have one canonical form."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field

from penstock.contracts.call import Refused, Stage
from penstock.nodes import IdempotencyKey, tool
from penstock.nodes.tools.arguments import CheckedArguments
from support.checkout import import_path


class Speed(StrEnum):
    FAST = "fast"


class Address(BaseModel):
    town: str
    lines: list[str] = []


@dataclass
class Money:
    cents: int
    currency: str = "EUR"


@tool
async def ship(  # noqa: D417  (names say enough of the others)
    order: str,
    to: Address,
    money: Money,
    key: IdempotencyKey,
    on: date | None = None,
    label: bytes = b"",
    weight: float = 1.0,
    count: Annotated[int, Field(ge=1)] = 1,
    speed: Speed = Speed.FAST,
    extra: dict[str, Any] | None = None,
) -> str:
    """Ship an order.

    Args:
        order: Which one.
        on (date): When,
            at the latest.
    """
    return f"{order}{to}{money}{key}{on}{label}{weight}{count}{speed}{extra}"


GIVEN = {"order": "A1", "to": {"town": "Ulm"}, "money": {"cents": 5}}


def check(**given: Any) -> CheckedArguments:
    checked = ship.check({**GIVEN, **given})
    assert isinstance(checked, CheckedArguments), checked
    return checked


def refusal(**given: Any) -> Refused:
    refused = ship.check({**GIVEN, **given})
    assert isinstance(refused, Refused)
    return refused


def test_arguments_get_their_types_and_defaults() -> None:
    assert check(on="2030-01-02", label="_w==").values == {
        "order": "A1",
        "to": Address(town="Ulm"),
        "money": Money(5),
        "on": date(2030, 1, 2),
        "label": b"\xff",
        "weight": 1.0,
        "count": 1,
        "speed": Speed.FAST,
        "extra": None,
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"colour": "red"}, "`colour`: Extra inputs are not permitted"),
        ({"key": "forged"}, "`key`: Extra inputs are not permitted"),
        ({"runtime": {}}, "`runtime`: Extra inputs are not permitted"),
        ({"count": 0}, "`count`: Input should be greater than or equal to 1"),
        ({"order": None}, "`order`: Input should be a valid string"),
        ({"weight": float("nan")}, "not JSON compliant"),
        ({"extra": {"it": object()}}, "Unable to serialize"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_contract(given: dict[str, Any], told: str) -> None:
    refused = refusal(**given)
    assert (refused.stage, refused.code) == (Stage.CONTRACT, "invalid_arguments")
    assert told in refused.message


def test_all_that_is_wrong_is_told_at_once() -> None:
    message = refusal(count=0, order=1).message
    assert "`count`" in message
    assert "`order`" in message


def test_a_refusal_does_not_show_what_was_given() -> None:
    assert "canary" not in refusal(count="canary-7").message


def test_the_canonical_form_is_sorted_json_with_all_defaults() -> None:
    assert check().canonical == (
        '{"count":1,"extra":null,"label":"","money":{"cents":5,"currency":"EUR"},"on":null,'
        '"order":"A1","speed":"fast","to":{"lines":[],"town":"Ulm"},"weight":1.0}'
    )


def test_objects_and_json_come_to_the_same() -> None:
    typed = check(to=Address(town="Ulm"), money=Money(5), on=date(2030, 1, 2), label=b"\xff")
    assert typed == check(on="2030-01-02", label="_w==")


@given(
    order=st.text(),
    weight=st.floats(allow_nan=False, allow_infinity=False),
    count=st.integers(min_value=1),
    label=st.binary(),
    on=st.none() | st.dates(),
    extra=st.none() | st.dictionaries(st.text(), st.integers() | st.text()),
)
def test_checking_the_canonical_form_gives_the_same(**given: Any) -> None:
    import json  # noqa: PLC0415  (only here)

    checked = check(**given)
    assert ship.check(json.loads(checked.canonical)) == checked


def test_the_digest_is_of_the_tool_its_major_version_and_the_arguments() -> None:
    async def look(word: str) -> str:
        """Look."""
        return word

    digests = [
        made.digest(checked)
        for made in (
            tool(look),
            tool(look, version="1.4"),
            tool(look, version="2"),
            tool(look, name="peek"),
        )
        if isinstance(checked := made.check({"word": "a"}), CheckedArguments)
    ]
    assert digests[0] == digests[1]
    assert len({*digests}) == 3
    assert digests[0] != tool(look).digest(
        CheckedArguments(values={"word": "b"}, canonical='{"word":"b"}')
    )


def test_a_model_is_shown_only_what_it_may_give() -> None:
    shown = convert_to_openai_tool(ship)["function"]
    assert shown["description"] == "Ship an order."
    assert "key" not in shown["parameters"]["properties"]
    assert "runtime" not in shown["parameters"]["properties"]
    assert shown["parameters"]["additionalProperties"] is False
    assert shown["parameters"]["required"] == ["order", "to", "money"]


def test_what_the_docstring_says_of_an_argument_is_in_its_schema() -> None:
    properties: Any = ship.contract.arguments_schema["properties"]
    assert properties["order"]["description"] == "Which one."
    assert properties["on"]["description"] == "When, at the latest."


def test_an_argument_may_be_named_like_a_method_of_pydantics() -> None:
    @tool
    async def keep(copy: str, json: str, schema: int = 1) -> str:
        """Keep."""
        return f"{copy}{json}{schema}"

    checked = keep.check({"copy": "a", "json": "b"})
    assert isinstance(checked, CheckedArguments)
    assert checked.values == {"copy": "a", "json": "b", "schema": 1}


def test_a_template_makes_the_business_key() -> None:
    async def pay(order: str, cents: int) -> None:
        """Pay."""
        del order, cents

    made = tool(pay, key="pay:{order}")
    checked = made.check({"order": "A1", "cents": 5})
    assert isinstance(checked, CheckedArguments)
    assert made.business_key(checked) == "pay:A1"


def test_no_two_calls_come_to_one_business_key_by_their_punctuation() -> None:
    async def pay(shop: str, order: str) -> None:
        """Pay."""
        del shop, order

    made = tool(pay, key="{shop}:{order}")
    one, other = (
        made.check({"shop": "a:b", "order": "c"}),
        made.check({"shop": "a", "order": "b:c"}),
    )
    assert isinstance(one, CheckedArguments)
    assert isinstance(other, CheckedArguments)
    assert made.business_key(one) != made.business_key(other)


def test_a_function_makes_the_business_key_of_the_arguments_it_takes() -> None:
    async def pay(order: str, amount: Decimal) -> None:
        """Pay."""
        del order, amount

    def rounded(amount: Decimal) -> str:
        return f"pay-{amount:.1f}"

    made = tool(pay, key=rounded)
    checked = made.check({"order": "A1", "amount": "2.50"})
    assert isinstance(checked, CheckedArguments)
    assert made.business_key(checked) == "pay-2.5"


def test_a_tool_without_a_business_key_has_none() -> None:
    assert ship.business_key(check()) is None


def test_importing_nodes_does_not_import_langgraph() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, penstock.nodes; print('langgraph' in sys.modules)"],
        env={"PYTHONPATH": import_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout == "False\n"
