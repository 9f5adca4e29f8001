"""The newest version of each channel, in memory, as the base of the next one."""

from collections import OrderedDict

from penstock.checkpoints.saver.deltas import Version

HEADS_LIMIT_BYTES = 64 * 1024 * 1024
"""Beyond this, the versions not used for longest are dropped and read again when needed."""


class Heads:
    """A bounded memory of newest versions; only the writer's thread touches it.

    Losing an entry costs one read. Holding one that the database has not would corrupt the next
    version, so a namespace is dropped when a change to it is undone, everything is when a commit
    fails, and the key holds the namespace's generation, which rises when anybody takes stored
    versions away.
    """

    def __init__(self, *, limit_bytes: int = HEADS_LIMIT_BYTES) -> None:
        """Start empty."""
        self._limit = limit_bytes
        self._size = 0
        self._entries: OrderedDict[tuple[int, int], dict[str, Version]] = OrderedDict()

    def get(self, namespace: tuple[int, int], channel: str) -> Version | None:
        """Return the newest known version of `channel` in (namespace id, generation)."""
        entry = self._entries.get(namespace)
        if entry is None:
            return None
        self._entries.move_to_end(namespace)
        return entry.get(channel)

    def set(self, namespace: tuple[int, int], channel: str, version: Version) -> None:
        """Remember `version` as the newest of `channel`."""
        entry = self._entries.setdefault(namespace, {})
        self._entries.move_to_end(namespace)
        self._size += _weight(version) - _weight(entry.get(channel))
        entry[channel] = version
        while self._size > self._limit and len(self._entries) > 1:
            _, dropped = self._entries.popitem(last=False)
            self._size -= sum(map(_weight, dropped.values()))

    def drop(self, namespace: tuple[int, int]) -> None:
        """Forget what is known of one namespace."""
        self._size -= sum(map(_weight, self._entries.pop(namespace, {}).values()))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._size = 0


def _weight(version: Version | None) -> int:
    if version is None:
        return 0
    return len(version.raw) + (0 if version.key is None else len(version.key.raw))
