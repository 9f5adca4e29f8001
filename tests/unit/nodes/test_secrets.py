"""Secrets are resolved where a tool runs, and shown nowhere."""

from typing import Annotated

import pytest

from penstock.contracts.call import Refused, Stage
from penstock.nodes import SecretRef, tool
from penstock.nodes.secrets import SecretValues, resolve
from penstock.nodes.tools.arguments import CheckedArguments
from penstock.nodes.tools.supplies import Supplies
from support.calls import ATTEMPT


@tool
async def post(text: str, token: Annotated[str, SecretRef("POST_TOKEN")]) -> str:
    """Post."""
    return f"{text} {token}"


def test_a_contract_names_its_secrets() -> None:
    assert post.contract.secrets == {"POST_TOKEN"}


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POST_TOKEN", "canary-7")
    found = resolve(["POST_TOKEN"])
    assert isinstance(found, SecretValues)
    assert dict(found) == {"POST_TOKEN": "canary-7"}


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_secret_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("POST_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("POST_TOKEN", value)
    refused = resolve(["POST_TOKEN"])
    assert isinstance(refused, Refused)
    assert (refused.stage, refused.code) == (Stage.CONTRACT, "secret_missing")
    assert "`POST_TOKEN`" in refused.message


def test_no_representation_shows_a_value() -> None:
    values = SecretValues({"POST_TOKEN": "canary-7"})
    assert repr(values) == "SecretValues(POST_TOKEN=…)"
    assert "canary" not in repr(Supplies(attempt=ATTEMPT, secrets=values))


def test_a_function_is_given_the_value() -> None:
    checked = post.check({"text": "hello"})
    assert isinstance(checked, CheckedArguments)
    supplies = Supplies(attempt=ATTEMPT, secrets=SecretValues({"POST_TOKEN": "canary-7"}))
    assert post.keywords(checked, supplies) == {"text": "hello", "token": "canary-7"}


def test_a_model_cannot_give_a_secret() -> None:
    assert isinstance(post.check({"text": "hello", "token": "mine"}), Refused)
