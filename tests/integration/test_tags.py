"""Tags of runs: given at the start, inherited, looked for, and forgotten with the run."""

from typing import TypedDict

import pytest
from sqlalchemy import select

from penstock.checkpoints import Store, runs
from penstock.checkpoints.schema import run_tags
from penstock.contracts.errors import InvalidInput
from penstock.contracts.ids import RunId
from penstock.contracts.inbox import RunFilter
from support.shops import Shop, chain_of


class State(TypedDict, total=False):
    said: str


async def idle(_: State) -> State:
    return {}


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store, chain_of(State, idle))


def found(store: Store, *tags: str, tenant: str = "default") -> list[str]:
    wanted = RunFilter(tenant=tenant, tags=tags)
    page = store.read_blocking(lambda tx: runs.page(tx, wanted, limit=9))
    counts = store.read_blocking(lambda tx: runs.counts(tx, wanted))
    assert sum(counts.values()) == len(page)
    return [each.run.id for each in page]


async def test_runs_are_found_by_all_of_the_tags_that_are_asked_for(shop: Shop) -> None:
    both = await shop.runtime.start("chain", {}, actor="ann", tags=["b", " a"])
    one = await shop.runtime.start("chain", {}, actor="ann", tags=["a"])
    none = await shop.runtime.start("chain", {}, actor="ann")
    abroad = await shop.runtime.start("chain", {}, actor="ann", tags=["a", "c"], tenant="acme")
    assert (both.tags, none.tags) == (("a", "b"), ())
    assert found(shop.store, "a") == [one.id, both.id]
    assert found(shop.store, "a", "b") == [both.id]
    assert found(shop.store, "c") == []
    assert found(shop.store, "a", tenant="acme") == [abroad.id]
    assert [run.id for run in await shop.runtime.list(tags=["a", "b"])] == [both.id]
    tags = shop.store.read_blocking(lambda tx: runs.tags(tx, tenant="default", limit=9))
    assert tags == ["a", "b"]


async def test_a_run_with_what_is_no_tag_is_not_started(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="is no tag"):
        await shop.runtime.start("chain", {}, actor="ann", tags=["a,b"])
    assert await shop.runtime.list() == []


async def test_a_key_that_names_a_run_leaves_its_tags_as_they_are(shop: Shop) -> None:
    first = await shop.runtime.start("chain", {}, actor="ann", key="one", tags=["a"])
    again = await shop.runtime.start("chain", {}, actor="ann", key="one", tags=["b"])
    assert (again.id, again.tags) == (first.id, ("a",))
    assert found(shop.store, "b") == []


async def test_children_inherit_the_tags_of_the_runs_above_them(shop: Shop) -> None:
    top = await shop.runtime.start("chain", {}, actor="ann", tags=["top"])
    middle = await shop.runtime.start("chain", {}, actor="ann", parent_id=top.id, tags=["own"])
    low = await shop.runtime.start("chain", {}, actor="ann", parent_id=middle.id)
    assert (middle.tags, low.tags) == (("own", "top"), ("own", "top"))
    assert found(shop.store, "top") == [low.id, middle.id, top.id]


async def test_tags_are_forgotten_with_their_run(shop: Shop) -> None:
    run = await shop.runtime.start("chain", {}, actor="ann", tags=["mr smith"])
    other = await shop.runtime.start("chain", {}, actor="ann", tags=["mr smith"])
    await shop.runtime.cancel(run.id, by="ann")
    await shop.runtime.forget(run.id, by="ann")
    assert (await shop.runtime.get(run.id)).tags == ()
    assert found(shop.store, "mr smith") == [other.id]
    left = shop.store.read_blocking(
        lambda tx: tx.execute(select(run_tags.c.run_id)).scalars().all()
    )
    assert [RunId(each) for each in left] == [other.id]
    events = await shop.runtime.history(run.id)
    assert "mr smith" not in str(events)
