"""Consistency of the store with its chain: runs, effects, gates, votes, decisions.

A row of those can be changed around the runtime while the chain still holds. Its state must be the
one that the last event about it records.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from penstock.checkpoints.audit.queries import event_of
from penstock.checkpoints.schema import (
    audit_events,
    audit_marks,
    decisions,
    effects,
    gate_votes,
    gates,
    run_keys,
    runs,
)
from penstock.contracts.audit import FORGOTTEN, ChainedEvent, ChainFault, mac
from penstock.contracts.effect import EffectStatus
from penstock.contracts.gate import GateStatus, VoteKind
from penstock.contracts.ids import RunId
from penstock.contracts.run import RunStatus

RUN_ROWS = 50
"""How many runs are in memory at once, with all their rows."""
IN_LIMIT = 500
"""How many ids a query has at most."""

_RUN_MOVES = {
    **{f"run.{status}": status for status in RunStatus if status is not RunStatus.RUNNING},
    "run.claimed": RunStatus.RUNNING,
}
_EFFECT_MOVES = {f"effect.{status}": status for status in EffectStatus}
_GATE_MOVES = {
    **{f"gate.{status}": status for status in GateStatus if status is not GateStatus.OPEN},
    "gate.opened": GateStatus.OPEN,
}
_VERDICTS = {"call.allowed": "allow", "call.asked": "ask", "call.denied": "deny"}

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An event of a run, parsed once."""

    event: ChainedEvent
    action: str
    details: Mapping[str, Any]
    codes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredRun:
    """One run with all its rows, and its events in the chain."""

    run: Row
    key: bytes | None
    """The key of its codes; None where it was erased."""
    entries: Sequence[_Entry]
    effects: Mapping[str, Row]
    """Its effects by key, also those that a later run has attempted since."""
    gates: Mapping[str, Row]
    votes: Sequence[Row]
    decisions: Sequence[Row]

    @property
    def is_forgotten(self) -> bool:
        return any(entry.action == FORGOTTEN for entry in self.entries)

    def about(self, name: str, actions: Collection[str]) -> Mapping[str, Sequence[_Entry]]:
        """Return the events with one of these actions, by the effect or gate that they name."""
        found: dict[str, list[_Entry]] = {}
        for entry in self.entries:
            if entry.action in actions and entry.details.get(name) is not None:
                found.setdefault(str(entry.details[name]), []).append(entry)
        return found

    def differs(self, entry: _Entry, name: str, text: str | None) -> bool:
        """Tell whether a text differs from the one whose code an event has."""
        code = entry.codes.get(name)
        if code is None or self.key is None or self.is_forgotten:
            return False
        return text is None or mac(self.key, name, text) != code


def compare(
    connection: Connection, tenant: str, *, seen: Callable[[int], None] | None = None
) -> Iterator[ChainFault]:
    """Yield the differences between a tenant's rows and its chain; `seen` receives a count of runs.

    Where retention has cut the beginning of the chain, rows without an event are no fault.
    """
    after, count = RunId(""), 0
    while True:
        compared = compare_page(connection, tenant, after=after)
        yield from compared.faults
        if compared.last is None:
            return
        after, count = compared.last, count + compared.count
        if seen is not None:
            seen(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The faults of one page of runs."""

    faults: Sequence[ChainFault]
    count: int
    last: RunId | None
    """The last of the runs; None where there were no more."""


def compare_page(connection: Connection, tenant: str, *, after: RunId) -> Comparison:
    """Compare the next page of a tenant's runs, after one, with its chain."""
    stored_runs = _page(connection, tenant, after)
    is_cut = bool(connection.execute(_cut_number(tenant)).scalar())
    faults: list[ChainFault] = []
    for stored_run in stored_runs:
        for entry, what in _faults(stored_run):
            if is_cut and entry is None:
                continue
            number, at = (None, None) if entry is None else (entry.event.number, entry.event.at)
            faults.append(ChainFault(tenant=tenant, number=number, at=at, what=what))
    last = RunId(stored_runs[-1].run["id"]) if stored_runs else None
    return Comparison(faults=faults, count=len(stored_runs), last=last)


def _cut_number(tenant: str) -> Select[tuple[int]]:
    return select(audit_marks.c.cut_number).where(audit_marks.c.tenant == tenant)


def _faults(stored_run: _StoredRun) -> Iterator[tuple[_Entry | None, str]]:
    yield from _run(stored_run)
    yield from _effects(stored_run)
    yield from _gates(stored_run)
    yield from _votes(stored_run)
    yield from _decisions(stored_run)


def _run(stored_run: _StoredRun) -> Iterator[tuple[_Entry | None, str]]:
    run = stored_run.run
    moves = [entry for entry in stored_run.entries if entry.action in _RUN_MOVES]
    if not moves:
        yield None, f"nothing tells of run `{run['id']}`: it was put in beside the runtime"
        return
    last = moves[-1]
    to, epoch = _RUN_MOVES[last.action], last.details.get("epoch")
    if (run["status"], run["epoch"]) != (to, epoch):
        stored = f"run `{run['id']}` is {run['status']} at epoch {run['epoch']} in the store"
        yield last, f"{stored}, and the chain left it {to} at epoch {epoch}"
    if stored_run.differs(moves[0], "input", run["input"]):
        yield moves[0], f"the input of run `{run['id']}` was changed after it was queued"
    is_coded = any(entry.codes for entry in stored_run.entries)
    if stored_run.key is None and is_coded and not stored_run.is_forgotten:
        yield moves[0], f"the key of run `{run['id']}` was erased, and it was not forgotten"


def _effects(stored_run: _StoredRun) -> Iterator[tuple[_Entry | None, str]]:
    events = stored_run.about("effect", _EFFECT_MOVES)
    for key in events.keys() - stored_run.effects.keys():
        yield events[key][0], f"effect `{key[:12]}` was deleted from the ledger"
    for key, row in stored_run.effects.items():
        if row["run_id"] != stored_run.run["id"]:
            continue
        what = f"effect `{key[:12]}` of run `{stored_run.run['id']}`"
        if key not in events:
            yield None, f"nothing tells of {what}: it was put in beside the runtime"
            continue
        last = events[key][-1]
        to, attempt = _EFFECT_MOVES[last.action], last.details.get("attempt")
        if (row["status"], row["attempt"]) != (to, attempt):
            stored = f"{what} is {row['status']} in the store after attempt {row['attempt']}"
            yield last, f"{stored}, and the chain left it {to} after attempt {attempt}"
        begun = [entry for entry in events[key] if entry.action == "effect.started"]
        if begun and stored_run.differs(begun[-1], "arguments", row["arguments"]):
            yield begun[-1], f"the arguments of {what} were changed after it began"
        if stored_run.differs(last, "result", row["result"] or row["result_digest"]):
            yield last, f"the result of {what} was changed after it was recorded"


def _gates(stored_run: _StoredRun) -> Iterator[tuple[_Entry | None, str]]:
    events = stored_run.about("gate", _GATE_MOVES)
    for gate_id in events.keys() - stored_run.gates.keys():
        yield events[gate_id][0], f"gate `{gate_id[:12]}` was deleted from the store"
    for gate_id, row in stored_run.gates.items():
        what = f"gate `{gate_id[:12]}` of run `{stored_run.run['id']}`"
        if gate_id not in events:
            yield None, f"nothing tells of {what}: it was put in beside the runtime"
            continue
        last = events[gate_id][-1]
        to = _GATE_MOVES[last.action]
        if row["status"] != to:
            yield last, f"{what} is {row['status']} in the store, and the chain left it {to}"
        if stored_run.differs(last, "answer", row["answer"]):
            yield last, f"the answer of {what} was changed after it was given"
        asked = [entry for entry in events[gate_id] if entry.action == "gate.opened"]
        for name in ("question", "binding"):
            if asked and stored_run.differs(asked[-1], name, row[name]):
                yield asked[-1], f"the {name} of {what} was changed after it was opened"


def _votes(stored_run: _StoredRun) -> Iterator[tuple[_Entry | None, str]]:
    events = stored_run.about("gate", {"gate.voted", "gate.glass_broken"})
    for row in stored_run.votes:
        if not any(_is_vote(entry, row) for entry in events.get(row["gate_id"], ())):
            what = f"the vote of `{row['person']}` at gate `{row['gate_id'][:12]}`"
            yield None, f"nothing tells of {what}: it was changed, or put in beside the runtime"


def _is_vote(entry: _Entry, row: Row) -> bool:
    kind = VoteKind.APPROVE if entry.action == "gate.glass_broken" else entry.details.get("vote")
    return (entry.event.actor, kind) == (row["person"], row["kind"])


def _decisions(stored_run: _StoredRun) -> Iterator[tuple[_Entry | None, str]]:
    if stored_run.is_forgotten:
        return
    events = [entry for entry in stored_run.entries if entry.action in _VERDICTS and entry.codes]
    # A store from before decisions were chained has more of them than the chain tells of.
    rows = stored_run.decisions[-len(events) :] if events else ()
    if len(rows) < len(events):
        gone = len(events) - len(rows)
        yield (
            events[-1],
            f"{gone} decisions about calls of run `{stored_run.run['id']}` were deleted",
        )
        return
    for entry, row in zip(events, rows, strict=True):
        stored = (row["effect_key"], row["verdict"], row["policy_digest"])
        recorded = (
            entry.details.get("effect"),
            _VERDICTS[entry.action],
            entry.details.get("policy"),
        )
        hidden = ("request", "decision")
        if stored != recorded or any(stored_run.differs(entry, name, row[name]) for name in hidden):
            yield (
                entry,
                f"what was decided about a call of run `{stored_run.run['id']}` was changed",
            )


def _page(connection: Connection, tenant: str, after: str) -> Sequence[_StoredRun]:
    wanted = select(runs).where(runs.c.tenant == tenant, runs.c.id > after)
    page = connection.execute(wanted.order_by(runs.c.id).limit(RUN_ROWS)).mappings().all()
    ids = [row["id"] for row in page]
    chain: dict[str, list[_Entry]] = {run_id: [] for run_id in ids}
    events = select(audit_events).where(
        audit_events.c.tenant == tenant, audit_events.c.run_id.in_(ids)
    )
    for row in connection.execute(events.order_by(audit_events.c.number)):
        chain[row.run_id].append(_entry(event_of(row)))
    keys = {row["run_id"]: bytes(row["key"]) for row in _rows(connection, run_keys, "run_id", ids)}
    called = {
        e.details["effect"] for events in chain.values() for e in events if e.details.get("effect")
    }
    ledger = {
        row["key"]: row
        for column, values in (("run_id", ids), ("key", sorted(called)))
        for row in _rows(connection, effects, column, values)
    }
    asked = {row["id"]: row for row in _rows(connection, gates, "run_id", ids)}
    cast = _rows(connection, gate_votes, "gate_id", list(asked))
    decided = _rows(connection, decisions, "run_id", ids)
    stored_runs: list[_StoredRun] = []
    for run in page:
        of_run = {entry.details.get("effect") for entry in chain[run["id"]]}
        own = {key: row for key, row in asked.items() if row["run_id"] == run["id"]}
        stored_runs.append(
            _StoredRun(
                run=run,
                key=keys.get(run["id"]),
                entries=chain[run["id"]],
                effects={
                    str(key): row
                    for key, row in ledger.items()
                    if key in of_run or row["run_id"] == run["id"]
                },
                gates=own,
                votes=[row for row in cast if row["gate_id"] in own],
                decisions=sorted(
                    (row for row in decided if row["run_id"] == run["id"]),
                    key=lambda row: row["id"],
                ),
            )
        )
    return stored_runs


def _entry(event: ChainedEvent) -> _Entry:
    return _Entry(event=event, action=event.action, details=event.details, codes=event.codes)


def _rows(connection: Connection, table: Table, column: str, ids: Sequence[str]) -> Sequence[Row]:
    found: list[Row] = []
    for start in range(0, len(ids), IN_LIMIT):
        few = ids[start : start + IN_LIMIT]
        wanted = select(table).where(table.c[column].in_(few))
        found += connection.execute(wanted).mappings().all()
    return found
