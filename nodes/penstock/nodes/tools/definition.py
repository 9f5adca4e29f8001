"""The definition of a tool: its contract and all that checks a call, read from its function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

from penstock.contracts.tool import (
    DAY_S,
    REPEATABLE,
    EffectClass,
    IsolationTier,
    OnFailure,
    RetryAfter,
    RetryPlan,
    ToolContract,
)
from penstock.nodes.tools import validation
from penstock.nodes.tools.arguments import Arguments, BusinessKey, TypedArguments, business_key
from penstock.nodes.tools.hooks import Hook, read_probe, read_verify
from penstock.nodes.tools.results import ResultCodec, UnstorableType
from penstock.nodes.tools.signature import Signature, invalid, read_docstring, read_signature
from penstock.nodes.tools.terms import Database, Options
from penstock.nodes.tools.validation import read_facts, read_taints
from penstock.policies.facts import Extractor

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition(Generic[R]):
    """A tool, apart from how LangChain calls it."""

    contract: ToolContract
    function: Callable[..., object]
    signature: Signature
    arguments: Arguments
    results: ResultCodec[R]
    key: BusinessKey | None = None
    probe: Hook | None = None
    verify: Hook | None = None
    database: Database | None = None
    facts: Mapping[str, Extractor] = field(default_factory=dict[str, Extractor])
    """The functions that compute the facts of the contract."""


def define(
    function: Callable[..., object], options: Options, *, compensate: Definition[Any] | None
) -> Definition[Any]:
    """Read a function as a tool.

    Raises:
        InvalidContract: Its terms promise what it cannot keep.
    """
    signature = read_signature(function)
    docstring = read_docstring(function)
    name = options.name or getattr(function, "__name__", "")
    arguments = TypedArguments(function, name=name, docstring=docstring, of=signature.arguments)
    results = _results(function, signature)
    names = [each.name for each in signature.arguments]
    contract = _contract(
        function,
        options,
        name=name,
        description=options.description or docstring.description,
        arguments=arguments,
        results=results,
        secrets=frozenset(each.secret for each in signature.injected if each.secret is not None),
        compensate=compensate,
    )
    _check(function, contract, signature=signature, database=options.database)
    if compensate is not None:
        _check_compensation(function, arguments, compensate)
    return Definition(
        contract=_warned(contract, signature),
        function=function,
        signature=signature,
        arguments=arguments,
        results=results,
        key=None if options.key is None else business_key(function, options.key, arguments=names),
        probe=None
        if options.probe is None
        else read_probe(function, options.probe, signature=signature),
        verify=None
        if options.verify is None
        else read_verify(function, options.verify, signature=signature),
        database=options.database,
        facts=dict(options.facts),
    )


def _results(function: Callable[..., object], signature: Signature) -> ResultCodec[Any]:
    try:
        return ResultCodec(signature.result)
    except UnstorableType as error:
        raise invalid(
            function,
            f"Its result cannot be recorded and replayed: {error}.",
            "Return plain data, a dataclass or a Pydantic model, and annotate it.",
        ) from error


def _contract(
    function: Callable[..., object],
    options: Options,
    *,
    name: str,
    description: str,
    arguments: TypedArguments,
    results: ResultCodec[Any],
    secrets: frozenset[str],
    compensate: Definition[Any] | None,
) -> ToolContract:
    try:
        effect = EffectClass(options.effect)
        isolation = IsolationTier(options.isolation)
        on_failure = OnFailure(options.on_failure)
    except ValueError as error:
        raise invalid(
            function, f"It says what is not known: {error}.", "Wanted is a member of that class."
        ) from error
    after = RetryAfter.ANY if effect in REPEATABLE else RetryAfter.DEFINITE
    lifetime_s = DAY_S if effect is EffectClass.KEYED else None
    return ToolContract(
        name=name,
        version=options.version,
        description=description,
        arguments_schema=arguments.schema,
        result_schema=results.schema,
        scopes=frozenset(options.scopes),
        tags=frozenset(options.tags),
        taints=read_taints(function, options.taints),
        facts=read_facts(function, options.facts, arguments.schema, fills_defaults=True),
        effect=effect,
        timeout_s=options.timeout_s,
        margin_s=options.margin_s,
        key_lifetime_s=lifetime_s if options.key_lifetime_s is None else options.key_lifetime_s,
        retry=options.retry or RetryPlan(after=after),
        cost=options.cost,
        isolation=isolation,
        on_failure=on_failure,
        sensitive=frozenset(options.sensitive),
        secrets=secrets,
        has_key=options.key is not None,
        has_probe=options.probe is not None,
        has_verify=options.verify is not None,
        compensate=None if compensate is None else compensate.contract.name,
    )


def _check(
    function: Callable[..., object],
    contract: ToolContract,
    *,
    signature: Signature,
    database: Database | None,
) -> None:
    validation.check_names(function, contract)
    validation.check_times(function, contract)
    validation.check_class(function, contract, signature=signature, database=database)
    validation.check_retry(function, contract)
    validation.check_isolation(function, contract, signature=signature)
    validation.check_sensitive(function, contract)
    validation.check_secrets(function, signature=signature)
    validation.check_cost(function, contract)


def _warned(contract: ToolContract, signature: Signature) -> ToolContract:
    return replace(contract, warnings=validation.warnings_about(contract, signature=signature))


def _check_compensation(
    function: Callable[..., object], arguments: TypedArguments, undo: Definition[Any]
) -> None:
    """Refuse a compensation that needs an argument which a call does not have."""
    own = cast(dict[str, object], arguments.schema.get("properties") or {})
    wanted = cast(dict[str, object], undo.arguments.schema.get("properties") or {})
    required = cast(list[str], undo.arguments.schema.get("required") or [])
    for name in required:
        if name not in own or _type_of(own[name]) != _type_of(wanted[name]):
            raise invalid(
                function,
                f"Its compensation `{undo.contract.name}` needs `{name}`, which is no argument of"
                " it, or of another type.",
                "A call is undone with its own arguments: give both the same.",
            )


def _type_of(schema: object) -> dict[str, object]:
    """Return the type of a field, without its title, description and default."""
    about = {"title", "description", "default", "examples"}
    return {
        key: value for key, value in cast(dict[str, object], schema).items() if key not in about
    }
