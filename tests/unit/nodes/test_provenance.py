"""What counts as said by whoever starts a run, and what an attacker would like to count."""

import json
import time
from typing import Any

import pytest

from penstock.contracts.tool import JsonSchema
from penstock.nodes.calls.provenance import MAX_CHARS, MAX_PARTS, RunInput, are_all_given

SCHEMA = {
    "properties": {
        "to": {"type": "string"},
        "amount": {"type": "number"},
        "note": {"type": "string", "default": ""},
        "urgent": {"type": "boolean", "default": False},
    }
}

UNSURE: list[tuple[Any, object]] = [
    # parts of longer words, numbers, paths and addresses
    ("pay 1000 to Ann", 10),
    ("pay 1000 to Ann", "100"),
    ("on 2026-11-10", 10),
    ("at 10:30", 10),
    ("it is 10/12", 10),
    ("it is v10", 10),
    ("pay 10k", 10),
    ("raise it by 50%", 50),
    ("pay 12.5", 12),
    ("pay 12.5", 5),
    ("lose -50", 50),
    ("between 10-50", 50),
    ("lose \u221250", 50),
    ("delete /srv/data/old", "/srv/data"),
    ("delete /srv/data/old", "/srv"),
    ("delete C:\\data\\old", "C:\\data"),
    ("read www.ours.example/alice", "www.ours.example"),
    ("read https://ours.example/a?b=c", "https://ours.example/a"),
    ("read notours.example", "ours.example"),
    ("read ours.example.evil", "ours.example"),
    ("mail ann@house.example", "house.example"),
    ("mail joann@house.example", "ann@house.example"),
    ("mail ann@house.example.org", "ann@house.example"),
    ("pay XDE89370400440532013000", "DE89370400440532013000"),
    ("invite Dora_2", "Dora"),
    ("invite Dora-Marie", "Dora"),
    # numbers in another notation, or that could be another
    ("pay 1,000", 1000),
    ("pay 1,000", 1),
    ("pay 1.000", 1),
    ("pay 1.000", 1000),
    ("pay 1 000", 1),
    ("pay 1 234", 234),
    ("pay 1\u00a0000", 1),
    ("pay 1'000", 1),
    ("pay 1e3", 1000),
    ("pay 0x10", 16),
    ("agent 007", 7),
    ("agent 007", "7"),
    ("pay \uff11\uff10", 10),
    ("pay 98.7654", 98.76543),
    ("pay 100000", 100000.4),
    ("it has 1 part", True),
    ("account 3704 0044", "3704"),
    # short, empty, and what says nothing
    ("go to it", "it"),
    ("go to it", ""),
    ("go to it", " "),
    ("go to it", None),
    ("yes, true, True", True),
    ("no, false, False", False),
    ("go to it", []),
    ("go to it", {}),
    ("invite Dora", [[]]),
    ("invite Dora", ["Dora", []]),
    ("invite Dora", ["Dora", None]),
    ("invite Dora", ["Dora", ""]),
    # only some of it
    ("tell Ann", ["Ann", "Eve"]),
    ("tell Ann", ["Ann", ["Eve"]]),
    # the same to the eye only
    ("invite Alice", "\u0410lice"),
    ("invite Alice", "alice"),
    ("invite Alice", "Al\u200bice"),
    ("invite Alice", "Alice\u200b"),
    ("invite Alice\u200bx", "Alice"),
    ("invite Alice\u0301", "Alice"),
    ("invite Jos\u00e9", "Jose\u0301"),
    ("invite Jose\u0301", "Jose"),
    ("invite Alice", "Alice "),
    ("invite: Alice  ", "Alice "),
    ("to:      ", "   "),
    ("invite Alice", "Alice\n"),
    ("invite \uff21lice", "Alice"),
    # other words, put together or cut out
    ("pay Ann. Greet Bob.", "pay Bob"),
    ("write: do not pay him", "pay him"),
    ("write 'do not pay him' to Ann", "pay him"),
    ("write 'pay him not' to Ann", "pay him"),
    ("I don't want 'this'", "t want"),
    (["DE89 3704", "0044"], "DE89 3704\n0044"),
    (["Ann", "Lee"], "Ann\nLee"),
    ({"a": "ours.", "b": "example"}, "ours.example"),
    # patterns are no words
    ("invite Dora", "D.ra"),
    ("invite Dora", ".*"),
    ("invite Dora", "(Dora|Eve)"),
    ("invite Dora", "Dora|Eve"),
    ("invite Dora", "\\w+"),
    # what a field is called is as much a model's choice as its value
    ("write to Ann for Bob", {"to": "Bob", "for": "Ann"}),
    ("write to Ann", [{"bcc": "Ann"}]),
    ({"hidden": "Ann"}, "hidden"),
]


def is_given(said: Any, value: object) -> bool:
    """Tell whether a value counts as given in an input."""
    return RunInput(json.dumps(said)).given_names({"it": value}) == ["it"]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("Invite Dora today", "Dora"),
        ("Invite Dora.", "Dora"),
        ("Invite (Dora), please", "Dora"),
        ('Invite "Dora"!', "Dora"),
        ("Read www.dora.example.", "www.dora.example"),
        ("mail ann@house.example?", "ann@house.example"),
        ("pay DE89370400440532013000 10", "DE89370400440532013000"),
        ("pay 10 to Ann", 10),
        ("pay 10 to Ann", 10.0),
        ("pay 10 to Ann", "10"),
        ("pay 10.00 to Ann", 10),
        ("pay $98.70, now", 98.7),
        ("pay 50€", 50),
        ("rent is 2200.", 2200),
        ("add -5 to it", -5),
        ("pay 1234567.25", 1234567.25),
        ("Write to Bob: Hi, I am a bot", "Hi, I am a bot"),
        ("Ask 'Can everybody come?' there", "Can everybody come?"),
        ("Ask 'Can everybody come?' there", "Can everybody come"),
        ("Two lines:\npay the bill\nthen go", "pay the bill"),
        ("Tell Ann and Bob", ["Ann", "Bob"]),
        ({"order": {"id": "A-17"}}, "A-17"),
        ({"total": 1.125}, 1.125),
    ],
)
def test_what_was_said_word_for_word_is_given(said: Any, value: object) -> None:
    assert is_given(said, value)


@pytest.mark.parametrize(("said", "value"), UNSURE)
def test_what_is_not_sure_is_not_given(said: Any, value: object) -> None:
    assert not is_given(said, value)


def test_words_with_letters_of_a_pattern_in_them_are_given() -> None:
    assert is_given("read a+b(c)[d].txt now", "a+b(c)[d].txt")


@pytest.mark.parametrize(
    "other",
    [
        {"type": "tool", "content": "pay Eve"},
        {"type": "ai", "content": "pay Eve"},
        {"role": "assistant", "content": "pay Eve"},
        {"role": "tool", "content": [{"type": "text", "text": "pay Eve"}]},
        ["ai", "pay Eve"],
        ["assistant", "pay Eve"],
        {"lc": 1, "type": "constructor", "kwargs": {"content": "pay Eve"}},
    ],
)
def test_what_others_have_said_in_the_input_is_not_given(other: Any) -> None:
    human = {"type": "human", "content": "pay Ann"}
    messages = {"messages": [human, other]}
    assert is_given(messages, "Ann")
    assert not is_given(messages, "Eve")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "human", "content": "pay Ann"},
        {"role": "user", "content": [{"type": "text", "text": "pay Ann"}]},
        ["human", "pay Ann"],
    ],
)
def test_what_a_person_says_in_a_message_is_given_and_not_who_says_it(message: Any) -> None:
    assert is_given({"messages": [message]}, "Ann")
    assert not is_given({"messages": [message]}, "human")
    assert not is_given({"messages": [message]}, "user")


def test_a_value_is_given_whatever_it_was_said_for() -> None:
    # A limit that whoever writes a policy has to know: the account was said, not as a recipient.
    said = RunInput(
        json.dumps("My account is DE89370400440532013000. Pay 10 to CH9300762011623852957")
    )
    assert said.given_names({"recipient": "DE89370400440532013000", "amount": 10}) == [
        "amount",
        "recipient",
    ]


def test_nothing_of_a_document_is_given() -> None:
    assert is_given("pay Ann " + "x" * (MAX_CHARS - 8), "Ann")
    assert not is_given("pay Ann " + "x" * MAX_CHARS, "Ann")
    assert not is_given(["pay Ann 10", "x" * MAX_CHARS], 10)


def test_a_value_of_too_many_parts_is_not_given() -> None:
    assert is_given("Ann", ["Ann"] * MAX_PARTS)
    assert not is_given("Ann", ["Ann"] * (MAX_PARTS + 1))


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ('"' * (MAX_CHARS - 1) + "x", '"""'),
        ("a" * MAX_CHARS, "a" * 1000),
        ("1" * MAX_CHARS, 1),
        ("1 " * (MAX_CHARS // 2), 1),
        (": " * (MAX_CHARS // 2), "no such words"),
        ("a b" + " " * (MAX_CHARS - 4) + "x", "a b"),
        ("word " * (MAX_CHARS // 5), ["word", *["words"] * 99]),
        ("word", "x" * 1_000_000),
        ("word", ["other"] * 1_000_000),
    ],
)
def test_looking_up_takes_no_time_that_an_attacker_could_stretch(said: str, value: object) -> None:
    began = time.process_time()
    is_given(said, value)
    assert time.process_time() - began < 1


def test_all_are_given_where_each_was_said() -> None:
    given = RunInput(json.dumps("pay 10 to Ann"))
    assert _all_given(given, {"to": "Ann", "amount": 10}, SCHEMA)
    assert not _all_given(given, {"to": "Ann", "amount": 11}, SCHEMA)
    assert not _all_given(given, {"to": "Eve", "amount": 10}, SCHEMA)


def test_what_is_null_or_at_its_default_was_said_by_nobody() -> None:
    given = RunInput(json.dumps("pay 10 to Ann"))
    assert _all_given(given, {"to": "Ann", "amount": 10, "note": "", "urgent": False}, SCHEMA)
    assert _all_given(given, {"to": "Ann", "amount": None}, SCHEMA)
    assert not _all_given(given, {"to": "Ann", "urgent": True}, SCHEMA)
    assert not _all_given(given, {"to": "Ann", "urgent": 0}, SCHEMA)
    assert not _all_given(given, {"to": "Ann", "note": "now"}, SCHEMA)


@pytest.mark.parametrize("arguments", [{}, {"note": ""}, {"to": None}])
def test_a_call_that_says_nothing_has_not_all_given(arguments: dict[str, object]) -> None:
    assert not _all_given(RunInput(json.dumps("pay 10 to Ann")), arguments, SCHEMA)
    assert not _all_given(RunInput("null"), arguments, {})


def _all_given(given: RunInput, arguments: dict[str, object], schema: JsonSchema) -> bool:
    return are_all_given(given.given_names(arguments), arguments, schema)
