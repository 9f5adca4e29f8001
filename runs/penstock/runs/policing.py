"""The policies of a process's graphs: read from their folders, kept in the store, made to rules."""

import logging
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from penstock.checkpoints import policies
from penstock.contracts.policy import PolicySource, PolicyVersion
from penstock.graphs import Graph
from penstock.nodes.rulebook import Rulebook
from penstock.policies import People, builtin_policy, compile_policy, read_source

log = logging.getLogger(__name__)


def rulebook_of(graph: Graph, people: People) -> Rulebook:
    """Return the rules for calls of a graph's tools."""
    return Rulebook(graph.name, (tool.contract for tool in graph.tools.values()), people)


def source_of(graph: Graph, default: Path | None) -> PolicySource:
    """Return the policy that a graph names, else the one of the project, else the built-in one.

    Raises:
        InvalidPolicy: It cannot be read, or does not fit the graph's tools.
    """
    folder = graph.policy or default
    return builtin_policy() if folder is None else read_source(folder)


def load(
    connection: Connection,
    graph: Graph,
    source: PolicySource,
    people: People,
    *,
    at: datetime,
    by: str,
) -> tuple[PolicyVersion, bool]:
    """Keep a policy for a graph and have it decide, unless it was loaded before.

    Returns the version, and whether it is new.

    Raises:
        InvalidPolicy: It does not fit the graph's tools; the one before stays in force.
    """
    contracts = [tool.contract for tool in graph.tools.values()]
    compile_policy(source, contracts, roles=people.roles, groups=people.groups)
    return policies.load(connection, graph.name, source, at=at, by=by)
