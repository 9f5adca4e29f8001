"""A governed tool: LangChain calls it, and a run carries it out."""

import json
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar, cast, get_args, get_origin

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg
from langchain_core.tools.base import ArgsSchema
from pydantic import BaseModel, PrivateAttr, create_model
from pydantic_core import to_json

from penstock.contracts.call import Done, Outcome, Refused
from penstock.contracts.effect import DoubtAnswer
from penstock.contracts.policy import Spend
from penstock.contracts.tool import JsonSchema, OnFailure, ToolContract
from penstock.nodes.tools.arguments import Checked, digest
from penstock.nodes.tools.asides import Aside
from penstock.nodes.tools.blocking import wait_for
from penstock.nodes.tools.definition import Definition
from penstock.nodes.tools.messages import message, value
from penstock.nodes.tools.place import import_path
from penstock.nodes.tools.request import Asked, ask, read_request
from penstock.nodes.tools.results import ResultCodec
from penstock.nodes.tools.signature import RESERVED, Signature
from penstock.nodes.tools.supplies import REQUIRED, Supplies, Supply, is_tool_runtime
from penstock.nodes.tools.terms import Database
from penstock.policies.facts import Extractor, MinorUnits, compute_facts

R = TypeVar("R")


class Tool(BaseTool, Generic[R]):
    """A function with a contract. Made by `tool`, or by `adopt`.

    Called in a run it is carried out by the run, wherever the call comes from: a `ToolNode`, an
    agent, or `await refund(order_id="A1")` in a node. Anywhere else it raises `OutsideRun`.
    """

    _definition: Definition[R] = PrivateAttr()
    _compensate: "Tool[Any] | None" = PrivateAttr(default=None)
    _adopted: BaseTool | None = PrivateAttr(default=None)
    _not_told: frozenset[str] = PrivateAttr()
    _input_model: type[BaseModel] = PrivateAttr()

    def __init__(
        self,
        definition: Definition[R],
        *,
        told: ArgsSchema,
        compensate: "Tool[Any] | None" = None,
        adopted: BaseTool | None = None,
    ) -> None:
        """Make a tool of its definition.

        Args:
            definition: All that is known of it.
            told: What a model is shown of the arguments.
            compensate: What undoes a call.
            adopted: Somebody else's tool that this one stands for.
        """
        contract = definition.contract
        fields: dict[str, Any] = {
            "name": contract.name,
            "description": contract.description,
            "args_schema": told,
        }
        super().__init__(**fields)
        self._definition = definition
        self._input_model = _input_model(definition, told)
        self._compensate = compensate
        self._adopted = adopted
        injected = (each.name for each in definition.signature.injected)
        self._not_told = frozenset({RESERVED, *injected})

    async def __call__(self, **arguments: object) -> R:
        """Call it from the code of a node; the arguments are checked against the contract.

        Raises:
            ToolRefused: It was not started.
            ToolFailed: It failed, and nothing happened.
            ToolInDoubt: Nobody knows whether it happened.
            OutsideRun: No run is here to carry it out.
        """
        return cast(R, await self.ainvoke(arguments))

    # Kept, because Pydantic looks a private attribute up in Python, and a call asks often.
    @cached_property
    def definition(self) -> Definition[R]:
        """All that is known of it, apart from how LangChain calls it."""
        return self._definition

    @property
    def contract(self) -> ToolContract:
        """What a policy, a ledger or a person needs to know of it."""
        return self.definition.contract

    @property
    def is_adopted(self) -> bool:
        """Whether it stands for somebody else's tool, which knows nothing of contracts."""
        return self._adopted is not None

    @property
    def function(self) -> Callable[..., object]:
        """The bare function, for tests and for whatever carries out calls."""
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
        """What the function takes and returns."""
        return self.definition.signature

    @property
    def results(self) -> ResultCodec[R]:
        """Writes and reads its results."""
        return self.definition.results

    @property
    def probe(self) -> Aside | None:
        """Looks up whether a call has happened."""
        return self.definition.probe

    @property
    def verify(self) -> Aside | None:
        """Checks a result: returns or raises what is wrong with it."""
        return self.definition.verify

    @property
    def compensate(self) -> "Tool[Any] | None":
        """Undoes a call."""
        return self._compensate

    @cached_property
    def doubt_schema(self) -> str:
        """JSON Schema of what a person may answer about a call in doubt, as JSON."""
        return _doubt_schema(self.contract.result_schema, can_be_undone=self.compensate is not None)

    @property
    def adopted(self) -> BaseTool | None:
        """Somebody else's tool that this one stands for."""
        return self._adopted

    @property
    def database(self) -> Database | None:
        """The user's database in whose transaction it runs, or what gives it."""
        return self.definition.database

    @property
    def facts(self) -> Mapping[str, Extractor]:
        """What computes the facts that the contract names, by name."""
        return self.definition.facts

    def check(self, arguments: Mapping[str, object]) -> Checked | Refused:
        """Check arguments against the contract, or refuse them with all that is wrong."""
        return self.definition.arguments.check(arguments)

    def digest(self, checked: Checked) -> str:
        """Return what tells this call from one with other arguments, in 64 hex digits."""
        return digest(self.contract.name, self.contract.major, checked.canonical)

    def computed_facts(self, checked: Checked) -> Mapping[str, object]:
        """Return the facts of a call that the contract names.

        Raises:
            FactError: One cannot be computed of these arguments.
        """
        return compute_facts(self.facts, json.loads(checked.canonical)) if self.facts else {}

    def spend(self, checked: Checked) -> Spend | None:
        """Return what a call spends, by the first of its facts that is an amount of money."""
        amounts = [each for each in self.facts.values() if isinstance(each, MinorUnits)]
        return amounts[0].spend(json.loads(checked.canonical)) if amounts else None

    def business_key(self, checked: Checked) -> str | None:
        """Return the key that protects a call across runs; None when the tool has none."""
        key = self.definition.key
        return None if key is None else key.of(checked.values)

    def keywords(self, checked: Checked, supplies: Supplies) -> dict[str, object]:
        """Return the keywords with which to call the function.

        Raises:
            KeyError: A supply is missing; the error names the parameter.
        """
        return self.definition.signature.bind(checked.values, supplies)

    @property
    def tool_call_schema(self) -> ArgsSchema:
        """What a model is shown of the arguments."""
        return cast(ArgsSchema, self.args_schema)

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """Return the arguments, with what a `ToolNode` is to inject beside them."""
        del config
        return self._input_model

    async def arun(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Carry out a call, as LangChain does it."""
        return await super().arun(ask(self.definition, tool_input, kwargs), *args, **kwargs)

    def run(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Carry out a call, as LangChain does it."""
        return super().run(ask(self.definition, tool_input, kwargs), *args, **kwargs)

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Take the arguments as they are: checking them is a stage of the call."""
        return (), {"asked": tool_input, "call_id": tool_call_id}

    def _filter_injected_args(self, tool_input: dict[str, Any]) -> dict[str, Any]:
        """Return what callbacks are told."""
        return {name: each for name, each in tool_input.items() if name not in self._not_told}

    async def _arun(self, asked: Asked, call_id: str | None, config: RunnableConfig) -> Any:
        request = read_request(self.definition, asked, call_id=call_id, config=config)
        outcome = await request.calls.call(
            self, request.arguments, request.origin, request.injected
        )
        return self._answer(outcome, call_id)

    def _run(self, asked: Asked, call_id: str | None, config: RunnableConfig) -> Any:
        request = read_request(self.definition, asked, call_id=call_id, config=config)
        work = request.calls.call(self, request.arguments, request.origin, request.injected)
        return self._answer(wait_for(work, request.calls.loop), call_id)

    def _answer(self, outcome: Outcome, call_id: str | None) -> object:
        raises = self.contract.on_failure is OnFailure.RAISE and not isinstance(outcome, Done)
        if call_id is None or raises:
            return value(self.name, outcome)
        return message(self.name, outcome, codec=self.results, call_id=call_id)


def _input_model(definition: Definition[Any], told: ArgsSchema) -> type[BaseModel]:
    """Return the arguments and beside them what a `ToolNode` is to inject.

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
    base = told if isinstance(told, type) and issubclass(told, BaseModel) else None
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
