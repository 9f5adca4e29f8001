"""Roles are asked for where somebody acts, whatever they act through."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import pytest

from penstock.checkpoints import Checkpointer, Store, runs
from penstock.contracts.errors import InvalidPolicy, NotAllowed, PolicyChanged, VoteRefused
from penstock.contracts.ids import WorkerId
from penstock.contracts.run import Run, RunStatus
from penstock.contracts.tool import EffectClass
from penstock.graphs import Catalog
from penstock.policies import Directory
from penstock.runs import Policies, Runtime
from penstock.runs.authorization import Right, has_right
from support.ledgers import Book, new_effect
from support.policies import sets
from support.runs import NOW
from support.shops import chain_of

PEOPLE = """
[users.ada]
roles = ["clerk"]
[users.fay]
groups = ["finance"]
[users.olga]
groups = ["operators"]
[users.alma]
groups = ["admins"]
[users.vera]
[users.abe]
tenant = "other"
roles = ["clerk"]
groups = ["operators", "admins"]
"""
RIGHTS = {
    "ada": {Right.VIEW, Right.START},
    "fay": {Right.VIEW},
    "olga": {Right.VIEW, Right.START, Right.STEER, Right.MANAGE_WORKERS},
    "alma": {Right.VIEW, Right.START, Right.STEER, Right.MANAGE_WORKERS, Right.MANAGE_POLICIES},
    "vera": {Right.VIEW},
    "abe": set[Right](),
    "nobody": set[Right](),
}


class State(TypedDict, total=False):
    said: str


async def idle(_: State) -> State:
    return {}


GRAPH = chain_of(State, idle)
OTHER = sets(allow='@id("all") permit (principal, action, resource);')


@pytest.fixture
def people(tmp_path: Path) -> Directory:
    file = tmp_path / "people.toml"
    file.write_text(PEOPLE)
    return Directory.load(file)


@pytest.fixture
def runtime(store: Store, people: Directory) -> Runtime:
    return Runtime(store, Checkpointer(store), Catalog.of(GRAPH), people=people)


@pytest.mark.parametrize("person", RIGHTS)
def test_rights_follow_from_who_somebody_is(people: Directory, person: str) -> None:
    assert {right for right in Right if has_right(people, right, person, "default")} == RIGHTS[
        person
    ]


@pytest.mark.parametrize("person", ["fay", "vera", "abe", "nobody"])
async def test_who_has_no_role_starts_nothing(runtime: Runtime, person: str) -> None:
    with pytest.raises(NotAllowed, match="may not start runs"):
        await runtime.start(GRAPH.name, {}, actor=person)
    assert await runtime.list() == []


Steering = Callable[[Runtime, Run, str], Coroutine[Any, Any, object]]
STEERING: dict[str, Steering] = {
    "cancel": lambda runtime, run, by: runtime.cancel(run.id, by=by),
    "pause": lambda runtime, run, by: runtime.pause(run.id, by=by),
    "resume": lambda runtime, run, by: runtime.resume(run.id, by=by),
    "redrive": lambda runtime, run, by: runtime.redrive(run.id, by=by),
    "forget": lambda runtime, run, by: runtime.forget(run.id, by=by),
}


@pytest.mark.parametrize("person", ["fay", "vera", "abe", "nobody"])
@pytest.mark.parametrize("deed", STEERING)
async def test_who_is_no_operator_steers_nobody_elses_run(
    runtime: Runtime, deed: str, person: str
) -> None:
    run = await runtime.start(GRAPH.name, {}, actor="ada")
    with pytest.raises(NotAllowed):
        await STEERING[deed](runtime, run, person)
    assert await runtime.get(run.id) == run


@pytest.mark.parametrize("person", ["ada", "olga", "alma"])
async def test_whoever_a_run_acts_for_and_operators_steer_it(runtime: Runtime, person: str) -> None:
    run = await runtime.start(GRAPH.name, {}, actor="ada")
    assert (await runtime.pause(run.id, by=person)).pause_by == person
    assert (await runtime.resume(run.id, by=person)).pause_by is None
    assert (await runtime.cancel(run.id, by=person)).status is RunStatus.CANCELLED


async def test_redrive_is_an_operators(runtime: Runtime) -> None:
    run = await runtime.start(GRAPH.name, {}, actor="ada")
    with pytest.raises(NotAllowed):
        await runtime.redrive(run.id, by="ada")


@pytest.mark.parametrize("person", ["ada", "fay", "olga", "vera", "abe", "nobody"])
async def test_only_admins_change_policies(store: Store, people: Directory, person: str) -> None:
    policing = Policies(store, Catalog.of(GRAPH), people=people)
    await policing.load(GRAPH.name, by="alma")
    with pytest.raises(NotAllowed, match="may not change policies"):
        await policing.load(GRAPH.name, by=person)
    with pytest.raises(NotAllowed, match="may not change policies"):
        await policing.use("chain@1", by=person)
    (decides,) = await policing.versions(GRAPH.name)
    with pytest.raises(NotAllowed, match="may not change policies"):
        await policing.replace(GRAPH.name, OTHER, seen=decides.source.digest, by=person)
    assert [each.loaded_by for each in await policing.versions(GRAPH.name)] == ["alma"]


async def test_admin_replaces_a_policy_that_is_sound(store: Store, people: Directory) -> None:
    policing = Policies(store, Catalog.of(GRAPH), people=people)
    seen, _ = await policing.load(GRAPH.name, by="alma")
    broken = sets(allow='@id("all") permit (principal, action, resorce);')
    with pytest.raises(InvalidPolicy, match=r"allow/allow.cedar:1: "):
        await policing.replace(GRAPH.name, broken, seen=seen.source.digest, by="alma")
    done = await policing.replace(GRAPH.name, OTHER, seen=seen.source.digest, by="alma")
    assert (done.name, done.is_active, done.loaded_by) == ("chain@2", True, "alma")
    with pytest.raises(PolicyChanged, match=r"`chain@2` decides by now, which `alma` activated"):
        await policing.replace(GRAPH.name, seen.source, seen=seen.source.digest, by="alma")


@pytest.mark.parametrize("person", ["ada", "fay", "alma", "vera", "abe", "nobody"])
async def test_who_is_no_operator_has_no_call_looked_up(
    store: Store, runtime: Runtime, person: str
) -> None:
    run = await runtime.start(GRAPH.name, {}, actor="ada")
    claimed = await store.write(
        lambda tx: runs.claim(tx, run.id, WorkerId("worker-1"), lease_s=600, at=NOW)
    )
    assert claimed is not None
    book = Book.of(store)
    new = new_effect(claimed.fence, effect=EffectClass.PROBE, can_be_looked_up=True)
    effect = book.doubt(book.begun(replace(new, tenant="default"), claimed.fence), new)
    book.looked_up(effect, next_s=600)
    (gate,) = await runtime.gates(run.id)
    with pytest.raises(VoteRefused, match="may not answer"):
        await runtime.look_up(gate.id, by=person)
    assert (await runtime.gate(gate.id)).wakes_at == gate.wakes_at
    assert (await runtime.look_up(gate.id, by="olga")).wakes_at != gate.wakes_at
