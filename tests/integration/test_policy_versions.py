"""Versions of policies in the store: each is kept once, whoever loads it."""

import threading
from collections.abc import Callable

import pytest

from penstock.checkpoints import Store, policies
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import PolicyChanged
from penstock.contracts.policy import PolicyFile, PolicySetName, PolicySource, PolicyVersion
from penstock.policies import make_source


def source(text: str) -> PolicySource:
    """Return a policy of one file."""
    return make_source([PolicyFile(set=PolicySetName.ALLOW, name="all.cedar", text=text)])


def load(store: Store, text: str, by: str = "ann") -> tuple[PolicyVersion, bool]:
    """Load a policy of the graph `desk`."""
    at = SystemClock().now()
    return store.write_blocking(lambda tx: policies.load(tx, "desk", source(text), at=at, by=by))


def test_text_that_was_loaded_before_does_not_decide_again(store: Store) -> None:
    first, _ = load(store, "// one")
    second, is_new = load(store, "// two")
    assert (first.number, second.number, is_new) == (1, 2, True)
    again, is_new = load(store, "// one")
    assert (again.number, again.is_active, is_new) == (1, False, False)


def test_a_version_comes_back_with_its_text(store: Store) -> None:
    both = make_source(
        [
            PolicyFile(set=PolicySetName.GATES, name="a.cedar", text="// g"),
            PolicyFile(set=PolicySetName.ALLOW, name="a.cedar", text="// ä"),
        ]
    )
    at = SystemClock().now()
    store.write_blocking(lambda tx: policies.load(tx, "desk", both, at=at, by="ann"))
    kept = store.read_blocking(lambda tx: policies.active(tx, "desk")).source
    assert kept == both
    assert make_source(kept.files).digest == kept.digest


def test_workers_that_start_at_once_load_one_version(database_url: str) -> None:
    found: list[tuple[PolicyVersion, bool]] = []

    def start(begin: threading.Barrier, number: int) -> None:
        with Store.open(database_url) as store:
            begin.wait(20)
            found.append(load(store, "// one", f"worker-{number}"))

    _at_once(start, count=6)
    assert {version.name for version, _ in found} == {"desk@1"}
    assert sum(is_new for _, is_new in found) == 1


def test_workers_with_different_policies_load_one_version_each(database_url: str) -> None:
    found: list[tuple[PolicyVersion, bool]] = []

    def start(begin: threading.Barrier, number: int) -> None:
        with Store.open(database_url) as store:
            begin.wait(20)
            found.append(load(store, f"// {number}"))

    _at_once(start, count=6)
    assert sorted(version.number for version, _ in found) == [1, 2, 3, 4, 5, 6]


def replace(store: Store, text: str, *, seen: str | None, by: str = "ann") -> PolicyVersion:
    """Replace the policy of `desk` that somebody has seen decide."""
    at = SystemClock().now()
    return store.write_blocking(
        lambda tx: policies.replace(tx, "desk", source(text), seen=seen, at=at, by=by)
    )


def deciding(store: Store) -> PolicyVersion:
    """Return what decides."""
    return store.read_blocking(lambda tx: policies.active(tx, "desk"))


def test_candidate_replaces_the_version_that_was_seen(store: Store) -> None:
    first = replace(store, "// one", seen=None)
    second = replace(store, "// two", seen=first.source.digest, by="bob")
    assert (first.number, second.number, deciding(store).number) == (1, 2, 2)
    back = replace(store, "// one", seen=second.source.digest)
    assert (back.number, deciding(store).number) == (1, 1)
    told = store.read_blocking(lambda tx: policies.activations(tx, "desk", limit=9))
    assert [(each.number, each.by) for each in told] == [(1, "ann"), (2, "bob"), (1, "ann")]


@pytest.mark.parametrize("seen", [None, "0" * 64])
def test_candidate_replaces_nothing_that_its_maker_has_not_seen(
    store: Store, seen: str | None
) -> None:
    load(store, "// one", "finn")
    with pytest.raises(PolicyChanged, match=r"`desk@1` decides by now, which `finn` activated"):
        replace(store, "// two", seen=seen)
    with pytest.raises(PolicyChanged, match="decides by now"):
        replace(store, "// one", seen=seen)
    assert [
        each.name for each in store.read_blocking(lambda tx: policies.versions(tx, "desk"))
    ] == ["desk@1"]
    assert len(store.read_blocking(lambda tx: policies.activations(tx, "desk", limit=9))) == 1


def test_of_those_who_replace_a_version_at_once_one_does(database_url: str) -> None:
    with Store.open(database_url) as store:
        seen = load(store, "// one")[0].source.digest
    done: list[PolicyVersion] = []
    refused: list[str] = []

    def start(begin: threading.Barrier, number: int) -> None:
        with Store.open(database_url) as store:
            begin.wait(20)
            try:
                done.append(replace(store, f"// candidate {number}", seen=seen))
            except PolicyChanged as error:
                refused.append(str(error))

    _at_once(start, count=6)
    assert (len(done), len(refused)) == (1, 5)
    with Store.open(database_url) as store:
        assert deciding(store) == done[0]
        assert len(store.read_blocking(lambda tx: policies.versions(tx, "desk"))) == 2


def test_graphs_with_a_policy_are_named(store: Store) -> None:
    assert store.read_blocking(policies.graphs) == []
    load(store, "// one")
    assert store.read_blocking(policies.graphs) == ["desk"]


def _at_once(start: Callable[[threading.Barrier, int], None], *, count: int) -> None:
    begin = threading.Barrier(count)
    threads = [threading.Thread(target=start, args=(begin, number)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
