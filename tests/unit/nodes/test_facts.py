"""Facts and taints that a tool's author names, held against the tool."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from langchain_core.tools import tool as plain

from penstock.contracts.errors import InvalidContract
from penstock.contracts.policy import Fact, FactType
from penstock.nodes import Taint, adopt, fact, minor_units, recipient_domains, tool, url_host
from penstock.policies import RuntimeFact, reserved_facts
from penstock.policies.facts import Extractor


def send(to: list[str], cents: int, url: str | None = None) -> str:
    """Send."""
    return f"{to}{cents}{url}"


def length(cents: int) -> int:
    return cents


FACTS: Mapping[str, Extractor] = {
    "domains": recipient_domains("to"),
    "host": url_host("url"),
    "size": fact(length, type="whole"),
}


def test_a_contract_says_what_its_facts_are() -> None:
    assert tool(send, facts=FACTS).contract.facts == {
        "domains": Fact(
            type=FactType.TEXTS, is_optional=False, description="domains of the addresses in to"
        ),
        "host": Fact(
            type=FactType.TEXT, is_optional=True, description="host of the URL in url"
        ),
        "size": Fact(type=FactType.WHOLE, is_optional=False, description="length of cents"),
    }  # fmt: skip


def test_a_tool_keeps_what_computes_them() -> None:
    assert tool(send, facts=FACTS).facts == FACTS
    assert tool(send).facts == {}


def test_a_tool_says_what_its_results_carry() -> None:
    made = tool(send, taints={"untrusted", Taint.PRIVATE})
    assert made.contract.taints == {Taint.UNTRUSTED, Taint.PRIVATE}


@plain
def mail(to: str, currency: str = "EUR", amount: float = 0.0) -> str:
    """Mail."""
    return f"{to}{currency}{amount}"


def test_an_adopted_tool_has_facts_and_taints_too() -> None:
    money = minor_units("amount", currency_argument="currency")
    made = adopt(mail, taints={"private"}, facts={"domains": recipient_domains("to"), "m": money})
    assert made.contract.taints == {Taint.PRIVATE}
    # Nobody fills in the defaults of an adopted tool before the policy is asked.
    assert {name: each.is_optional for name, each in made.contract.facts.items()} == {
        "domains": False,
        "m": True,
    }
    assert made.facts["m"] == money


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"host": url_host("uri")}, r"fact `host` takes `uri`\. Its arguments are `to`, `cents`"),
        ({"host": url_host("cents")}, r"`host` takes `cents`, which is integer\. Wanted is string"),
        ({"Host": url_host("url")}, r"fact 'Host'\. Wanted are lower-case"),
        ({"": url_host("url")}, r"fact ''\. Wanted are lower-case"),
        ({"host": length}, r"computed by a `function`\. Wanted is something like"),
        *(({str(name): url_host("url")}, f"`{name}`, which the runtime") for name in RuntimeFact),
    ],
)  # fmt: skip
def test_a_fact_that_cannot_be_computed_is_refused(facts: object, says: str) -> None:
    with pytest.raises(InvalidContract, match=says) as refused:
        tool(send, facts=cast(Any, facts))
    assert "test_facts.py, line" in str(refused.value)
    with pytest.raises(InvalidContract):
        adopt(mail, facts=cast(Any, facts))


def test_a_taint_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidContract, match="Wanted are `untrusted` and `private`"):
        tool(send, taints=cast(Any, {"secret"}))
    with pytest.raises(InvalidContract, match="Wanted are `untrusted` and `private`"):
        adopt(mail, taints=cast(Any, {"secret"}))


def test_the_names_of_the_runtimes_facts_are_taken() -> None:
    assert reserved_facts(["host", "now", "given"]) == ("given", "now")
