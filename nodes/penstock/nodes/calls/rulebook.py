"""The policy of a graph, as the store says which of its versions decides."""

import threading
from collections.abc import Iterable

from sqlalchemy import Connection

from penstock.checkpoints import policies
from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.tool import ToolContract
from penstock.policies import CompiledPolicy, People, compile_policy

_KEPT = 8
"""So many versions stay compiled: the one that decides, and those around a roll-back."""


class Rulebook:
    """Compiles the versions of one graph's policy when they are first asked. From any thread."""

    def __init__(self, graph: str, contracts: Iterable[ToolContract], people: People) -> None:
        """Be the rules for calls of these tools, and of others that come."""
        self.graph = graph
        self._contracts = {contract.name: contract for contract in contracts}
        self._people = people
        self._compiled: dict[str, CompiledPolicy] = {}
        self._lock = threading.Lock()

    def compiled(
        self, connection: Connection, digest: str, contract: ToolContract
    ) -> CompiledPolicy:
        """Return the version with this digest, which is the one that decides, for calls of a tool.

        Raises:
            InvalidPolicy: It does not fit the tools of this process.
            UnknownPolicy: No version was ever loaded.
        """
        with self._lock:
            self._take_in(contract)
            known = self._compiled.get(digest)
            if known is None:
                known = self._compile(connection)
                if len(self._compiled) >= _KEPT:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[known.digest] = known
            return known

    def _take_in(self, contract: ToolContract) -> None:
        """Know a tool that the graph was not declared with: a node calls it all the same."""
        known = self._contracts.get(contract.name)
        if known is None:
            self._contracts[contract.name] = contract
            self._compiled.clear()
        elif known != contract:
            raise InvalidPolicy(
                f"two tools are named `{contract.name}`, and a policy could not tell them apart;"
                " rename one"
            )

    def _compile(self, connection: Connection) -> CompiledPolicy:
        version = policies.active(connection, self.graph)
        people, contracts = self._people, tuple(self._contracts.values())
        return compile_policy(version.source, contracts, roles=people.roles, groups=people.groups)
