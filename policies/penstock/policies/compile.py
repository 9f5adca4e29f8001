"""Making a policy ready to decide, or saying all that is wrong with it."""

from collections.abc import Collection, Iterable, Sequence

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import PolicySource
from penstock.contracts.tool import ToolContract
from penstock.policies import cedar
from penstock.policies.cedar_schema import problems_of_names, read_tool, schema_json
from penstock.policies.compiled import CompiledPolicy
from penstock.policies.lint import Known, problems_of
from penstock.policies.statements import Parsed, Problem, parse, split


def compile_policy(
    source: PolicySource,
    contracts: Iterable[ToolContract],
    *,
    roles: Collection[str] | None,
    groups: Collection[str] | None,
) -> CompiledPolicy:
    """Make a policy ready to decide about the calls of some tools.

    Args:
        source: Its text.
        contracts: Those of the tools, each with a name of its own.
        roles: Every role there is; None where nobody knows. Likewise the groups.
        groups: Every group there is.

    Raises:
        InvalidPolicy: Names all that is wrong, each with file and line.
    """
    tools = tuple(read_tool(contract) for contract in contracts)
    if clashes := problems_of_names(tools):
        raise InvalidPolicy("\n".join(clashes))
    known = Known(
        tools=tools,
        schema=cedar.Schema.from_json_str(schema_json(tools)),
        roles=roles,
        groups=groups,
    )
    policies: list[Parsed] = []
    problems: list[Problem] = []
    for file in source.files:
        for statement in split(file):
            match parse(statement):
                case Parsed() as policy:
                    policies.append(policy)
                    problems += problems_of(policy, known)
                case Problem() as problem:
                    problems.append(problem)
    problems += _problems_of_ids(policies)
    if problems:
        problems.sort(key=lambda problem: (problem.file, problem.line))
        raise InvalidPolicy("\n".join(map(str, problems)))
    return CompiledPolicy(policies, tools, digest=source.digest)


def _problems_of_ids(policies: Sequence[Parsed]) -> list[Problem]:
    first: dict[str, Parsed] = {}
    found: list[Problem] = []
    for policy in policies:
        before = first.setdefault(policy.id, policy)
        if policy.id and before is not policy:
            where = f"{before.statement.file}:{before.statement.line}"
            text = (
                f"Its `@id` is `{policy.id}`, as at {where}. Wanted is one of its own. Rename it."
            )
            found.append(policy.problem(text, "@id"))
    return found
