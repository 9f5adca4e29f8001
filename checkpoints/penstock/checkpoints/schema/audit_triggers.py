"""The triggers that keep the record append-only, and every event in its place.

They stop mistakes, and whoever has no right to drop them. What is done around them is for the
chain to show.
"""

_NO_PLACE = "the audit chain is broken: this event is not the next one, or does not follow the last"
_NO_CHANGE = "the audit chain is append-only: only the reason can be erased from an event"
_NO_DELETE = "the audit chain is append-only: an event that is still to be kept cannot be deleted"
_NO_HEAD = "the audit chain is broken: a head names the last event, and only moves on"
_NO_KEY = "the key of a run does not change"

_SAME = ("tenant", "number", "at", "actor", "action", "run_id", "detail", "previous", "hash")

_LAST = "(SELECT coalesce(max(number), 0) FROM audit_events WHERE tenant = NEW.tenant)"
_BEFORE = (
    "coalesce((SELECT hash FROM audit_events WHERE tenant = NEW.tenant"
    " AND number = NEW.number - 1), '" + "0" * 64 + "')"
)
_KEPT = "OLD.number > coalesce((SELECT cut_number FROM audit_marks WHERE tenant = OLD.tenant), 0)"
_NAMED = (
    "EXISTS (SELECT 1 FROM audit_events"
    " WHERE tenant = NEW.tenant AND number = NEW.number AND hash = NEW.hash)"
)
_BACK = f"NEW.tenant <> OLD.tenant OR NEW.number < OLD.number OR NOT {_NAMED}"
_TOO_MUCH = (
    "NEW.tenant <> OLD.tenant OR NEW.cut_number < OLD.cut_number OR NEW.cut_number >="
    " coalesce((SELECT number FROM audit_heads WHERE tenant = NEW.tenant), 0)"
    " AND NEW.cut_number > 0"
)


def _other(differs: str) -> str:
    same = " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in _SAME)
    return f"NEW.reason IS NOT NULL OR {same}"


RULES = (
    (
        "audit_events",
        "insert",
        f"NEW.number <> {_LAST} + 1 OR NEW.previous <> {_BEFORE}",
        _NO_PLACE,
    ),
    ("audit_events", "delete", _KEPT, _NO_DELETE),
    ("audit_heads", "insert", f"NEW.number <> 0 OR {_LAST} <> 0", _NO_HEAD),
    ("audit_heads", "update", _BACK, _NO_HEAD),
    ("audit_heads", "delete", "OLD.number = OLD.number", _NO_HEAD),
    ("audit_marks", "insert", "NEW.cut_number <> 0", _NO_DELETE),
    ("audit_marks", "update", _TOO_MUCH, _NO_DELETE),
    ("run_keys", "update", "OLD.run_id = OLD.run_id", _NO_KEY),
)
"""Which rows of which table may not be inserted, updated or deleted, and what is said then."""


def statements(dialect: str) -> list[tuple[str, str]]:
    """Return what makes the triggers, each with the table that it is on."""
    is_sqlite = dialect == "sqlite"
    update = ("audit_events", "update", _other("IS NOT" if is_sqlite else "IS DISTINCT FROM"))
    rules = (*RULES, (*update, _NO_CHANGE))
    if is_sqlite:
        return [(rule[0], _sqlite(*rule)) for rule in rules]
    made = [(rule[0], one) for rule in rules for one in _postgresql(*rule)]
    tables = ("audit_events", "audit_heads")
    return made + [(table, one) for table in tables for one in _no_truncate(table)]


def _sqlite(table: str, verb: str, condition: str, message: str) -> str:
    return (
        f"CREATE TRIGGER tr_{table}_{verb} BEFORE {verb.upper()} ON {table}"
        f" WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def _postgresql(table: str, verb: str, condition: str, message: str) -> tuple[str, str]:
    back = "OLD" if verb == "delete" else "NEW"
    body = f"IF {condition} THEN {_raise(message)} END IF; RETURN {back};"
    return _function(f"tr_{table}_{verb}", body), _trigger(table, verb, each=" FOR EACH ROW")


def _no_truncate(table: str) -> tuple[str, str]:
    body = _raise(_NO_DELETE)
    return _function(f"tr_{table}_truncate", body), _trigger(table, "truncate", each="")


def _raise(message: str) -> str:
    state = "integrity_constraint_violation"
    return f"RAISE EXCEPTION USING MESSAGE = '{message}', ERRCODE = '{state}';"


def _function(name: str, body: str) -> str:
    head = f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
    return f"{head} AS $$ BEGIN {body} END $$"


def _trigger(table: str, verb: str, *, each: str) -> str:
    name = f"tr_{table}_{verb}"
    on = f"BEFORE {verb.upper()} ON {table}{each}"
    return f"CREATE TRIGGER {name} {on} EXECUTE FUNCTION {name}()"
