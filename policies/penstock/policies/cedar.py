"""The door to cedarpy: what is used of it, with types of our own.

What is relied on here without cedarpy's promise is held in `test_cedar_contract.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import cedarpy
from cedarpy import pst

PolicySet = cedarpy.PolicySet
Schema = cedarpy.Schema
Entities = cedarpy.Entities

NAMESPACE = "Penstock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Cedar says of one request to one set."""

    is_allowed: bool
    matched: tuple[str, ...]
    """Cedar's own ids of the policies that led to it."""
    errors: tuple[str, ...]
    """What went wrong; then the rest is not to be trusted."""


def uid(kind: str, name: str) -> dict[str, str]:
    """Return how a request names an entity of ours."""
    return {"type": f"{NAMESPACE}::{kind}", "id": name}


def authorize(
    policies: PolicySet,
    schema: Schema,
    entities: Entities,
    *,
    request: Mapping[str, object],
) -> Answer:
    """Ask a set about a request, which is checked against the schema."""
    # cedarpy annotates with bare `dict`s.
    found = cedarpy.is_authorized(dict(request), policies, entities, schema)  # pyright: ignore[reportUnknownMemberType]
    told = found.diagnostics
    # Cedar skips a policy that errs, a forbid too: an error is not an answer.
    is_decided = found.decision is not cedarpy.Decision.NoDecision
    errors = tuple(told.errors) or (() if is_decided else ("it made no decision",))
    return Answer(is_allowed=found.allowed, matched=tuple(told.reasons), errors=errors)


def validate(text: str, schema: Schema) -> tuple[str, ...]:
    """Return what is wrong with policies, in Cedar's words."""
    found = cedarpy.validate_policies(text, schema)  # pyright: ignore[reportUnknownMemberType]
    told = tuple(error.error for error in found.errors)
    return told or (() if found.validation_passed else ("it does not fit the schema",))


def parse(text: str) -> pst.PolicySet:
    """Return the tree of some policies.

    Raises:
        ValueError: They are no policies.
    """
    return PolicySet.from_str(text).to_pst()


def entities(listed: list[dict[str, object]], schema: Schema) -> Entities:
    """Return entities that fit the schema.

    Raises:
        ValueError: They do not.
    """
    return Entities.from_json_str(json.dumps(listed), schema)  # pyright: ignore[reportUnknownMemberType]
