"""Adoption: a tool of somebody else is put under the contract that promises least."""

import inspect
from collections.abc import Collection, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.tools.base import get_all_basemodel_annotations
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from penstock.contracts.call import Refused
from penstock.contracts.errors import InvalidContract, Permanent
from penstock.contracts.policy import Taint
from penstock.contracts.tool import (
    REPEATABLE,
    EffectClass,
    IsolationTier,
    JsonSchema,
    RetryPlan,
    ToolContract,
)
from penstock.nodes.tools import validation
from penstock.nodes.tools.arguments import CheckedArguments, canonical_json, invalid_arguments
from penstock.nodes.tools.definition import Definition
from penstock.nodes.tools.messages import AdoptedResult
from penstock.nodes.tools.results import ResultCodec, is_command, problems, write_command
from penstock.nodes.tools.signature import Argument, Signature
from penstock.nodes.tools.supplies import REQUIRED, Injected, Supply, injected_parameter
from penstock.nodes.tools.terms import EffectName, TaintName
from penstock.nodes.tools.tool import Tool
from penstock.nodes.tools.validation import read_facts, read_taints
from penstock.policies.facts import Extractor

ARGUMENTS, CALL_ID, CONFIG = "penstock_arguments", "penstock_call_id", "penstock_config"
"""Names of parameters that no adopted tool has."""

ADOPTABLE = frozenset({EffectClass.READ, EffectClass.IDEMPOTENT, EffectClass.UNSAFE})
"""Classes whose promise needs nothing of the tool itself."""


def adopt(
    base: BaseTool,
    *,
    effect: EffectClass | EffectName = EffectClass.UNSAFE,
    version: str = "1",
    scopes: Collection[str] = (),
    tags: Collection[str] = (),
    taints: Collection[Taint | TaintName] = tuple(Taint),
    facts: Mapping[str, Extractor] | None = None,
    timeout_s: float = 30.0,
    retry: RetryPlan | None = None,
) -> Tool[AdoptedResult]:
    """Put a LangChain tool under a contract; the weakest one, unless more is promised.

    So its results carry every taint; a tool that reads nothing of an outsider names `taints=()`.
    Its result is recorded as the message it makes, its artifact as JSON; a `Command` as it is.

    Raises:
        InvalidContract: It promises what it cannot keep, or its name or schema cannot be used.
    """
    if isinstance(base, Tool):
        raise InvalidContract(f"`{base.name}` has a contract already. Use it as it is.")
    runner, schema = _runner(base), _schema(base)
    contract = ToolContract(
        name=base.name,
        version=version,
        description=base.description or base.name,
        arguments_schema=schema,
        result_schema=_RESULTS.schema,
        scopes=frozenset(scopes),
        tags=frozenset(tags),
        taints=read_taints(runner, taints),
        facts=read_facts(runner, facts or {}, schema, fills_defaults=False),
        effect=EffectClass(effect),
        timeout_s=timeout_s,
        retry=retry or RetryPlan(attempt_limit=1),
        isolation=IsolationTier.IN_PROCESS,
        warnings=_warnings(base, EffectClass(effect)),
    )
    if contract.effect not in ADOPTABLE:
        raise InvalidContract(
            f"`{base.name}` was adopted as `{contract.effect}`, for which a tool must be written."
            f" Wanted is one of {', '.join(f'`{each}`' for each in sorted(ADOPTABLE))}."
        )
    validation.check_names(runner, contract)
    validation.check_times(runner, contract)
    validation.check_retry(runner, contract)
    definition = Definition(
        contract=contract,
        function=runner,
        signature=_signature(base),
        arguments=LooseArguments(base, contract.arguments_schema),
        results=_RESULTS,
        facts=dict(facts or {}),
    )
    return Tool(definition, shown=base.tool_call_schema, adopted=base)


class LooseArguments:
    """The arguments of a tool of somebody else, recorded as they come in."""

    def __init__(self, base: BaseTool, schema: JsonSchema) -> None:
        self.schema = schema
        shown: object = base.tool_call_schema
        self._model = shown if isinstance(shown, type) and issubclass(shown, BaseModel) else None
        self._validator: Any = Draft202012Validator(dict(schema))

    def check(self, arguments: Mapping[str, object]) -> CheckedArguments | Refused:
        """Check arguments, or refuse them with what is wrong first."""
        try:
            canonical = canonical_json(dict(arguments))
            if self._model is not None:
                self._model.model_validate(dict(arguments))
        except ValidationError as error:
            return invalid_arguments(problems(error))
        except (TypeError, ValueError) as error:
            return invalid_arguments(f"{error}; give them as JSON has them")
        if self._model is None:
            wrong: Any = next(self._validator.iter_errors(dict(arguments)), None)
            if wrong is not None:
                where = ".".join(str(part) for part in wrong.absolute_path) or "it"
                return invalid_arguments(f"`{where}` is not what `{wrong.validator}` asks for")
        return CheckedArguments(values={ARGUMENTS: dict(arguments)}, canonical=canonical)


_RESULTS = ResultCodec[AdoptedResult](AdoptedResult)


def _warnings(base: BaseTool, effect: EffectClass) -> tuple[str, ...]:
    """Return the warnings of `validation.warnings_about` for a function that the tool may hide."""
    blocks = getattr(base, "func", None) is not None and getattr(base, "coroutine", None) is None
    if not blocks or effect in REPEATABLE:
        return ()
    warning = (
        f"`{base.name}` is a blocking tool without a contract of its own: past its deadline it"
        " cannot be stopped, and the call stays in doubt until it ends. Say what it does with"
        " `adopt`, or declare it with `tool`."
    )
    return (warning,)


def _runner(base: BaseTool) -> Any:
    async def call(**keywords: Any) -> AdoptedResult:
        arguments: Mapping[str, Any] = keywords.pop(ARGUMENTS)
        config: RunnableConfig = keywords.pop(CONFIG)
        call_id = keywords.pop(CALL_ID)
        tool_call = {
            "type": "tool_call",
            "name": base.name,
            "id": call_id or base.name,
            "args": {**arguments, **keywords},
        }
        return _recordable(base.name, await base.ainvoke(tool_call, config))

    call.__name__ = call.__qualname__ = base.name
    return call


def _recordable(name: str, result: object) -> AdoptedResult:
    """Return a result in the form in which it is recorded."""
    if is_command(result):
        try:
            written = write_command(result)
        except TypeError as error:
            raise Permanent(f"`{name}` answered with what cannot be recorded: {error}.") from error
        return AdoptedResult(content="", artifact=None, status="success", command=written)
    if not isinstance(result, ToolMessage):
        raise Permanent(
            f"`{name}` answered with a `{type(result).__name__}`, which cannot be recorded and"
            " replayed. Have it return a value."
        )
    artifact: Any = to_jsonable_python(result.artifact, fallback=repr)
    content: Any = to_jsonable_python(cast(object, result.content), fallback=repr)
    return AdoptedResult(content=content, artifact=artifact, status=result.status)


def _signature(base: BaseTool) -> Signature:
    function: Any = getattr(base, "func", None) or getattr(base, "coroutine", None)
    annotations = {
        **(inspect.get_annotations(function, eval_str=False) if function else {}),
        **get_all_basemodel_annotations(base.get_input_schema()),
    }
    injected = [
        found
        for name, annotation in annotations.items()
        if (found := injected_parameter(name, annotation)) is not None
        and found.supply is Supply.TOOL_NODE
    ]
    return Signature(
        arguments=(Argument(name=ARGUMENTS, annotation=dict[str, Any], default=REQUIRED),),
        injected=(
            *injected,
            Injected(name=CALL_ID, supply=Supply.CALL_ID, annotation=str, default=None),
            Injected(name=CONFIG, supply=Supply.CONFIG, annotation=RunnableConfig),
        ),
        result=AdoptedResult,
        is_async=True,
    )


def _schema(base: BaseTool) -> JsonSchema:
    shown: Any = base.tool_call_schema
    schema: dict[str, Any] = {}
    try:
        schema = dict(shown) if isinstance(shown, dict) else shown.model_json_schema()  # pyright: ignore[reportUnknownArgumentType]  (a JSON Schema)
        Draft202012Validator.check_schema(schema)
    except (SchemaError, ValueError, TypeError, AttributeError) as error:
        raise InvalidContract(
            f"The arguments of `{base.name}` have no JSON Schema:"
            f" {str(error).partition(chr(10))[0]}."
        ) from error
    return schema
