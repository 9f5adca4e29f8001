"""The facts that a tool's contract names, held against its arguments."""

import re
from collections.abc import Callable, Collection, Mapping

from penstock.contracts.policy import Fact, Taint
from penstock.contracts.tool import JsonSchema
from penstock.nodes.tools.place import invalid
from penstock.policies.facts import Extractor, describe, problems_with
from penstock.policies.runtime_facts import RuntimeFact, reserved_facts

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def read_facts(
    function: Callable[..., object],
    extractors: Mapping[str, Extractor],
    schema: JsonSchema,
    *,
    fills_defaults: bool,
) -> dict[str, Fact]:
    """Return what a contract says of its facts.

    Args:
        function: The tool's, which is named where something is wrong.
        extractors: What computes them, by name.
        schema: Of the tool's arguments.
        fills_defaults: Whether an argument that was not given is there with its default.

    Raises:
        InvalidContract: One has a name it may not have, or takes what the tool does not.
    """
    found: dict[str, Fact] = {}
    for name, extractor in extractors.items():
        if not _NAME.fullmatch(name):
            raise invalid(
                function,
                f"It has the fact {name!r}.",
                "Wanted are lower-case letters, digits and `_`: `recipient_domains`.",
            )
        if reserved_facts([name]):
            raise invalid(
                function,
                f"It has the fact `{name}`, which the runtime gives every call.",
                f"Name it otherwise than {', '.join(f'`{each}`' for each in RuntimeFact)}.",
            )
        if not isinstance(extractor, Extractor):  # pyright: ignore[reportUnnecessaryIsInstance]  (authors do not all check types)
            raise invalid(
                function,
                f"Its fact `{name}` is computed by a `{type(extractor).__name__}`.",
                'Wanted is something like `url_host("url")`, or `fact(function, type=…)`.',
            )
        for what, wanted in problems_with(extractor, schema):
            raise invalid(function, f"Its fact `{name}` {what}.", wanted)
        found[name] = describe(extractor, schema, fills_defaults=fills_defaults)
    return found


def read_taints(
    function: Callable[..., object], taints: Collection[Taint | str]
) -> frozenset[Taint]:
    """Return what a tool's results carry.

    Raises:
        InvalidContract: There is no such taint.
    """
    try:
        return frozenset(Taint(taint) for taint in taints)
    except ValueError as error:
        raise invalid(
            function,
            f"Its results carry what is not known: {error}.",
            f"Wanted are {' and '.join(f'`{taint}`' for taint in Taint)}.",
        ) from error
