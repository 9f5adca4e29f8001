"""How safely the store keeps what it is told, as the database itself says."""

from collections.abc import Mapping

from sqlalchemy import Connection, text


def durability(connection: Connection) -> Mapping[str, str]:
    """Return the database's own settings on which the promise to keep things rests."""
    if connection.dialect.name == "sqlite":
        names = {0: "off", 1: "normal", 2: "full", 3: "extra"}
        journal = connection.execute(text("PRAGMA journal_mode")).scalar()
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar()
        return {"journal_mode": str(journal), "synchronous": names.get(synchronous or 0, "?")}
    return {
        name: str(connection.execute(text(f"SHOW {name}")).scalar())
        for name in ("synchronous_commit", "fsync")
    }


def is_durable(found: Mapping[str, str]) -> bool:
    """Tell whether a commit that was acknowledged survives the loss of power."""
    if "journal_mode" in found:
        return found["journal_mode"] == "wal" and found["synchronous"] in {"full", "extra"}
    return found["synchronous_commit"] not in {"off", "local"} and found["fsync"] == "on"
