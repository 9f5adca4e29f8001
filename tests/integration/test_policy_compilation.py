"""A worker, its runs and the people at its gates share one compiled policy."""

import pytest

from penstock.checkpoints import Store
from penstock.policies import compiled as module
from penstock.policies import read_source
from penstock.policies.judge import Judge
from penstock.runs.policies import policy_cache_of
from support.council import COUNCIL, Council, pay


async def test_policy_is_compiled_once_in_a_process(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_count = 0

    class CountedJudge(Judge):
        def __init__(self, *given: object) -> None:
            nonlocal compile_count
            compile_count += 1
            super().__init__(*given)  # pyright: ignore[reportArgumentType] (passed on as they are)

    monkeypatch.setattr(module, "Judge", CountedJudge)
    monkeypatch.setattr(module, "_compiled", {})
    council = Council(store)
    digest = read_source(COUNCIL).digest
    for _ in range(3):
        cache = policy_cache_of(council.graph, council.staff)
        await store.read(
            lambda connection, cache=cache: cache.compiled(
                connection,
                digest,
                pay.contract,
            )
        )
    assert compile_count == 1
