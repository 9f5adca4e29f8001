"""LangGraph's own conformance suite over the checkpointer, base and extended."""

from collections.abc import AsyncIterator

from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES

from penstock.checkpoints import Checkpointer, Store


async def test_the_checkpointer_passes_the_whole_suite(database_url: str) -> None:

    @checkpointer_test(name="penstock")
    async def saver() -> AsyncIterator[Checkpointer]:
        with Store.open(database_url) as store:
            yield Checkpointer(store)

    report = await validate(saver)
    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert not failures
    passed = {name for name, result in report.results.items() if result.passed}
    assert passed == {capability.value for capability in ALL_CAPABILITIES}
    assert report.conformance_level() == "FULL"
