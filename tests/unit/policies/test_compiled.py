"""A process compiles each version of a policy once for the same tools, roles and groups."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from penstock.policies import compiled as module
from penstock.policies.compiled import COMPILED_LIMIT
from penstock.policies.judge import Judge
from support.policies import CONTRACTS, compiled

ALLOW = '@id("{}")\npermit (principal, action, resource);'


@pytest.fixture
def compile_count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list with one entry for each policy that is compiled."""
    counted: list[int] = []

    class CountedJudge(Judge):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # pyright: ignore[reportArgumentType] (passed on as they are)
            counted.append(1)

    monkeypatch.setattr(module, "Judge", CountedJudge)
    return counted


def test_version_is_compiled_once(compile_count: list[int]) -> None:
    first = compiled(allow=ALLOW.format("once"))
    assert compiled(allow=ALLOW.format("once")) is first
    assert len(compile_count) == 1


def test_threads_that_want_a_version_at_once_compile_it_once(compile_count: list[int]) -> None:
    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(compiled, allow=ALLOW.format("threads")) for _ in range(8)]
        found = {id(future.result()) for future in futures}
    assert len(found) == 1
    assert len(compile_count) == 1


def test_other_scopes_of_a_tool_make_another_policy() -> None:
    first, *others = CONTRACTS
    changed = [replace(first, scopes=frozenset({"another:scope"})), *others]
    policy = compiled(allow=ALLOW.format("by-scopes"))
    assert compiled(allow=ALLOW.format("by-scopes"), contracts=changed) is not policy


def test_other_roles_are_checked_again() -> None:
    policy = compiled(allow=ALLOW.format("roles"), roles={"clerk"})
    assert compiled(allow=ALLOW.format("roles"), roles={"clerk", "lead"}) is not policy


def test_versions_that_were_not_asked_for_lately_are_dropped(compile_count: list[int]) -> None:
    compiled(allow=ALLOW.format("dropped"))
    for number in range(COMPILED_LIMIT):
        compiled(allow=ALLOW.format(f"other-{number}"))
    compiled(allow=ALLOW.format("dropped"))
    assert len(compile_count) == COMPILED_LIMIT + 2
