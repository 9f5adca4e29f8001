"""What the process of a job does with it, done here."""

import json
import os
from typing import Any

import pytest

from penstock.nodes.isolation.protocol import Problem, Returned
from penstock.nodes.isolation.runner import run_job
from penstock.nodes.secrets import PLACEHOLDER
from support.pools import job


def done(name: str, *, secrets: dict[str, str] | None = None, **arguments: Any) -> list[object]:
    """Carry out a job; returns what was said, in its order."""
    said: list[object] = []
    said.append(
        run_job(
            job(name, secrets=secrets, **arguments),
            calling=lambda: said.append("calling"),
            result_bytes=100,
        )
    )
    return said


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the environment back, which a job's own process is free to change."""
    monkeypatch.setattr(os, "environ", dict(os.environ))


def test_a_call_is_announced_before_it_is_made() -> None:
    assert done("add", a=1, b=2) == ["calling", Returned(result="3")]


def test_an_asynchronous_function_is_awaited() -> None:
    _, said = done("pay", cents=100)
    assert isinstance(said, Returned)
    assert json.loads(said.result)["id"] == "k1/1"


@pytest.mark.parametrize(
    ("how", "what", "code"),
    [
        ("retryable", "retryable", "tool_retryable"),
        ("permanent", "permanent", "tool_permanent"),
        ("declined", "refused", "card_declined"),
        ("value", "raised", ""),
        ("exit", "raised", ""),
    ],
)
def test_an_error_is_told_by_its_kind(how: str, what: str, code: str) -> None:
    began, said = done("fail", how=how)
    assert began == "calling"
    assert isinstance(said, Problem)
    assert (said.what, said.code) == (what, code)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("missing", {}), ("hang", {}), ("add", {"a": "x", "b": 1}), ("leak", {"where": "result"})],
)
def test_what_cannot_be_called_is_not_announced(name: str, arguments: dict[str, Any]) -> None:
    (said,) = done(name, **arguments)
    assert isinstance(said, Problem)
    assert said.what == "not_started"


def test_a_result_that_is_too_long_is_told_as_such() -> None:
    _, said = done("large", count=200)
    assert isinstance(said, Problem)
    assert said.what == "invalid_result"


def test_a_secret_is_taken_out_where_it_is_known() -> None:
    _, said = done("leak", where="result", secrets={"CANARY": "canary"})
    assert said == Returned(result=json.dumps(f"the token is {PLACEHOLDER}", ensure_ascii=False))
    _, told = done("leak", where="long", secrets={"CANARY": "canary"})
    assert isinstance(told, Problem)
    assert "can" not in told.message + told.traceback.replace("cannot", "")


def test_a_result_that_is_none_without_its_secret_is_told_as_such() -> None:
    _, said = done("coded", secrets={"CANARY": "a1"})
    assert isinstance(said, Problem)
    assert said.what == "invalid_result"
    assert "a1" not in said.model_dump_json()
