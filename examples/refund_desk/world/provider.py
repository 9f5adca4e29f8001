"""The payment provider: a small HTTP service with a durable ledger.

| request | answer |
|---|---|
| `POST /refunds` with `Idempotency-Key`, `{"reference", "order", "cents"}` | 201 the refund; 200 the same again for the same key; 402 refused; 422 another refund under the same key; 400 nothing it can read |
| `GET /refunds`, `GET /refunds?reference=` | 200 all refunds, or those of a reference |
| `PUT /faults/{order}` with `{"kind", "times"}` | 204; the next `times` requests for that order go wrong; the order `*` stands for any |

It trusts whoever asks and pays an order as often as there are keys, so that what the desk does
wrong is seen in the ledger.
"""  # noqa: E501 - a table

import json
import socket
import sqlite3
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import parse_qs, unquote

from pydantic import BaseModel, Field, ValidationError

SCHEMA = """
CREATE TABLE IF NOT EXISTS refunds (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL,
    order_number TEXT NOT NULL,
    cents INTEGER NOT NULL CHECK (cents > 0),
    paid_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;

CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    order_number TEXT NOT NULL,
    fault TEXT
) STRICT;

CREATE TABLE IF NOT EXISTS faults (
    order_number TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('refuse', 'hang', 'drop')),
    times INTEGER NOT NULL CHECK (times >= 0)
) STRICT;
"""


class Fault(StrEnum):
    """What can be made to go wrong."""

    REFUSE = "refuse"
    """Answer 402 and pay nothing."""
    HANG = "hang"
    """Pay nothing and never answer."""
    DROP = "drop"
    """Pay, and cut the connection instead of answering."""


class Asked(BaseModel):
    """The body of a request for a refund."""

    reference: str = Field(min_length=1)
    order: str = Field(min_length=1)
    cents: int = Field(gt=0)


class Fails(BaseModel):
    """The body of a request for faults."""

    kind: Fault
    times: int = Field(default=1, ge=0)


class LedgerEntry(NamedTuple):
    """One refund that was paid."""

    id: str
    key: str
    """What the provider knows a request again by."""
    reference: str
    """What the shop calls it; two refunds with one reference are two refunds."""
    order: str
    cents: int


class Reply(NamedTuple):
    """What a request for a refund comes to."""

    status: HTTPStatus
    body: dict[str, Any]
    fault: Literal[Fault.HANG, Fault.DROP] | None = None


class Ledger:
    """What the provider knows, in one SQLite file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._writing() as ledger:
            for statement in SCHEMA.split(";\n\n"):
                ledger.execute(statement)

    def refund(self, key: str, asked: Asked) -> Reply:
        """Pay a refund, or say what became of the one under this key."""
        with self._writing() as ledger:
            fault = self._next_fault(ledger, asked.order)
            ledger.execute(
                "INSERT INTO requests (key, order_number, fault) VALUES (?, ?, ?)",
                (key, asked.order, fault),
            )
            if fault is Fault.HANG:
                return Reply(HTTPStatus.GATEWAY_TIMEOUT, {}, fault)
            cut = fault if fault is Fault.DROP else None
            known = _find(ledger, key)
            if known is not None:
                if known[2:] != (asked.reference, asked.order, asked.cents):
                    return Reply(
                        HTTPStatus.UNPROCESSABLE_ENTITY,
                        _problem("key_reused", "the key stands for another refund"),
                    )
                return Reply(HTTPStatus.OK, known._asdict(), cut)
            if fault is Fault.REFUSE:
                return Reply(
                    HTTPStatus.PAYMENT_REQUIRED, _problem("card_closed", "the card was closed")
                )
            ledger.execute(
                "INSERT INTO refunds (key, reference, order_number, cents) VALUES (?, ?, ?, ?)",
                (key, asked.reference, asked.order, asked.cents),
            )
            paid = _find(ledger, key)
            assert paid is not None  # noqa: S101 - it was just inserted
            return Reply(HTTPStatus.CREATED, paid._asdict(), cut)

    def fail(self, order: str, kind: Fault, *, times: int) -> None:
        """Let the next requests for an order, or for any order (`*`), go wrong."""
        with self._writing() as ledger:
            ledger.execute("REPLACE INTO faults VALUES (?, ?, ?)", (order, kind, times))

    def find(self, reference: str) -> list[LedgerEntry]:
        """Return what was paid under a reference, in order."""
        return [each for each in self.refunds() if each.reference == reference]

    def refunds(self) -> list[LedgerEntry]:
        """Return everything that was paid, in order."""
        with self._connect() as ledger:
            return [_entry(row) for row in ledger.execute(f"{_SELECT} ORDER BY number")]

    def request_count(self, order: str) -> int:
        """Return how often refunds of an order were asked for, whatever came of it."""
        with self._connect() as ledger:
            query = "SELECT count(*) FROM requests WHERE order_number = ?"
            (count,) = ledger.execute(query, (order,)).fetchone()
        return count

    def _next_fault(self, ledger: sqlite3.Connection, order: str) -> Fault | None:
        """Use up a fault that waits for this order, else one that waits for any."""
        row = ledger.execute(
            "UPDATE faults SET times = times - 1 WHERE order_number = ("
            " SELECT order_number FROM faults WHERE order_number IN (?, '*') AND times > 0"
            " ORDER BY order_number DESC LIMIT 1) RETURNING kind",
            (order,),
        ).fetchall()
        return Fault(row[0][0]) if row else None

    @contextmanager
    def _connect(self) -> Generator[sqlite3.Connection]:
        ledger = sqlite3.connect(self._file, timeout=10, isolation_level=None)
        try:
            yield ledger
        finally:
            ledger.close()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        with self._connect() as ledger:
            ledger.execute("BEGIN IMMEDIATE")
            try:
                yield ledger
            except BaseException:
                ledger.execute("ROLLBACK")
                raise
            ledger.execute("COMMIT")


_SELECT = "SELECT number, key, reference, order_number, cents FROM refunds"


def _find(ledger: sqlite3.Connection, key: str) -> LedgerEntry | None:
    row = ledger.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
    return None if row is None else _entry(row)


def _entry(row: tuple[int, str, str, str, int]) -> LedgerEntry:
    number, key, reference, order, cents = row
    return LedgerEntry(f"re_{number:06}", key, reference, order, cents)


def _problem(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


class Provider:
    """The service, in threads of this process; a context manager."""

    def __init__(self, ledger: Ledger) -> None:
        """Listen on a free port of this machine."""
        self.ledger = ledger
        self._server = _Server(ledger)
        # It looks this often whether it is to end.
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        self._thread = threading.Thread(target=serve, name="payments")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # one that hangs must not keep the program from ending

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away before their answer: workers get killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - it is always ours

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        ledger = self.server.ledger
        references = parse_qs(query).get("reference")
        if path != "/refunds":
            self._answer(HTTPStatus.NOT_FOUND, _problem("unknown", "there is no such thing"))
            return
        found = ledger.refunds() if references is None else ledger.find(references[0])
        self._answer(HTTPStatus.OK, [each._asdict() for each in found])

    def do_POST(self) -> None:
        key = self.headers.get("Idempotency-Key", "")
        try:
            asked = Asked.model_validate_json(self._body())
        except ValidationError:
            asked = None
        if self.path != "/refunds" or not key or asked is None:
            problem = _problem(
                "unreadable", "a refund needs a key, a reference, an order and cents"
            )
            self._answer(HTTPStatus.BAD_REQUEST, problem)
            return
        reply = self.server.ledger.refund(key, asked)
        match reply.fault:
            case None:
                self._answer(reply.status, reply.body)
            case Fault.DROP:
                with suppress(OSError):  # the client may be gone already
                    self.connection.shutdown(socket.SHUT_RDWR)
            case Fault.HANG:
                self.rfile.read(1)  # returns when the client has given up

    def do_PUT(self) -> None:
        order = unquote(self.path.removeprefix("/faults/"))
        try:
            wanted = Fails.model_validate_json(self._body())
        except ValidationError as error:
            self._answer(HTTPStatus.BAD_REQUEST, _problem("unreadable", str(error)))
            return
        self.server.ledger.fail(order, wanted.kind, times=wanted.times)
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _answer(self, status: HTTPStatus, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
