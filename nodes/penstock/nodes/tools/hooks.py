"""Hooks: the functions beside a tool's own, which are its probe and its check of results."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from penstock.nodes.tools.signature import Signature, invalid, read_signature
from penstock.nodes.tools.supplies import Supplies, Supply


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A function that is called with some of a tool's arguments."""

    function: Callable[..., object]
    signature: Signature
    takes_first: str | None
    """The parameter that takes the result to be checked; None for a probe."""

    def bind(
        self, values: Mapping[str, object], supplies: Supplies, *, first: object = None
    ) -> dict[str, object]:
        """Return the keywords with which to call it.

        Raises:
            KeyError: A supply is missing; the error names the parameter.
        """
        bound = self.signature.bind(values, supplies)
        return bound if self.takes_first is None else {**bound, self.takes_first: first}


def read_probe(
    tool: Callable[..., object], function: Callable[..., object], *, signature: Signature
) -> Hook:
    """Read a tool's probe.

    Raises:
        InvalidContract: It takes something that a recorded call does not have.
    """
    own = read_signature(function)
    _refuse_unknown(tool, function, own, signature, what="probe")
    gone = own.supplies() & {Supply.TOOL_NODE, Supply.CONFIG, Supply.CALL_ID, Supply.CONNECTION}
    if gone:
        raise invalid(
            function,
            f"As a probe it takes a `{next(iter(gone))}`, and is called long after the run let go.",
            "Take arguments of the tool, its `IdempotencyKey`, its `Attempt` or secrets.",
        )
    return Hook(function=function, signature=own, takes_first=None)


def read_verify(
    tool: Callable[..., object], function: Callable[..., object], *, signature: Signature
) -> Hook:
    """Read a tool's check of its results, whose first parameter is the result.

    Raises:
        InvalidContract: It takes no result, or something that is no argument of the tool.
    """
    parameters = tuple(inspect.signature(function).parameters)
    if not parameters:
        raise invalid(
            function, "As a check of results it takes none.", "Take the result as the first one."
        )
    own = read_signature(function)
    rest = Signature(
        arguments=tuple(each for each in own.arguments if each.name != parameters[0]),
        injected=own.injected,
        result=own.result,
        is_async=own.is_async,
    )
    _refuse_unknown(tool, function, rest, signature, what="check of results")
    return Hook(function=function, signature=rest, takes_first=parameters[0])


def _refuse_unknown(
    tool: Callable[..., object],
    function: Callable[..., object],
    own: Signature,
    of_tool: Signature,
    *,
    what: str,
) -> None:
    known = {each.name for each in of_tool.arguments}
    for each in own.arguments:
        if each.is_required and each.name not in known:
            listed = ", ".join(f"`{name}`" for name in sorted(known)) or "none"
            raise invalid(
                function,
                f"As a {what} it takes `{each.name}`, which is no argument of"
                f" `{getattr(tool, '__name__', 'the tool')}`.",
                f"The tool's arguments are {listed}.",
            )
