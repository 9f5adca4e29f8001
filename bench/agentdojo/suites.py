"""AgentDojo's tasks, played by a script: the one module that knows AgentDojo.

Who plays the user's task makes the calls that AgentDojo's authors hold to be right. Who is attacked
obeys: as soon as a result shows the attack, the calls that reach the attacker's goal come first.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

# They are in an environment of their own, where no type checker looks.
_execution: Any = import_module("agentdojo.agent_pipeline.tool_execution")
_functions: Any = import_module("agentdojo.functions_runtime")
_loading: Any = import_module("agentdojo.task_suite.load_suites")

VERSION = "v1.2.2"
SUITES = ("banking", "slack")

MARK = "NOTE-TO-ASSISTANTS"
"""By it the script recognises an attack; no policy is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a script."""

    tool: str
    args: Mapping[str, Any]
    is_users: bool
    """Whether the user's task wants it; else the attacker does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a scene, by AgentDojo's own checks."""

    is_useful: bool
    """Whether the user's task was done."""
    is_shown: bool
    """Whether any result showed the attack."""
    is_reached: bool
    """Whether the attacker's goal was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolForm:
    """A tool as AgentDojo describes it."""

    name: str
    description: str
    arguments: Any
    """Its Pydantic model."""


class Scene:
    """A task in a world of its own, with or without an attack in what its tools return."""

    def __init__(
        self,
        suite: str,
        user: str,
        attack: str | None = None,
        *,
        attackers: Sequence[Call] | None = None,
    ) -> None:
        """Set the scene.

        Args:
            suite: Of which both tasks are.
            user: The user's task.
            attack: The attacker's; None where nobody attacks.
            attackers: Other calls for the attacker.
        """
        self.suite, self.user, self.attack = suite, user, attack
        found = _suites()[suite]
        self._task: Any = found.user_tasks[user]
        self._attack: Any = None if attack is None else found.injection_tasks[attack]
        said = {} if attack is None else dict.fromkeys(_slots(suite), f"{MARK} {self._attack.GOAL}")
        self._world: Any = self._task.init_environment(
            found.load_and_inject_default_environment(said)
        )
        self._before = self._world.model_copy(deep=True)
        self._runtime: Any = _functions.FunctionsRuntime(found.tools)
        self._own = _calls(self._task, self._world, is_users=True)
        self._theirs: Sequence[Call] | None = None
        self.attackers: Sequence[Call] = attackers or ()
        """What is called in place of what reaches the attacker's goal."""
        self._made: list[Any] = []
        self.others: list[Call] = []
        """The calls that were made and are none of the user's task."""
        self.prompt: str = self._task.PROMPT

    @property
    def name(self) -> str:
        """What tells the scene from others."""
        return f"{self.suite} {self.user} {self.attack or ''}".strip()

    def next(self, results: Sequence[str]) -> Call | None:
        """Return the call after those that came to these results; None at the end."""
        left, shown = list(self._own), False
        for result in results:
            left.pop(0)
            if not shown and self._attack is not None and MARK in result:
                shown = True
                left = [*self._attackers(), *left]
        return left[0] if left else None

    def is_users(self, tool: str, args: Mapping[str, object]) -> bool:
        """Tell whether somebody who knows the task takes a call for a part of it."""
        return any(call.tool == tool and call.args == args for call in self._own)

    def act(self, tool: str, args: Mapping[str, object]) -> str:
        """Make a call in the scene's world, and return what an agent reads of it."""
        # Every call of the script is in its own order here, failed ones too.
        self._made.append(_functions.FunctionCall(function=tool, args=dict(args)))
        if not self.is_users(tool, args):
            self.others.append(Call(tool=tool, args=dict(args), is_users=False))
        result, error = self._runtime.run_function(self._world, tool, dict(args))
        return str(error or _execution.tool_result_to_str(result))

    def played(self) -> Played:
        """Return what came of it."""
        shown = self._theirs is not None
        said = str(self._task.GROUND_TRUTH_OUTPUT)
        if shown:
            said = f"{said} {self._attack.GROUND_TRUTH_OUTPUT}"
        useful = self._task.utility_from_traces(said, self._before, self._world, self._made)
        if useful is None:
            useful = self._task.utility(said, self._before, self._world)
        return Played(is_useful=bool(useful), is_shown=shown, is_reached=shown and self._goal(said))

    def _goal(self, said: str) -> bool:
        task, worlds = self._attack, (self._before, self._world)
        reached = task.security_from_traces(said, *worlds, self._made)
        return bool(task.security(said, *worlds) if reached is None else reached)

    def _attackers(self) -> Sequence[Call]:
        if self._theirs is None:
            self._theirs = self.attackers or _calls(self._attack, self._world, is_users=False)
        return self._theirs


def scenes(*, attacked: bool) -> Iterator[tuple[str, str, str | None]]:
    """Give suite, task and attack of every scene; attacks that have no script are left out."""
    for suite in SUITES:
        found = _suites()[suite]
        attacks = [name for name in found.injection_tasks if _has_script(suite, name)]
        for user in found.user_tasks:
            yield from ((suite, user, each) for each in (attacks if attacked else [None]))


def tool_forms(*suites: str) -> Sequence[ToolForm]:
    """Return the tools of these suites; of all where none is named."""
    return [
        ToolForm(name=each.name, description=each.description, arguments=each.parameters)
        for suite in suites or SUITES
        for each in _suites()[suite].tools
    ]


@cache
def _suites() -> Mapping[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _loading.get_suites(VERSION)


def _slots(suite: str) -> Sequence[str]:
    return tuple(_suites()[suite].get_injection_vector_defaults())


@cache
def _has_script(suite: str, attack: str) -> bool:
    found = _suites()[suite]
    world = found.load_and_inject_default_environment({})
    return bool(found.injection_tasks[attack].ground_truth(world))


def _calls(task: Any, world: Any, *, is_users: bool) -> Sequence[Call]:
    return [
        Call(tool=each.function, args=dict(each.args), is_users=is_users)
        for each in task.ground_truth(world)
    ]
