"""A channel's stored versions: written as differences, read back whole.

The newest version of each channel is kept in memory, as the base of the next one.
"""

from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import Connection

from penstock.checkpoints.saver import deltas
from penstock.checkpoints.saver.deltas import Version
from penstock.checkpoints.saver.sql import CheckpointSql, Namespace, ValueRow
from penstock.contracts.errors import CheckpointCorrupt, WriteLost

NEWEST_LIMIT_BYTES = 64 * 1024 * 1024
"""Beyond this, the versions not used for longest are dropped and read again when needed."""


class NewestVersions:
    """A bounded cache of newest versions; only the writer's thread uses it.

    Losing an entry costs one read. An entry that the database does not have would corrupt the next
    version. So a namespace is dropped when a change to it is undone, and everything when a commit
    fails; and the key holds the namespace's generation, which rises when stored versions are
    deleted.
    """

    def __init__(self, *, limit_bytes: int = NEWEST_LIMIT_BYTES) -> None:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewValue:
    """One version of a channel on its way into the store."""

    channel: str
    version: int
    type: str
    raw: bytes
    may_exist: bool
    """Whether the channel did not change, so that an earlier checkpoint may have stored it."""


class Values:
    """Stores and loads the values too large to stand in the checkpoint's own row."""

    def __init__(self, sql: CheckpointSql) -> None:
        """Start with nothing in memory."""
        self._sql = sql
        self.newest = NewestVersions()

    def add(
        self,
        connection: Connection,
        namespace: Namespace,
        value: NewValue,
        *,
        is_first: bool,
    ) -> None:
        """Store a version of a channel; `is_first` if the namespace was made just now."""
        channel, version = value.channel, value.version
        if value.may_exist and self._sql.has_version(connection, namespace.id, channel, version):
            return
        head = self.newest.get(namespace.key, channel)
        if head is None and not is_first:
            head = self._newest(connection, namespace, channel)
        stored = deltas.store(version, value.raw, after=head)
        row = ValueRow(
            version,
            stored.base,
            stored.head.link_count,
            stored.head.key_count,
            value.type,
            stored.data,
        )
        # The same value serialised twice may differ (a set has no order): what is built upon
        # must be the bytes that are stored.
        if self._sql.add_value(connection, namespace.id, channel, row):
            self.newest.set(namespace.key, channel, stored.head)

    def require(
        self, connection: Connection, namespace: Namespace, channel: str, *, version: int
    ) -> None:
        """Make sure that a version which a checkpoint refers to is stored.

        Raises:
            WriteLost: it is not, because its own write failed or somebody deleted it.
        """
        head = self.newest.get(namespace.key, channel)
        if head is not None and head.version == version:
            return
        if not self._sql.has_version(connection, namespace.id, channel, version):
            msg = (
                f"the value of channel `{channel}` that this checkpoint rests on is not stored:"
                " its write failed, or the thread was deleted while it ran; run on from the last"
                " checkpoint that is stored"
            )
            raise WriteLost(msg)

    def load(
        self, connection: Connection, namespace_id: int, channel: str, *, version: int
    ) -> tuple[str, bytes]:
        """Return a version's type and serialised value.

        Raises:
            CheckpointCorrupt: it cannot be put together.
        """
        type_, loaded = self._load(connection, namespace_id, channel, version)
        return type_, loaded.raw

    def _newest(self, connection: Connection, namespace: Namespace, channel: str) -> Version | None:
        # After a restart, or when memory ran short: the chain goes on where the store left it.
        version = self._sql.newest_version(connection, namespace.id, channel)
        if version is None:
            return None
        return self._load(connection, namespace.id, channel, version)[1]

    def _load(
        self, connection: Connection, namespace_id: int, channel: str, version: int
    ) -> tuple[str, Version]:
        chain = self._sql.chain(connection, namespace_id, channel, version)
        if not chain or chain[0].base is not None:
            missing = version if not chain else chain[0].base
            msg = (
                f"version {missing} of channel `{channel}` is missing from the store or rests on"
                f" itself, and version {version} rests on it; restore the store from a backup"
            )
            raise CheckpointCorrupt(msg)
        raw = b""
        key: Version | None = None
        for row in chain:
            raw = deltas.unpack(row.data) if row.base is None else deltas.apply(row.data, raw)
            if row.link_count == 0:
                key = Version(row.version, raw, 0, row.key_count, None)
        last = chain[-1]
        head = Version(
            last.version, raw, last.link_count, last.key_count, key if last.link_count else None
        )
        return last.type, head


def _weight(version: Version | None) -> int:
    if version is None:
        return 0
    return len(version.raw) + (0 if version.key is None else len(version.key.raw))
