"""Extractors: what they compute, and what they refuse because programs read it otherwise."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.policy import Fact, FactType
from penstock.policies.facts import (
    FactError,
    compute_facts,
    describe,
    fact,
    minor_units,
    problems_with,
    real_path,
    recipient_domains,
    url_host,
)
from penstock.policies.facts.money import PLACES
from support.policies import NUMBER, STRING, WHOLE, contract

# Hosts of URLs.


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Docs.OurCo.COM/a?b#c", "docs.ourco.com"),
        ("https://ourco.com.", "ourco.com"),
        ("https://ourco.com:8443/", "ourco.com"),
        ("wss://ourco.com", "ourco.com"),
        ("https://ourco.com#@evil.example", "ourco.com"),
        ("https://ourco.com?@evil.example", "ourco.com"),
        ("https://оurco.com", "xn--urco-45d.com"),  # noqa: RUF001  (a Cyrillic o)
        ("https://ｏｕｒｃｏ.com", "ourco.com"),  # noqa: RUF001  (full width)
        ("https://ourco。com", "ourco.com"),
        ("https://xn--urco-45d.com", "xn--urco-45d.com"),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://１２７.0.0.1/", "127.0.0.1"),  # noqa: RUF001  (full width)
        ("http://[::1]/", "::1"),
        ("http://[0:0:0:0:0:0:0:1]/", "::1"),
        ("http://[::ffff:127.0.0.1]/", "127.0.0.1"),
        ("http://localhost", "localhost"),
    ],
)
def test_host_of_a_url(url: str, host: str) -> None:
    assert url_host("url").compute({"url": url}) == host


@pytest.mark.parametrize(
    "url",
    [
        "ourco.com",
        "//ourco.com",
        "https:ourco.com",
        "https:///ourco.com",
        "file:///etc/passwd",
        "javascript://ourco.com/%0aalert(1)",
        "https://ourco.com\\@evil.example",
        "https://ourco.com @evil.example",
        "https://ourco.com\t",
        "https://our\nco.com",
        "https://ourco.com\x00",
        "https://ourco.com\x85",
        " https://ourco.com",
        "https://ann@ourco.com",
        "https://ourco.com:pass@evil.example",
        "https://ourco.com:99999",
        "https://ourco.com:x",
        "https://our%63o.com",
        "https://our_co.com",
        "https://-ourco.com",
        "https://ourco..com",
        "https://.",
        "https://xn--zz--.com",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1.1/",
        "http://1.2.3.256/",
        "http://[::1%25eth0]/",
        "http://[v1.x]/",
        "http://[::1",
        "",
        5,
    ],
)
def test_url_that_is_read_in_different_ways_is_refused(url: object) -> None:
    with pytest.raises(FactError, match="`url` "):
        url_host("url").compute({"url": url})


@given(st.text())
def test_host_of_any_text_is_plain_or_refused(text: str) -> None:
    for url in (text, f"https://{text}/"):
        try:
            host = url_host("url").compute({"url": url})
        except FactError:
            continue
        assert isinstance(host, str)
        assert host.isascii()
        assert host == host.lower()
        assert host
        assert not set(host) & set("@/\\?#% ")


# Domains of mail.


@pytest.mark.parametrize(
    ("to", "domains"),
    [
        ("ann@OurCo.COM", ("ourco.com",)),
        (" ann@ourco.com ", ("ourco.com",)),
        ("Ann Lee <ann@ourco.com>", ("ourco.com",)),
        ("<ann@ourco.com>", ("ourco.com",)),
        ("ann+x.y@ourco.com.", ("ourco.com",)),
        (["b@z.example", "a@ourco.com", "c@Z.example"], ("ourco.com", "z.example")),
        ([], ()),
        ("bo@ourсo.com", ("xn--ouro-n6d.com",)),  # noqa: RUF001  (a Cyrillic s)
        ("bo@ｏｕｒｃｏ.com", ("ourco.com",)),  # noqa: RUF001  (full width)
        ("bo@BÜCHER.example", ("xn--bcher-kva.example",)),
    ],
    ids=str,
)
def test_domains_of_addresses(to: object, domains: tuple[str, ...]) -> None:
    assert recipient_domains("to").compute({"to": to}) == domains


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ann",
        "@ourco.com",
        "ann@",
        "ann@ourco.com, e@evil.example",
        "ann@ourco.com;e@evil.example",
        "ann@ourco.com e@evil.example",
        "ann@ourco.com <e@evil.example>",
        "e@evil.example <ann@ourco.com>",
        '"e@evil.example" <ann@ourco.com>',
        '"ann lee"@ourco.com',
        "ann(e@evil.example)@ourco.com",
        "ann@ourco.com (boss)",
        "Ann <ann@ourco.com> <e@evil.example>",
        "group: ann@ourco.com;",
        "e%evil.example@ourco.com",
        "evil.example!e@ourco.com",
        "ann@[127.0.0.1]",
        "ann@our\\co.com",
        "ann@our_co.com",
        "ann@ourco..com",
        "ann@@ourco.com",
        "ann@ourco.com\n",
        "ann@ourco.com\r\nBcc: e@evil.example",
        "ann\n<ann@ourco.com>",
        "änn@ourco.com",
        ["ann@ourco.com", "x"],
        ["ann@ourco.com", None],
        {"to": "ann@ourco.com"},
        5,
    ],
    ids=str,
)
def test_address_that_is_read_in_different_ways_is_refused(to: object) -> None:
    with pytest.raises(FactError, match="`to` "):
        recipient_domains("to").compute({"to": to})


@given(st.text(alphabet="ab@.<>,;:\"'() \\%!\n"))
def test_an_address_goes_to_one_domain_or_is_refused(text: str) -> None:
    try:
        domains = recipient_domains("to").compute({"to": text})
    except FactError:
        return
    assert isinstance(domains, tuple)
    assert len(domains) == 1
    assert text.count("@") == 1


# Paths.


def test_a_path_is_followed_through_links(tmp_path: Path) -> None:
    real = tmp_path.resolve()
    (real / "out").mkdir()
    (real / "in").mkdir()
    (real / "in" / "link").symlink_to(real / "out")
    path = real_path("path", real / "in")
    assert path.compute({"path": "link/x"}) == f"{real}/out/x"
    assert path.compute({"path": "link/../x"}) == f"{real}/x"
    assert path.compute({"path": "./a//b"}) == f"{real}/in/a/b"
    assert path.compute({"path": "/etc/../etc"}) == "/etc"


@pytest.mark.parametrize("path", ["", "/a\0b", "/\ud800", 5, "a.txt", "../a.txt", "~/a.txt"])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(FactError, match="`path` "):
        real_path("path").compute({"path": path})


def test_a_relative_root_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted is an absolute path"):
        real_path("path", "files")


# Money.


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        (12, "EUR", 1200),
        (12.5, "EUR", 1250),
        (0.1, "EUR", 10),
        ("12.50", "EUR", 1250),
        ("12.500", "EUR", 1250),
        (Decimal("12.5"), "EUR", 1250),
        (-5, "EUR", -500),
        (0, "EUR", 0),
        (12, "JPY", 12),
        ("1.234", "BHD", 1234),
        ("1.2345", "CLF", 12345),
        ("92233720368547758.07", "EUR", 2**63 - 1),
    ],
    ids=str,
)
def test_amount_in_minor_units(amount: object, currency: str, units: int) -> None:
    given = {"amount": amount, "currency": currency}
    assert minor_units("amount", currency_argument="currency").compute(given) == units
    assert minor_units("amount", currency=currency).compute(given) == units


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        (0.1 + 0.2, "EUR"),
        ("0.001", "EUR"),
        (1.5, "JPY"),
        ("1.2345", "BHD"),
        ("NaN", "EUR"),
        ("1e3", "EUR"),
        ("1_000", "EUR"),
        ("1,50", "EUR"),
        (" 1", "EUR"),
        ("+1", "EUR"),
        ("", "EUR"),
        ("١٢", "EUR"),
        (float("nan"), "EUR"),
        (float("inf"), "EUR"),
        (True, "EUR"),
        ([1], "EUR"),
        (1e300, "EUR"),
        (1e-300, "EUR"),
        (10**30, "EUR"),
        (10**5000, "EUR"),
        (Decimal("1E+999999"), "EUR"),
        ("92233720368547758.08", "EUR"),
        (1, "eur"),
        (1, "EURO"),
        (1, "XXX"),
        (1, ""),
        (1, 5),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, int) else "whole",
)
def test_what_is_no_amount_is_refused_and_never_rounded(amount: object, currency: object) -> None:
    with pytest.raises(FactError):
        minor_units("amount", currency_argument="currency").compute(
            {"amount": amount, "currency": currency}
        )


def test_an_amount_in_minor_units_already_is_one_that_is_whole() -> None:
    cents = minor_units("cents", currency="EUR", is_minor=True)
    assert cents.compute({"cents": 1250}) == 1250
    with pytest.raises(FactError, match="finer"):
        cents.compute({"cents": 12.5})


@given(
    st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1), st.sampled_from(["EUR", *PLACES])
)  # fmt: skip
def test_units_that_were_written_are_read(units: int, currency: str) -> None:
    amount = str(Decimal(units).scaleb(-PLACES.get(currency, 2)).__format__("f"))
    assert minor_units("amount", currency=currency).compute({"amount": amount}) == units


@pytest.mark.parametrize(
    "terms", [{}, {"currency": "EUR", "currency_argument": "c"}, {"currency": "euro"}], ids=str
)
def test_one_currency_is_named(terms: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"[Ww]anted is"):
        minor_units("amount", **terms)


# An author's own.


def abs_of(count: int) -> int:
    return abs(count)


def shout(word: str, count: int) -> str:
    return word.upper() * count


def test_an_authors_function_is_given_its_arguments() -> None:
    own = fact(shout, type="text")
    assert own.compute({"word": "a", "count": 2, "other": 5}) == "AA"
    assert own.description == "shout of word, count"


def test_a_set_is_sorted_and_each_text_once() -> None:
    def words_of(text: str) -> set[str] | list[str]:
        return text.split()

    assert fact(words_of, type=FactType.TEXTS).compute({"text": "b a b"}) == ("a", "b")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 5),
        ("whole", "5"),
        ("whole", True),
        ("whole", 2**63),
        ("truth", 1),
        ("texts", "abc"),
        ("texts", ["a", 1]),
        ("text", None),
    ],
)
def test_what_is_not_of_the_type_said_is_refused(kind: str, value: object) -> None:
    def say(x: object) -> object:
        return x

    with pytest.raises(FactError):
        fact(say, type=kind).read({"x": value})


def test_whatever_an_authors_function_raises_denies() -> None:
    def fail(x: object) -> None:
        raise KeyError(x)

    with pytest.raises(FactError, match="`broken` cannot be computed: it failed with KeyError"):
        compute_facts({"broken": fact(fail, type="text")}, {"x": 1})


def test_a_function_that_says_not_what_it_takes_is_refused() -> None:
    def nothing() -> None: ...
    def many(*words: str) -> None: ...
    def named(**words: str) -> None: ...

    for function in (nothing, many, named):
        with pytest.raises(ValueError, match="by their names"):
            fact(function, type="text")


def test_a_fact_whose_argument_is_absent_is_absent() -> None:
    extractors = {"host": url_host("url"), "loud": fact(shout, type="text")}
    assert compute_facts(extractors, {"url": None, "word": "a"}) == {}


# The tool that has them.

TOOL = contract(
    "t",
    {
        "url": STRING,
        "to": {"anyOf": [STRING, {"type": "array", "items": {"$ref": "#/$defs/S"}}]},
        "count": WHOLE,
        "amount": {"anyOf": [NUMBER, {"type": "string"}, {"type": "null"}]},
        "currency": {"type": "string", "default": "EUR"},
        "kind": {"enum": ["a", "b"]},
    },
    optional={"currency"},
    definitions={"S": STRING},
).arguments_schema


def test_what_fits_has_no_problems() -> None:
    for extractor in (
        url_host("url"),
        url_host("kind"),
        recipient_domains("to"),
        recipient_domains("url"),
        minor_units("amount", currency_argument="currency"),
        fact(abs_of, type="whole"),
    ):
        assert not problems_with(extractor, TOOL)


@pytest.mark.parametrize(
    ("extractor", "found"),
    [
        (url_host("uri"), "takes `uri`"),
        (url_host("count"), "takes `count`, which is integer"),
        (real_path("to"), "takes `to`, which is array of string or string"),
        (recipient_domains("amount"), "takes `amount`, which is number or string"),
        (minor_units("to", currency="EUR"), "takes `to`, which is array of string or string"),
        (minor_units("amount", currency_argument="count"), "takes `count`, which is integer"),
        (fact(shout, type="text"), "takes `word`"),
    ],
    ids=lambda value: getattr(value, "description", value),
)
def test_what_does_not_fit_is_told(extractor: object, found: str) -> None:
    assert problems_with(extractor, TOOL)[0][0] == found  # pyright: ignore[reportArgumentType]  (the table is of extractors)


def test_a_fact_is_optional_where_its_argument_is() -> None:
    url = url_host("url")
    assert describe(url, TOOL, fills_defaults=True) == Fact(
        type=FactType.TEXT, is_optional=False, description="host of the URL in url"
    )
    money = minor_units("amount", currency="EUR")
    assert describe(money, TOOL, fills_defaults=True).is_optional


def test_a_default_makes_a_fact_sure_where_it_is_filled_in() -> None:
    money = minor_units("count", currency_argument="currency")
    assert not describe(money, TOOL, fills_defaults=True).is_optional
    assert describe(money, TOOL, fills_defaults=False).is_optional
