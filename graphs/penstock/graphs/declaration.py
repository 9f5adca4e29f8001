"""A graph and what the runtime must know of it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.contracts.budget import Budget
from penstock.contracts.errors import InvalidGraph
from penstock.contracts.ids import Fingerprint
from penstock.contracts.policy import Taint
from penstock.contracts.step import StepKind
from penstock.contracts.trace import TraceContent
from penstock.graphs.fingerprint import fingerprint
from penstock.graphs.structure import node_timeouts, step_kinds

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from penstock.graphs.compiled import Builder, Compiled
    from penstock.nodes import Tool

FIRST_VERSION = "1"
"""The version of a graph that does not say one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A graph that runs can be started on. Made by `declare`, or by a `Catalog` that finds it."""

    name: str
    """Unique among the graphs of a process; runs are stored under it."""
    version: str
    """Raised by its author when runs under way must not go on in the new code."""
    description: str
    """A sentence for people; may be empty."""
    fingerprint: Fingerprint
    """What a run's worker must have: see `penstock.graphs.fingerprint`."""
    kinds: Mapping[str, StepKind] = field(compare=False)
    """Each node's kind by its path from the top, subgraphs' nodes as `outer|inner`."""
    timeouts_s: Mapping[str, float] = field(compare=False)
    """How long an attempt of a node may take, by its path; only nodes that say so."""
    progress_s: float | None
    """A run of which nothing is heard for so long fails; the worker's own time if none."""
    deadline_s: float | None
    """How long a run of it may take, without the time at gates; None for no end."""
    policy: Path | None
    """The folder of its policy; None for the one that stands where a graph names none."""
    taints: frozenset[Taint]
    """What its runs carry from their start: that of their input."""
    trace: TraceContent
    """What its traces show of texts and arguments."""
    budget: Budget
    """What each of its runs may use."""
    tools: Mapping[str, "Tool[Any]"] = field(repr=False, compare=False)
    """The tools that are known to be called in it, by their names; each has its `contract`."""
    compiled: "Compiled" = field(repr=False, compare=False)
    """The graph as it was found, with the checkpointer it had. Run what `compile` returns."""

    @property
    def sensitive(self) -> Mapping[str, Collection[str]]:
        """The arguments that nobody is to be shown, by their tools."""
        return {name: tool.contract.sensitive for name, tool in self.tools.items()}

    def compile(self, checkpointer: "BaseCheckpointSaver[Any]") -> "Compiled":
        """Return the graph on this checkpointer, with its tools under their contracts.

        Cheap; the declared graph is not changed by it.
        """
        from penstock.graphs.compiled import on_checkpointer  # noqa: PLC0415  (half a second)
        from penstock.graphs.tools import governed  # noqa: PLC0415  (likewise)

        ours = governed(self.compiled, self.tools)
        return on_checkpointer(ours, checkpointer, name=self.name)


def declare(
    graph: "Builder | Compiled",
    *,
    name: str,
    version: str = FIRST_VERSION,
    description: str = "",
    progress_s: float | None = None,
    deadline_s: float | None = None,
    tools: Iterable["BaseTool"] = (),
    policy: Path | str | None = None,
    taints: Iterable[Taint | str] = (),
    budget: Budget | None = None,
    trace: TraceContent | str = TraceContent.REDACTED,
) -> Graph:
    """Give a LangGraph graph, compiled or not, the name and version that its runs are stored under.

    What is added to a builder afterwards is not in the declared graph. The tools in its `ToolNode`s
    are found; `tools` names those that nodes call themselves. A run of which nothing is heard for
    `progress_s` fails: no step begins or ends, and no node writes to its stream. So does one that
    takes longer than `deadline_s`, without the time at gates and in a pause. `policy` is the
    folder with its Cedar policies; it is read when a worker starts. A graph whose input is written
    by somebody outside says so: `taints={"untrusted"}`. `budget` is what each run may use; without
    one, that of `Budget()`. `trace` says how much of texts and arguments its traces show: `full`,
    `redacted` or `digests`.

    Raises:
        InvalidGraph: It is not a graph, does not compile, has no name, no version, no time to come
            on in, a node of an unknown kind, two tools of one name, an unknown taint, or a content
            of traces that is none.
    """
    from penstock.graphs.compiled import compiled_form  # noqa: PLC0415  (half a second)
    from penstock.graphs.tools import tools_of  # noqa: PLC0415  (likewise)

    for what, text in (("name", name), ("version", version)):
        if not text.strip() or not text.isprintable():
            raise InvalidGraph(
                f"A graph was declared with the {what} {text!r}. Give it one that can be read."
            )
    for setting, given_s, within in (
        ("progress_s", progress_s, "in which a step of it begins or ends"),
        ("deadline_s", deadline_s, "in which a run of it is over"),
    ):
        if given_s is not None and not given_s > 0:
            raise InvalidGraph(
                f"Graph `{name}` was declared with `{setting}={given_s}`. Wanted are seconds, more"
                f" than 0, {within}; or leave it out."
            )
    try:
        compiled = compiled_form(graph)
    except ValueError as error:
        raise InvalidGraph(f"LangGraph does not compile graph `{name}`: {error}") from error
    if compiled is None:
        raise InvalidGraph(
            f"Graph `{name}` is {describe_object(graph)}. "
            "Wanted is a LangGraph `StateGraph`, or what its `compile()` returns."
        )
    return Graph(
        name=name,
        version=version,
        description=description,
        fingerprint=fingerprint(compiled, name=name, version=version),
        kinds=step_kinds(compiled),
        timeouts_s=node_timeouts(compiled),
        progress_s=progress_s,
        deadline_s=deadline_s,
        policy=None if policy is None else Path(policy),
        taints=_taints(name, taints),
        budget=budget or Budget(),
        trace=_content(name, trace),
        tools=tools_of(compiled, tools),
        compiled=compiled,
    )


def _taints(name: str, taints: Iterable[Taint | str]) -> frozenset[Taint]:
    try:
        return frozenset(Taint(taint) for taint in taints)
    except ValueError as error:
        raise InvalidGraph(
            f"Graph `{name}` was declared with what is not known: {error}. Wanted are"
            f" {' and '.join(f'`{taint}`' for taint in Taint)}."
        ) from error


def _content(name: str, trace: TraceContent | str) -> TraceContent:
    try:
        return TraceContent(trace)
    except ValueError as error:
        raise InvalidGraph(
            f"Graph `{name}` was declared with `trace={trace!r}`. Wanted is one of"
            f" {', '.join(f'`{each}`' for each in TraceContent)}."
        ) from error


def describe_object(found: object) -> str:
    """Name what was found instead of a graph, without showing its contents."""
    return (
        f"the class `{found.__name__}`"
        if isinstance(found, type)
        else f"of type `{type(found).__name__}`"
    )
