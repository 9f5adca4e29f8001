"""Validation of contracts: whether a tool can keep what its contract promises.

Each rule is a function that raises `InvalidContract`, with what was found, what was wanted and what
to do. They run when the tool is declared, which is when its module is imported.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import cast

from penstock.contracts.policy import Fact, Taint
from penstock.contracts.tool import (
    REPEATABLE,
    EffectClass,
    IsolationTier,
    JsonSchema,
    RetryAfter,
    ToolContract,
)
from penstock.nodes.secrets import SecretRef
from penstock.nodes.tools.signature import Signature, import_path, invalid
from penstock.nodes.tools.supplies import IN_PROCESS, Supply
from penstock.nodes.tools.terms import Database
from penstock.policies.facts import Extractor, describe, problems_with
from penstock.policies.runtime_facts import RuntimeFact, reserved_facts

Function = Callable[..., object]
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_VERSION = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_WORD = re.compile(r"[a-z0-9]+([._:-][a-z0-9]+)*")
_FACT_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def check_names(function: Function, contract: ToolContract) -> None:
    """Refuse names that a provider of models, a policy or a ledger could not accept."""
    if not _NAME.fullmatch(contract.name):
        raise invalid(
            function,
            f"Its name is {contract.name!r}.",
            "Providers of models take up to 64 letters, digits, `_` and `-`.",
        )
    if not _VERSION.fullmatch(contract.version):
        raise invalid(
            function, f"Its version is {contract.version!r}.", "Wanted is one like `2` or `2.3`."
        )
    if not contract.description:
        raise invalid(
            function,
            "Nothing says what it does.",
            "Write a docstring, or give a `description`: a model chooses by it.",
        )
    for what, words in (("scope", contract.scopes), ("tag", contract.tags)):
        for word in words:
            if not _WORD.fullmatch(word):
                raise invalid(
                    function,
                    f"It has the {what} {word!r}.",
                    "Wanted are lower-case words with `.`, `_`, `:` or `-` between: `crm:read`.",
                )


def check_times(function: Function, contract: ToolContract) -> None:
    """Refuse invalid durations, and a lifetime of keys where there are no keys."""
    for name, value in (("timeout_s", contract.timeout_s), ("margin_s", contract.margin_s)):
        least = "more than 0" if name == "timeout_s" else "0 or more"
        if not _is_number(value) or value < 0 or (value == 0 and name == "timeout_s"):
            raise invalid(
                function,
                f"Its `{name}` is {value!r}.",
                f"Wanted are seconds, {least}: a call that never ends is never settled.",
            )
    lifetime_s = contract.key_lifetime_s
    if lifetime_s is None:
        return
    if contract.effect is not EffectClass.KEYED:
        raise invalid(
            function,
            f"It has a `key_lifetime_s`, and its class is `{contract.effect}`.",
            'Leave it out, or say `effect="keyed"` if the service knows its calls by their keys.',
        )
    if not _is_number(lifetime_s) or lifetime_s <= contract.timeout_s:
        raise invalid(
            function,
            f"Its `key_lifetime_s` is {lifetime_s!r}.",
            "Wanted is more than its `timeout_s`: the first attempt must not outlive the key.",
        )


def check_class(
    function: Function,
    contract: ToolContract,
    *,
    signature: Signature,
    database: Database | None,
) -> None:
    """Refuse an effect class whose promise nothing in the function can keep."""
    supplies, effect = signature.supplies(), contract.effect
    if effect is EffectClass.KEYED and not supplies & {Supply.KEY, Supply.ATTEMPT}:
        raise invalid(
            function,
            "It is `keyed`, and takes no `IdempotencyKey`.",
            "Take one, as in `key: IdempotencyKey`, and give it to the service.",
        )
    if effect is EffectClass.PROBE and not contract.has_probe:
        raise invalid(
            function,
            "Its class is `probe`, and it has no probe.",
            "Give a `probe` that can find out if a call has happened.",
        )
    if effect is EffectClass.TRANSACTIONAL:
        _check_transactional(function, supplies, database)
        return
    if Supply.CONNECTION in supplies or database is not None:
        what = "takes a `Connection`" if Supply.CONNECTION in supplies else "names a `database`"
        raise invalid(
            function,
            f"It {what}, and its class is `{effect}`.",
            'Say `effect="transactional"`, or open a connection in the function itself.',
        )


def check_retry(function: Function, contract: ToolContract) -> None:
    """Refuse a retry plan that could repeat a call which happened."""
    plan = contract.retry
    waits = (plan.first_wait_s, plan.longest_wait_s)
    if plan.attempt_limit < 1 or not all(_is_number(wait) and wait >= 0 for wait in waits):
        raise invalid(
            function,
            f"Its retry plan has {plan.attempt_limit} attempts and waits of {waits} seconds.",
            "Wanted are one attempt or more, and waits of 0 or more.",
        )
    repeats = plan.attempt_limit > 1 and plan.after is RetryAfter.ANY
    if repeats and contract.effect not in REPEATABLE:
        raise invalid(
            function,
            f"It is tried again after any failure, and its class is `{contract.effect}`.",
            "Say `RetryPlan(after=RetryAfter.DEFINITE)`: after another failure it may have been"
            " done, and would be done twice.",
        )


def check_isolation(function: Function, contract: ToolContract, *, signature: Signature) -> None:
    """Refuse a subprocess for a function that another process cannot import or supply."""
    if contract.isolation is not IsolationTier.SUBPROCESS:
        return
    if import_path(function) is None:
        raise invalid(
            function,
            "It is to run in a subprocess, which cannot import it.",
            "Define it at the top of a module that can be imported, not in `__main__`.",
        )
    for each in signature.injected:
        if each.supply in IN_PROCESS:
            raise invalid(
                function,
                f"It is to run in a subprocess, and its `{each.name}` cannot be given there.",
                'Leave the parameter out, or say `isolation="in_process"`.',
            )


def check_secrets(function: Function, *, signature: Signature) -> None:
    """Refuse names of secrets that no environment could hold."""
    for each in signature.injected:
        if each.secret is not None and not SecretRef(each.secret).is_valid:
            raise invalid(
                function,
                f"Its `{each.name}` is the secret {each.secret!r}.",
                "Name one as environment variables are named: `MAIL_TOKEN`.",
            )


def check_cost(function: Function, contract: ToolContract) -> None:
    """Refuse a cost that no budget could hold."""
    cost = contract.cost
    if cost is not None and (cost.amount_micros <= 0 or not _CURRENCY.fullmatch(cost.currency)):
        raise invalid(
            function,
            f"It costs {cost.amount_micros} millionths of {cost.currency!r}.",
            "Wanted are more than 0, and a currency like `EUR`; leave it out when calls are free.",
        )


def check_sensitive(function: Function, contract: ToolContract) -> None:
    """Refuse a sensitive field that does not exist: it is more often a slip than a precaution."""
    for path in contract.sensitive:
        if not any(
            _has_field(schema, path.split("."), root=schema)
            for schema in (contract.arguments_schema, contract.result_schema)
        ):
            raise invalid(
                function,
                f"Its field `{path}` is to be sensitive, and it has none.",
                "Name a field of the arguments or of the result, dotted: `card.number`.",
            )


def warnings_about(contract: ToolContract, *, signature: Signature) -> tuple[str, ...]:
    """Return warnings for the author of a tool, in sentences."""
    warnings: list[str] = []
    in_process = contract.isolation is IsolationTier.IN_PROCESS
    if in_process and not signature.is_async and contract.effect not in REPEATABLE:
        warnings.append(
            f"`{contract.name}` is a blocking function in the worker's own process: past its"
            " deadline it cannot be stopped, and the call stays in doubt until it ends. Say"
            ' `isolation="subprocess"`, where it is killed.'
        )
    if signature.is_async and Supply.CONNECTION in signature.supplies():
        warnings.append(
            f"`{contract.name}` is asynchronous and takes a `Connection`, which blocks: while it"
            " waits for the database, the worker drives nothing else. Make it a plain function."
        )
    return tuple(warnings)


def read_facts(
    function: Callable[..., object],
    extractors: Mapping[str, Extractor],
    schema: JsonSchema,
    *,
    fills_defaults: bool,
) -> dict[str, Fact]:
    """Return the facts of a contract, checked against the tool's arguments.

    Args:
        function: The tool's function, which errors name.
        extractors: The functions that compute the facts, by the facts' names.
        schema: The schema of the tool's arguments.
        fills_defaults: Whether a missing argument has its default.

    Raises:
        InvalidContract: A fact has a reserved or invalid name, or needs other arguments.
    """
    found: dict[str, Fact] = {}
    for name, extractor in extractors.items():
        if not _FACT_NAME.fullmatch(name):
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
    """Return the taints of a tool's results.

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


def _check_transactional(
    function: Function, supplies: frozenset[Supply], database: Database | None
) -> None:
    if Supply.CONNECTION not in supplies:
        raise invalid(
            function,
            "It is `transactional`, and takes no `Connection`.",
            "Take one, as in `connection: sqlalchemy.Connection`, and write through it alone.",
        )
    if database is None:
        raise invalid(
            function,
            "It is `transactional`, and names no `database`.",
            "Give the SQLAlchemy `Engine` of your database, or a function that returns it.",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _has_field(
    schema: object, path: list[str], *, root: JsonSchema, inside: tuple[int, ...] = ()
) -> bool:
    """Tell whether a JSON Schema has a field at a path, through lists, unions and references."""
    if not path:
        return True
    if not isinstance(schema, Mapping) or id(cast(object, schema)) in inside:
        return False
    node = cast(Mapping[str, object], schema)
    fields = cast(Mapping[str, object], node.get("properties") or {})
    if path[0] in fields and _has_field(fields[path[0]], path[1:], root=root):
        return True
    parts = [node.get("items"), node.get("additionalProperties"), _referred(node, root)]
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        parts += cast(list[object], node.get(key) or [])
    inside = (*inside, id(node))
    return any(_has_field(part, path, root=root, inside=inside) for part in parts)


def _referred(node: Mapping[str, object], root: JsonSchema) -> object:
    name = str(node.get("$ref", "")).removeprefix("#/$defs/")
    return cast(Mapping[str, object], root.get("$defs") or {}).get(name)
