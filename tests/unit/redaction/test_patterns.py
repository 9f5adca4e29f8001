"""Secrets and personal data are found in text, and what only looks like them is left."""

import json
import time
from collections.abc import Callable

import pytest

from penstock.contracts.redaction.patterns import redact

# None of these is real: they have the form alone.
SECRETS = {
    "an OpenAI key": ("sk-proj-" + "Ab3" * 14, "[key]"),
    "an Anthropic key": ("sk-ant-api03-" + "Ab3_" * 14, "[key]"),
    "a Stripe key": ("sk_live_" + "Ab3" * 8, "[key]"),
    "a GitHub token": ("ghp_" + "Ab3" * 12, "[key]"),
    "a fine-grained one": ("github_pat_" + "Ab3_" * 12, "[key]"),
    "a GitLab token": ("glpat-" + "Ab3-" * 5, "[key]"),
    "a Slack token": ("xoxb-" + "123-" * 5 + "abc", "[key]"),
    "an AWS key": ("AKIA" + "ABCD" * 4, "[key]"),
    "a Google key": ("AIza" + "Ab3-" * 9, "[key]"),
    "a Hugging Face token": ("hf_" + "Ab3" * 10, "[key]"),
    "a PyPI token": ("pypi-" + "Ab3" * 15, "[key]"),
    "a JWT": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJl", "[jwt]"),
    "an encrypted one": ("eyJhbGciOiJkaXIifQ.abcdefgh.aXY.Y2lwaGVy.dGFn", "[jwt]"),
    "a mail address": ("ann.b+x@mail.example.co.uk", "[email]"),
    "a card": ("4111 1111 1111 1111", "[card]"),
    "a card in one piece": ("5500005555555559", "[card]"),
    "an American card": ("378282246310005", "[card]"),
    "an IBAN": ("DE89 3704 0044 0532 0130 00", "[iban]"),
    "an IBAN in one piece": ("GB33BUKB20201555555555", "[iban]"),
    "a social security number": ("123-45-6789", "[ssn]"),
    "a phone number": ("+49 (170) 123 45 67", "[phone]"),
    "an American one": ("(212) 555-0123", "[phone]"),
    "a German one": ("0170 1234567", "[phone]"),
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", "it is {}.", '{{"it": "{}"}}', "'{}'", "a\n{}\nb", "({})", "x={}", "<{}>"]
)
def test_a_secret_is_found_wherever_it_stands(secret: str, around: str) -> None:
    value, mark = SECRETS[secret]
    assert redact(around.format(value)) == around.format(mark)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["a\n{}\nb", "\x1b{}\t", "\r\n{}", "\x00{}"])
@pytest.mark.parametrize("write", [repr, json.dumps])
def test_a_secret_is_found_behind_what_was_escaped(
    secret: str, around: str, write: Callable[[str], str]
) -> None:
    value, mark = SECRETS[secret]
    found = redact(write(around.format(value)))
    assert value not in found
    assert mark in found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("password=swordfish", "password=[assigned]"),
        ("DATABASE_PASSWORD: swordfish", "DATABASE_PASSWORD: [assigned]"),
        ('{"api_key": "abcdef"}', '{"api_key": "[assigned]"}'),
        ('{\\"clientSecret\\": \\"abcdef\\"}', '{\\"clientSecret\\": \\"[assigned]\\"}'),
        ("'accessToken': 'abcdef'", "'accessToken': '[assigned]'"),
        ("my password is swordfish, please", "my password is [assigned], please"),
        ("Authorization: Bearer abcdefghijkl", "Authorization: [assigned]"),
        ("curl -H 'Bearer abcdefghijkl'", "curl -H 'Bearer [bearer]'"),
        ("postgresql://ann:s3cret@db/x", "postgresql://ann:[url_password]@db/x"),
        ("redis://:s3cret@cache", "redis://:[url_password]@cache"),
    ],
)
def test_what_is_assigned_is_found_by_its_name(text: str, wanted: str) -> None:
    assert redact(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("order 3001 4111 1111 1111 1111", "order 3001 [card]"),
        ("id-4111 4111 1111 1111 1111", "id-4111 [card]"),
        ("4111 1111 1111 1111 5500 0055 5555 5559", "[card] [card]"),
    ],
)
def test_a_number_beside_a_card_does_not_hide_it(text: str, wanted: str) -> None:
    assert redact(text) == wanted


@pytest.mark.parametrize("end", ["\n-----END RSA PRIVATE KEY-----", ""])
def test_a_private_key_is_found_even_without_its_end(end: str) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC" + end
    assert redact(f"here: {key}") == "here: [private_key]"


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "DE89 3704 0044 0532 0130 02",
        "000-45-6789",
        "2026-11-26T01:46:04.123456+00:00",
        "019ac0c0-7b1e-7b1e-8b1e-0123456789ab",
        "40d4ac06aca7cfd796a6a08eb52e04711c2474c91b06fbb51271a83bde52d5b1",
        "order 1234567890 costs 12.50 EUR, in 3 parcels of 4.5 kg",
        "max_tokens: 1000, token_count=12345",
        "https://example.org/a/b?c=d",
        "the secretary asked a basic question",
        "task-management and risk-free",
        "1764121564123",
        "version 3.11.7, 192.168.100.200",
    ],
)
def test_what_only_looks_like_one_is_left(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "part",
    ["a", "1", "1 ", "a.", "a@", "+1 ", "sk-", "AA11 ", "://a:", "token=", "eyJ", "-", "is "],
)
def test_no_text_takes_long(part: str) -> None:
    text = part * (50_000 // len(part))
    began_s = time.process_time()
    redact(text)
    assert time.process_time() - began_s < 5
