"""Whether what became of a call in doubt can be looked up: by whom, and by what.

Where and why an answer does not fit its schema, said about the choice that was meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from jsonschema.exceptions import ValidationError, relevance
from sqlalchemy import Connection

from penstock.checkpoints import ledger, runs
from penstock.contracts.effect import Effect
from penstock.contracts.errors import IllegalTransition, VoteRefused
from penstock.contracts.gate import Gate, GateKind
from penstock.contracts.run import LIVE
from penstock.contracts.tool import EffectClass
from penstock.graphs import Catalog

WHY_CHARS = 500
"""What is said of a misfit at most: the answer itself may be part of it."""

_CHOICES = frozenset({"oneOf", "anyOf"})


def has_probe(catalog: Catalog, graph: str, effect: Effect) -> bool:
    """Tell whether a call can be looked up: its class says so, or its tool, if that is at hand."""
    if effect.effect is EffectClass.PROBE:
        return True
    known = catalog.get(graph).tools.get(effect.tool) if graph in catalog else None
    return known is not None and known.probe is not None


def require_probe(connection: Connection, gate: Gate, catalog: Catalog) -> None:
    """Let pass a gate about a call that the next worker of its run looks up.

    Raises:
        IllegalTransition: the run is over: nobody goes on with it, and looks.
        VoteRefused: it asks about something else, or of no probe of the call is known.
    """
    run = runs.get(connection, gate.run_id)
    effect = None
    if gate.kind is GateKind.IN_DOUBT and gate.effect_key is not None:
        effect = ledger.get(connection, gate.effect_key)
    if effect is None or not has_probe(catalog, run.graph, effect):
        raise VoteRefused(
            f"what gate `{gate.id}` asks cannot be looked up: wanted is a call of a tool with a"
            " `probe`; answer it instead"
        )
    if run.status not in LIVE:
        raise IllegalTransition(
            f"run `{run.id}` is {run.status}, so no worker comes to look; answer the gate instead"
        )


def first_mismatch(errors: Iterable[ValidationError]) -> tuple[str, str] | None:
    """Return the place of a misfit as a JSON path and what is wrong there; None if there is none.

    An answer that fits none of several shapes is held to the one whose `type` it has.
    """
    error = _first(errors)
    while error is not None and error.validator in _CHOICES and error.context:
        meant = _meant(error.context)
        if meant is None:
            return error.json_path, _not_a_choice(error)
        error = _first(meant)
    return None if error is None else (error.json_path, _why(error))


def _first(errors: Iterable[ValidationError]) -> ValidationError | None:
    key: Any = relevance
    return max(errors, key=key, default=None)


def _meant(misfits: Sequence[ValidationError]) -> Sequence[ValidationError] | None:
    """Return the errors of the only shape that was meant, if one was."""
    by_shape = [list(each) for _, each in groupby(misfits, key=lambda each: each.schema_path[0])]
    meant = [each for each in by_shape if all(_type_of(error) is None for error in each)]
    return meant[0] if len(meant) == 1 else None


def _type_of(error: ValidationError) -> str | None:
    """Return the `type` that a shape wants and the answer does not have."""
    path = [*error.relative_path]
    if error.validator == "const" and path[-1:] == ["type"]:
        return str(error.validator_value)
    if error.validator == "required" and "type" not in _mapping(error.instance):
        properties = _mapping(_mapping(error.schema).get("properties"))
        found = _mapping(properties.get("type")).get("const")
        return None if found is None else str(found)
    return None


def _not_a_choice(error: ValidationError) -> str:
    types = dict.fromkeys(_type_of(each) for each in error.context or ())
    named = [f"`{each}`" for each in types if each is not None]
    return f"its `type` must be one of {', '.join(named)}" if named else _why(error)


def _why(error: ValidationError) -> str:
    instance: object = error.instance
    if error.validator in {"minItems", "maxItems"} and isinstance(instance, list):
        found = len(cast("list[object]", instance))
        return f"{found} were given, and {error.validator_value} are wanted"
    message = error.message
    return message if len(message) <= WHY_CHARS else f"{message[:WHY_CHARS]}…"


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
