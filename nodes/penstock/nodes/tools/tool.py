"""A governed tool: a function under a contract, whose calls a run carries out."""

import asyncio
import contextvars
import json
import threading
import warnings
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from functools import cached_property, partial
from typing import (
    Annotated,
    Any,
    Generic,
    Protocol,
    TypeVar,
    Unpack,
    cast,
    get_args,
    get_origin,
    overload,
)

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg
from langchain_core.tools.base import ArgsSchema
from pydantic import BaseModel, PrivateAttr, create_model
from pydantic_core import to_json

from penstock.contracts.call import Done, Outcome, Refused
from penstock.contracts.effect import DoubtAnswer
from penstock.contracts.policy import Spend
from penstock.contracts.tool import JsonSchema, OnFailure, ToolContract
from penstock.nodes.tools.arguments import CheckedArguments, TypedArguments, digest
from penstock.nodes.tools.definition import Definition, define
from penstock.nodes.tools.hooks import Hook
from penstock.nodes.tools.messages import message, value
from penstock.nodes.tools.request import RawArguments, read_request, take_arguments
from penstock.nodes.tools.results import ResultCodec
from penstock.nodes.tools.signature import RESERVED, Signature, import_path, invalid
from penstock.nodes.tools.supplies import REQUIRED, Supplies, Supply, is_tool_runtime
from penstock.nodes.tools.terms import Database, Options, Terms
from penstock.policies.facts import Extractor, MinorUnits, compute_facts

T = TypeVar("T")
R = TypeVar("R")


class Tool(BaseTool, Generic[R]):
    """A function with a contract. Made by `tool`, or by `adopt`.

    Called in a run it is carried out by the run, wherever the call comes from: a `ToolNode`, an
    agent, or `await refund(order_id="A1")` in a node. Anywhere else it raises `OutsideRun`.
    """

    _definition: Definition[R] = PrivateAttr()
    _compensate: "Tool[Any] | None" = PrivateAttr(default=None)
    _adopted: BaseTool | None = PrivateAttr(default=None)
    _hidden_names: frozenset[str] = PrivateAttr()
    _input_model: type[BaseModel] = PrivateAttr()

    def __init__(
        self,
        definition: Definition[R],
        *,
        shown: ArgsSchema,
        compensate: "Tool[Any] | None" = None,
        adopted: BaseTool | None = None,
    ) -> None:
        """Make a tool of its definition.

        Args:
            definition: Its contract, and all that checks a call.
            shown: The arguments as a model sees them.
            compensate: The tool that undoes a call of it.
            adopted: The tool of somebody else that it stands for.
        """
        contract = definition.contract
        fields: dict[str, Any] = {
            "name": contract.name,
            "description": contract.description,
            "args_schema": shown,
        }
        super().__init__(**fields)
        self._definition = definition
        self._input_model = _input_model(definition, shown)
        self._compensate = compensate
        self._adopted = adopted
        injected = (each.name for each in definition.signature.injected)
        self._hidden_names = frozenset({RESERVED, *injected})

    async def __call__(self, **arguments: object) -> R:
        """Call it from the code of a node; the arguments are checked against the contract.

        Raises:
            ToolRefused: It was not started.
            ToolFailed: It failed, and nothing happened.
            ToolInDoubt: Nobody knows whether it happened.
            OutsideRun: No run is here to carry it out.
        """
        return cast(R, await self.ainvoke(arguments))

    # Cached, because Pydantic looks private attributes up in Python, and a call reads it often.
    @cached_property
    def definition(self) -> Definition[R]:
        """Its contract, and all that checks a call."""
        return self._definition

    @property
    def contract(self) -> ToolContract:
        """Its contract, which policies, the ledger and people rely on."""
        return self.definition.contract

    @property
    def is_adopted(self) -> bool:
        """Whether it stands for a tool of somebody else, which has no contract of its own."""
        return self._adopted is not None

    @property
    def function(self) -> Callable[..., object]:
        """The bare function, for tests and for the execution of calls."""
        return self.definition.function

    @property
    def import_path(self) -> str | None:
        """`module:name` of the function, or None where no other process could import it."""
        return import_path(self.function)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return self.definition.signature.is_async

    @property
    def signature(self) -> Signature:
        """The parameters and the result of the function."""
        return self.definition.signature

    @property
    def results(self) -> ResultCodec[R]:
        """The codec of its results."""
        return self.definition.results

    @property
    def probe(self) -> Hook | None:
        """The function that looks up whether a call has happened."""
        return self.definition.probe

    @property
    def verify(self) -> Hook | None:
        """The function that checks a result: it returns or raises what is wrong."""
        return self.definition.verify

    @property
    def compensate(self) -> "Tool[Any] | None":
        """The tool that undoes a call."""
        return self._compensate

    @cached_property
    def doubt_schema(self) -> str:
        """JSON Schema of what a person may answer about a call in doubt, as JSON."""
        return _doubt_schema(self.contract.result_schema, can_be_undone=self.compensate is not None)

    @property
    def adopted(self) -> BaseTool | None:
        """The tool of somebody else that it stands for."""
        return self._adopted

    @property
    def database(self) -> Database | None:
        """The user's database in whose transaction it runs, or a function that returns it."""
        return self.definition.database

    @property
    def facts(self) -> Mapping[str, Extractor]:
        """The functions that compute the facts of the contract, by the facts' names."""
        return self.definition.facts

    def check(self, arguments: Mapping[str, object]) -> CheckedArguments | Refused:
        """Check arguments against the contract, or refuse them with all that is wrong."""
        return self.definition.arguments.check(arguments)

    def digest(self, checked: CheckedArguments) -> str:
        """Return the digest of the tool and the arguments, in 64 hex digits."""
        return digest(self.contract.name, self.contract.major, checked.canonical)

    def computed_facts(self, checked: CheckedArguments) -> Mapping[str, object]:
        """Return the facts of a call, as the contract names them.

        Raises:
            FactError: One cannot be computed of these arguments.
        """
        return compute_facts(self.facts, json.loads(checked.canonical)) if self.facts else {}

    def spend(self, checked: CheckedArguments) -> Spend | None:
        """Return what a call spends: the first of its facts that is an amount of money."""
        amounts = [each for each in self.facts.values() if isinstance(each, MinorUnits)]
        return amounts[0].spend(json.loads(checked.canonical)) if amounts else None

    def business_key(self, checked: CheckedArguments) -> str | None:
        """Return the key that protects a call across runs; None when the tool has none."""
        key = self.definition.key
        return None if key is None else key.of(checked.values)

    def keywords(self, checked: CheckedArguments, supplies: Supplies) -> dict[str, object]:
        """Return the keywords with which to call the function.

        Raises:
            KeyError: A supply is missing; the error names the parameter.
        """
        return self.definition.signature.bind(checked.values, supplies)

    @property
    def tool_call_schema(self) -> ArgsSchema:
        """The arguments as a model sees them."""
        return cast(ArgsSchema, self.args_schema)

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """Return the arguments, and the values that a `ToolNode` is to inject."""
        del config
        return self._input_model

    async def arun(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Carry out a call, as LangChain does it."""
        return await super().arun(
            take_arguments(self.definition, tool_input, kwargs), *args, **kwargs
        )

    def run(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Carry out a call, as LangChain does it."""
        return super().run(take_arguments(self.definition, tool_input, kwargs), *args, **kwargs)

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Take the arguments as they are: checking them is a stage of the call."""
        return (), {"raw": tool_input, "call_id": tool_call_id}

    def _filter_injected_args(self, tool_input: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments that callbacks see."""
        return {name: each for name, each in tool_input.items() if name not in self._hidden_names}

    async def _arun(self, raw: RawArguments, call_id: str | None, config: RunnableConfig) -> Any:
        request = read_request(self.definition, raw, call_id=call_id, config=config)
        outcome = await request.calls.call(
            self, request.arguments, request.origin, request.injected
        )
        return self._answer(outcome, call_id)

    def _run(self, raw: RawArguments, call_id: str | None, config: RunnableConfig) -> Any:
        request = read_request(self.definition, raw, call_id=call_id, config=config)
        work = request.calls.call(self, request.arguments, request.origin, request.injected)
        return self._answer(wait_for(work, request.calls.loop), call_id)

    def _answer(self, outcome: Outcome, call_id: str | None) -> object:
        raises = self.contract.on_failure is OnFailure.RAISE and not isinstance(outcome, Done)
        if call_id is None or raises:
            return value(self.name, outcome)
        return message(self.name, outcome, codec=self.results, call_id=call_id)


class ToolDecorator(Protocol):
    """Makes a tool of a function."""

    @overload
    def __call__(self, function: Callable[..., Coroutine[Any, Any, R]], /) -> Tool[R]: ...
    @overload
    def __call__(self, function: Callable[..., R], /) -> Tool[R]: ...


def wait_for(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    """Run work on a loop, and wait for it here.

    On the loop's own thread it runs on another loop in another thread: waiting for the own thread
    would never end. Whatever the work raises is raised here, signals too.
    """
    if _running_loop() is loop:
        return _run_on_own_loop(work)
    return asyncio.run_coroutine_threadsafe(work, loop).result()


@overload
def tool(function: Callable[..., Coroutine[Any, Any, R]], /, **terms: Unpack[Terms]) -> Tool[R]: ...


@overload
def tool(function: Callable[..., R], /, **terms: Unpack[Terms]) -> Tool[R]: ...


@overload
def tool(function: None = None, /, **terms: Unpack[Terms]) -> ToolDecorator: ...


def tool(function: Callable[..., Any] | None = None, /, **terms: Unpack[Terms]) -> Any:
    """Make a governed tool of a typed function.

    It decorates a plain or an asynchronous function, with or without the options of `Terms`. A term
    that the function cannot keep is refused here, when the module is imported.

        @tool(effect="keyed", scopes={"payments:write"}, key="refund:{order_id}")
        async def refund(order_id: str, cents: int, key: IdempotencyKey) -> Receipt:
            ...

    Raises:
        InvalidContract: Names the function with its file and line, and says what was found, what
            was wanted and what to do.
    """
    options = Options(**terms)
    return partial(_declare, options) if function is None else _declare(options, function)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _run_on_own_loop(work: Coroutine[Any, Any, T]) -> T:
    done: Future[T] = Future()

    def drive() -> None:
        try:
            done.set_result(asyncio.run(work))
        except BaseException as error:  # raised again where it is awaited
            done.set_exception(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(drive,), name="penstock-tool-call")
    thread.start()
    thread.join()
    return done.result()


def _doubt_schema(result_schema: JsonSchema, *, can_be_undone: bool) -> str:
    answers = [DoubtAnswer.DID_NOT, DoubtAnswer.RETRY]
    if can_be_undone:
        answers.append(DoubtAnswer.COMPENSATE)
    result = dict(result_schema)
    definitions = result.pop("$defs", None)
    happened = {
        "properties": {"answer": {"const": DoubtAnswer.HAPPENED}, "result": result},
        "required": ["answer", "result"],
    }
    others = {"properties": {"answer": {"enum": answers}}, "required": ["answer"]}
    whole: dict[str, object] = {"type": "object", "oneOf": [others, happened]}
    if definitions is not None:
        whole["$defs"] = definitions
    return to_json(whole).decode()


def _declare(options: Options, function: Callable[..., Any]) -> Tool[Any]:
    compensate: object = options.compensate
    if compensate is not None and not isinstance(compensate, Tool):
        raise invalid(
            function,
            f"Its compensation is of type `{type(compensate).__name__}`.",
            "Give another tool, which undoes a call.",
        )
    undo = cast("Tool[Any] | None", compensate)
    definition = define(function, options, compensate=None if undo is None else undo.definition)
    shown = cast(TypedArguments, definition.arguments).model
    return Tool(definition, shown=shown, compensate=undo)


def _input_model(definition: Definition[Any], shown: ArgsSchema) -> type[BaseModel]:
    """Return the arguments, and the values that a `ToolNode` is to inject.

    Under a name that it knows, LangGraph injects its `ToolRuntime`, which has the state. The call's
    message is found there.
    """
    injected = {each.name: each for each in definition.signature.injected}
    fields: dict[str, Any] = {
        name: (_read_by_langgraph(each.annotation), ... if each.default is REQUIRED else None)
        for name, each in injected.items()
        if each.supply in {Supply.TOOL_NODE, Supply.CALL_ID}
    }
    if not any(is_tool_runtime(each.annotation) for each in injected.values()):
        fields[RESERVED] = (Annotated[Any, InjectedToolArg], None)
    base = shown if isinstance(shown, type) and issubclass(shown, BaseModel) else None
    with warnings.catch_warnings():
        # An argument may be named `copy` or `json`: nobody calls those methods here.
        warnings.filterwarnings("ignore", message="Field name .* shadows", category=UserWarning)
        return create_model(f"{definition.contract.name}_input", __base__=base, **fields)


def _read_by_langgraph(annotation: Any) -> Any:
    """Return an annotation in which LangGraph sees the same, and Pydantic anything."""
    if get_origin(annotation) is Annotated:
        parts = get_args(annotation)[1:]
    else:
        parts = (annotation, InjectedToolArg)
    return Annotated[(Any, *parts)]
