"""Versions of policies in the store: each is kept once, whoever loads it."""

import threading
from collections.abc import Callable

from penstock.checkpoints import Store, migrate, policies
from penstock.contracts.clock import SystemClock
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
    migrate(database_url)
    found: list[tuple[PolicyVersion, bool]] = []

    def start(begin: threading.Barrier, number: int) -> None:
        with Store.open(database_url) as store:
            begin.wait(20)
            found.append(load(store, "// one", f"worker-{number}"))

    _at_once(start, count=6)
    assert {version.name for version, _ in found} == {"desk@1"}
    assert sum(is_new for _, is_new in found) == 1


def test_workers_with_different_policies_load_one_version_each(database_url: str) -> None:
    migrate(database_url)
    found: list[tuple[PolicyVersion, bool]] = []

    def start(begin: threading.Barrier, number: int) -> None:
        with Store.open(database_url) as store:
            begin.wait(20)
            found.append(load(store, f"// {number}"))

    _at_once(start, count=6)
    assert sorted(version.number for version, _ in found) == [1, 2, 3, 4, 5, 6]


def _at_once(start: Callable[[threading.Barrier, int], None], *, count: int) -> None:
    begin = threading.Barrier(count)
    threads = [threading.Thread(target=start, args=(begin, number)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
