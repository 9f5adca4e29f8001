"""The memory of newest versions is bounded and forgets on demand."""

from penstock.checkpoints.saver.deltas import Version
from penstock.checkpoints.saver.values import NewestVersions


def version(number: int, size: int, key: Version | None = None) -> Version:
    """Return a version of `size` bytes."""
    return Version(number, b"x" * size, 0 if key is None else 1, 0, key)


def test_a_newer_version_takes_the_place_of_the_older() -> None:
    heads = NewestVersions()
    heads.set((1, 0), "messages", version(1, 10))
    heads.set((1, 0), "messages", version(2, 20))
    found = heads.get((1, 0), "messages")
    assert found is not None
    assert found.version == 2


def test_another_generation_of_a_namespace_knows_nothing() -> None:
    heads = NewestVersions()
    heads.set((1, 0), "messages", version(1, 10))
    assert heads.get((1, 1), "messages") is None


def test_the_namespace_not_used_for_longest_goes_first() -> None:
    heads = NewestVersions(limit_bytes=100)
    heads.set((1, 0), "a", version(1, 40))
    heads.set((2, 0), "a", version(1, 40))
    heads.get((1, 0), "a")
    heads.set((3, 0), "a", version(1, 40))
    assert heads.get((2, 0), "a") is None
    assert heads.get((1, 0), "a") is not None
    assert heads.get((3, 0), "a") is not None


def test_a_key_counts_with_the_version_that_holds_it() -> None:
    heads = NewestVersions(limit_bytes=100)
    heads.set((1, 0), "a", version(2, 40, key=version(1, 40)))
    heads.set((2, 0), "a", version(1, 40))
    assert heads.get((1, 0), "a") is None


def test_dropping_gives_the_room_back() -> None:
    heads = NewestVersions(limit_bytes=100)
    for number in range(5):
        heads.set((1, 0), "a", version(number, 90))
        heads.drop((1, 0))
        assert heads.get((1, 0), "a") is None
    heads.set((1, 0), "a", version(1, 50))
    heads.set((2, 0), "a", version(1, 50))
    assert heads.get((1, 0), "a") is not None


def test_clearing_forgets_everything() -> None:
    heads = NewestVersions(limit_bytes=100)
    heads.set((1, 0), "a", version(1, 90))
    heads.clear()
    assert heads.get((1, 0), "a") is None
    heads.set((1, 0), "a", version(1, 50))
    heads.set((2, 0), "a", version(1, 50))
    assert heads.get((1, 0), "a") is not None
