"""What carries out tool calls in tests: at once, with nothing recorded."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langchain_core.runnables import RunnableConfig

from penstock.contracts.call import Attempt, Done, Origin, Outcome, Refused
from penstock.contracts.ids import IdempotencyKey, RunId
from penstock.nodes import Tool
from penstock.nodes.secrets import resolve
from penstock.nodes.tools.request import with_calls
from penstock.nodes.tools.supplies import Supplies

ATTEMPT = Attempt(
    key=IdempotencyKey("k1"),
    number=1,
    deadline_at=datetime(2030, 1, 1, tzinfo=UTC),
    run_id=RunId("run-1"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that came in."""

    tool: str
    arguments: Mapping[str, object]
    origin: Origin
    injected: Mapping[str, object]


class DirectCalls:
    """Runs every call's function where it is, and remembers the calls in the order they came."""

    def __init__(
        self, outcome: Outcome | None = None, *, secrets: Mapping[str, str] | None = None
    ) -> None:
        """Answer every call with `outcome`, or run it."""
        self.loop = asyncio.get_running_loop()
        self.calls: list[Call] = []
        self._outcome = outcome
        self._secrets = secrets or {}
        self._counts: Counter[tuple[str, str, int]] = Counter()

    def next_index(self, task_id: str, tool_name: str, attempt: int) -> int:
        """Count."""
        key = (task_id, tool_name, attempt)
        self._counts[key] += 1
        return self._counts[key] - 1

    async def call(
        self,
        tool: Tool[Any],
        arguments: Mapping[str, object],
        origin: Origin,
        injected: Mapping[str, object],
    ) -> Outcome:
        """Check the arguments, run the function, and read the result back as a ledger would."""
        self.calls.append(
            Call(tool=tool.name, arguments=arguments, origin=origin, injected=injected)
        )
        if self._outcome is not None:
            return self._outcome
        checked = tool.check(arguments)
        secrets = resolve(tool.contract.secrets, self._secrets.get)
        if isinstance(checked, Refused):
            return checked
        if isinstance(secrets, Refused):
            return secrets
        given = tool.keywords(
            checked, Supplies(attempt=ATTEMPT, secrets=secrets, injected=injected)
        )
        result: Any = tool.function(**given)
        if tool.is_async:
            result = await result
        return Done(result=tool.results.load(tool.results.dump(result)), recorded=False)

    @property
    def origins(self) -> list[Origin]:
        """Where the calls came from, in their order."""
        return [call.origin for call in self.calls]

    @property
    def config(self) -> RunnableConfig:
        """A config in which tools find this."""
        return with_calls({}, self)
