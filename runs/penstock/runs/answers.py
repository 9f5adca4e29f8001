"""Answers at gates that take no votes: who may answer, whether an answer fits, what it says.

A gate about a call in doubt can also be answered by the tool's probe; whether there is one is said
here too.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, relevance
from jsonschema.validators import validator_for
from pydantic_core import from_json
from sqlalchemy import Connection

from penstock.checkpoints import ledger, runs
from penstock.contracts.effect import DoubtAnswer, Effect
from penstock.contracts.errors import IllegalTransition, InvalidAnswer, VoteRefused
from penstock.contracts.gate import OPERATORS, Gate, GateKind
from penstock.contracts.run import LIVE, Run
from penstock.contracts.tool import EffectClass
from penstock.graphs import Catalog
from penstock.nodes.gates.answer_schema import as_json
from penstock.policies import People

REASON_CHARS = 500
"""The longest reason why an answer does not fit: the answer itself may be part of it."""

_CHOICES = frozenset({"oneOf", "anyOf"})


def require_answerer(gate: Gate, run: Run, person: str, people: People) -> None:
    """Check that a person may answer a gate.

    Raises:
        VoteRefused: this person may not.
    """
    is_own = gate.kind is GateKind.QUESTION and person == run.principal
    if not is_own and not people.has(OPERATORS, person, gate.tenant):
        also = f" or `{run.principal}`, whom the run acts for" * (gate.kind is GateKind.QUESTION)
        raise VoteRefused(
            f"`{person}` may not answer gate `{gate.id}`: wanted is a member of `{OPERATORS}`{also}"
        )


def check_answer(gate: Gate, answer: object) -> str:
    """Return `answer` as JSON, if it fits the schema of the gate.

    Raises:
        InvalidAnswer: it does not; the message says where and why.
    """
    if gate.answer_schema is not None:
        schema = from_json(gate.answer_schema)
        validator: Any = validator_for(schema, default=Draft202012Validator)(schema)
        mismatch = first_mismatch(validator.iter_errors(answer))
        if mismatch is not None:
            where, why = mismatch
            msg = f"gate `{gate.id}` was not decided: the answer does not fit at `{where}`: {why}"
            raise InvalidAnswer(msg)
    return as_json(answer)


def read_doubt(answer: str) -> tuple[DoubtAnswer, str | None]:
    """Return what a person says became of a call in doubt, and its result, if any, as JSON."""
    fields = from_json(answer)
    result = fields.get("result")
    return DoubtAnswer(fields["answer"]), None if "result" not in fields else as_json(result)


def has_probe(catalog: Catalog, graph: str, effect: Effect) -> bool:
    """Tell whether a call has a probe: its class says so, or its tool, if that is loaded."""
    if effect.effect is EffectClass.PROBE:
        return True
    known = catalog.get(graph).tools.get(effect.tool) if graph in catalog else None
    return known is not None and known.probe is not None


def require_probe(connection: Connection, gate: Gate, catalog: Catalog) -> None:
    """Check that a probe can answer a gate: the next worker of its run calls it.

    Raises:
        IllegalTransition: the run is over, so no worker will call the probe.
        VoteRefused: the gate asks about something else, or the call has no known probe.
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
    """Return where an answer does not fit, as a JSON path, and why; None if it fits.

    An answer that fits none of several shapes is compared with the one whose `type` it has.
    """
    error = _first(errors)
    while error is not None and error.validator in _CHOICES and error.context:
        intended = _intended(error.context)
        if intended is None:
            return error.json_path, _not_a_choice(error)
        error = _first(intended)
    return None if error is None else (error.json_path, _reason(error))


def _first(errors: Iterable[ValidationError]) -> ValidationError | None:
    key: Any = relevance
    return max(errors, key=key, default=None)


def _intended(errors: Sequence[ValidationError]) -> Sequence[ValidationError] | None:
    """Return the errors of the one shape whose `type` the answer has; None if not exactly one."""
    by_shape = [list(each) for _, each in groupby(errors, key=lambda each: each.schema_path[0])]
    intended = [each for each in by_shape if all(_type_of(error) is None for error in each)]
    return intended[0] if len(intended) == 1 else None


def _type_of(error: ValidationError) -> str | None:
    """Return the `type` that a shape requires and the answer does not have."""
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
    return f"its `type` must be one of {', '.join(named)}" if named else _reason(error)


def _reason(error: ValidationError) -> str:
    instance: object = error.instance
    if error.validator in {"minItems", "maxItems"} and isinstance(instance, list):
        count = len(cast("list[object]", instance))
        return f"{count} were given, and {error.validator_value} are wanted"
    message = error.message
    return message if len(message) <= REASON_CHARS else f"{message[:REASON_CHARS]}…"


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
