"""`penstock policy`: policies checked, loaded, shown, explained and tried out."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.contracts.errors import UnknownPolicy
from penstock.contracts.policy import Decision, PolicySetName, PolicyVersion, RecordedDecision
from penstock.ui.cli.options import As, AsJson, RunArgument
from penstock.ui.cli.output import Output, table
from penstock.ui.cli.rendering import KEY_CHARS
from penstock.ui.project import load_graphs, open_project, read_people, read_settings
from penstock.ui.text import instant, short
from penstock.ui.views import policies as views
from penstock.ui.views.documents import json_data

if TYPE_CHECKING:
    from penstock.graphs import Catalog
    from penstock.policies import CompiledPolicy
    from penstock.runs.policies import Redecision

GraphOption = Annotated[str | None, typer.Option(help="Only of this graph; else of all.")]
GraphArgument = Annotated[
    str, typer.Argument(metavar="GRAPH", help="The graph's name in `langgraph.json`.")
]


def check(
    *,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Else the one that each graph has.")
    ] = None,
    graph: GraphOption = None,
    as_json: AsJson = False,
) -> None:
    """Check policies against the tools they speak of; say what they cannot see."""
    from penstock.runs import policies

    settings = read_settings()
    catalog, people = load_graphs(settings), read_people(settings)
    found = {
        name: policies.check(catalog.get(name), folder, default=settings.policy, people=people)
        for name in _graph_names(catalog, graph)
    }
    Output(as_json=as_json).answer(
        views.CheckedPolicies(policies=[_checked_policy(*each) for each in found.items()]),
        *(line for each in found.items() for line in _check_lines(*each)),
    )


def load(
    *,
    graph: GraphArgument,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Else the one that the graph has.")
    ] = None,
    instead_of: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Only in place of this version, such as `desk@2`, if it decides.",
        ),
    ] = None,
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Load a policy; it decides from now on, in every worker."""
    output = Output(as_json=as_json)
    if instead_of is not None:
        _replace(output, graph=graph, folder=folder, instead_of=instead_of, who=who)
        return
    settings = read_settings()
    with open_project(settings, load_graphs(settings)) as project:
        person = project.person(who)
        version, is_new = asyncio.run(project.policies.load(graph, folder, by=person))
    if is_new:
        text = [f"policy {version.name} decides from now on", f"next: penstock policy show {graph}"]
    elif version.is_active:
        text = [f"policy {version.name} is this one, and decides already"]
    else:
        text = [
            f"policy {version.name} is this one; another decides now",
            f"next: penstock policy use {version.name}",
        ]
    document = views.LoadedPolicy(policy=views.policy_version_view(version), is_new=is_new)
    output.answer(document, *text)


def use(
    *,
    name: Annotated[str, typer.Argument(metavar="VERSION", help="Its name, such as `desk@2`.")],
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Have a version decide that was loaded before: to roll back, or forward again."""
    with open_project(read_settings()) as project:
        person = project.person(who)
        version = asyncio.run(project.policies.use(name, by=person))
    document = views.PolicyDocument(policy=views.policy_version_view(version))
    Output(as_json=as_json).answer(document, f"policy {version.name} decides from now on")


def show(
    *,
    graph: GraphArgument,
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", help="Of the version; else what decides.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the versions of a graph's policy, and the text of one."""
    from penstock.checkpoints import policies

    with open_project(read_settings()) as project:
        versions = project.store.read_blocking(
            lambda connection: policies.versions(connection, graph)
        )
    shown = [each for each in versions if number in {None, each.number}]
    shown = [each for each in shown if number is not None or each.is_active]
    if not shown:
        known = ", ".join(each.name for each in versions) or "none"
        raise UnknownPolicy(f"graph `{graph}` has no such policy loaded; there are: {known}")
    rows = [
        (
            each.name,
            "decides" if each.is_active else "",
            instant(each.loaded_at),
            each.loaded_by,
            each.source.digest[:12],
        )
        for each in versions
    ]
    text = [
        line
        for file in shown[0].source.files
        for line in ("", f"--- {file.set}/{file.name} of {shown[0].name}", file.text.rstrip())
    ]
    Output(as_json=as_json).answer(
        views.PolicyVersions(
            versions=[views.policy_version_view(each) for each in versions],
            shown=views.policy_text(shown[0]),
        ),
        table("policy", "", "loaded", "by", "digest", rows=rows),
        *text,
    )


def explain(
    *,
    run_id: RunArgument,
    call: Annotated[
        str | None,
        typer.Argument(metavar="[CALL]", help="One call, by the beginning of its effect's key."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what was decided about the calls of a run, by which policy, and on what grounds."""
    from penstock.checkpoints import decisions

    with open_project(read_settings()) as project:
        run = asyncio.run(project.run(run_id))
        decided = project.store.read_blocking(
            lambda connection: decisions.of_run(connection, run.id)
        )
    found = [each for each in decided if each.effect_key.startswith(call or "")]
    Output(as_json=as_json).answer(
        views.DecisionList(decisions=found),
        *(line for each in found for line in _explanation(each)),
        *([] if found else ["nothing was decided about such a call"]),
    )


def whatif(
    *,
    candidate: Annotated[
        Path, typer.Argument(metavar="CANDIDATE", help="The folder of the policy to try out.")
    ],
    graph: GraphOption = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only calls decided about since then, in UTC.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide anew about every recorded call, and show what a candidate would change."""
    settings = read_settings()
    catalog = load_graphs(settings)
    start = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since
    with open_project(settings, catalog) as project:

        async def find() -> "Sequence[Redecision]":
            return [
                each
                for name in _graph_names(catalog, graph)
                for each in await project.policies.what_if(
                    name, candidate, tenant=settings.tenant, since=start
                )
            ]

        found = asyncio.run(find())
    Output(as_json=as_json).answer(_what_if_report(found), *_what_if_text(found))


def _replace(
    output: Output, *, graph: str, folder: Path | None, instead_of: str, who: str | None
) -> None:
    """Have a policy decide in place of one version, and of no other."""
    from penstock.policies import read_source
    from penstock.runs.policies import source_of

    settings = read_settings()
    catalog = load_graphs(settings)
    if folder is None:
        source = source_of(catalog.get(graph), settings.policy)
    else:
        source = read_source(folder)
    with open_project(settings, catalog) as project:

        async def change() -> PolicyVersion:
            known = await project.policies.versions(graph)
            seen = next((each for each in known if each.name == instead_of), None)
            if seen is None:
                listed = ", ".join(each.name for each in known) or "none"
                raise UnknownPolicy(f"there is no policy `{instead_of}`; loaded are: {listed}")
            person = project.person(who)
            return await project.policies.replace(graph, source, seen=seen.source.digest, by=person)

        version = asyncio.run(change())
    document = views.PolicyDocument(policy=views.policy_version_view(version))
    output.answer(document, f"policy {version.name} decides from now on, in place of {instead_of}")


def _graph_names(catalog: "Catalog", graph: str | None) -> Sequence[str]:
    return [each.name for each in catalog] if graph is None else [catalog.get(graph).name]


def _checked_policy(graph: str, policy: "CompiledPolicy") -> views.CheckedPolicy:
    return views.CheckedPolicy(
        graph=graph,
        digest=policy.digest,
        is_builtin=_is_builtin(policy),
        rules=json_data(policy.rules),
        left_out=json_data(policy.left_out),
    )


def _check_lines(graph: str, policy: "CompiledPolicy") -> Sequence[str]:
    """Say what was found of a sound policy, and what it cannot see."""
    from penstock.runs.policies import ABOUT_BUILTIN

    count = Counter(rule.set for rule in policy.rules)
    allow, gates = count[PolicySetName.ALLOW], count[PolicySetName.GATES]
    lines = [f"{graph}: sound, {allow} policies allow or forbid, {gates} ask people"]
    if _is_builtin(policy):
        lines.append(f"  it is {ABOUT_BUILTIN}")
    shadows = [rule.id for rule in policy.rules if rule.annotations.get("mode") == "shadow"]
    if shadows:
        lines.append(f"  in shadow mode, recorded and not enforced: {', '.join(shadows)}")
    lines += [
        f"  not in context.args: {each.field} of {each.tool}: {each.why}"
        for each in policy.left_out
    ]
    return lines


def _is_builtin(policy: "CompiledPolicy") -> bool:
    from penstock.policies import builtin_policy

    return policy.digest == builtin_policy().digest


def _explanation(decided: RecordedDecision) -> Sequence[str]:
    """Say what was decided about one call, and on what grounds."""
    request, decision = decided.request, decided.decision
    principal = request.principal
    lines = [
        f"{instant(decided.at)}  {request.tool}  {decision.verdict}",
        f"  call {decided.effect_key[:KEY_CHARS]}, policy {decided.policy_digest[:KEY_CHARS]}",
        f"  {decision.message}",
        f"  because of: {', '.join(decision.reasons) or 'nothing permits it'}",
        *(f"  asks: {rule.approval_count} of {rule.group} ({rule.id})" for rule in decision.rules),
        f"  for {principal.user} through {principal.agent}, of tenant {principal.tenant}",
        f"  args:  {json.dumps(request.args, ensure_ascii=False)}",
        f"  facts: {json.dumps(request.facts, ensure_ascii=False)}",
    ]
    if decision.shadow is not None:
        ids = ", ".join(decision.shadow_reasons)
        lines.append(f"  in shadow mode it would be: {decision.shadow}, because of {ids}")
    return lines


def _what_if_report(found: "Sequence[Redecision]") -> views.WhatIfReport:
    changed = [each for each in found if each.is_changed]
    return views.WhatIfReport(
        call_count=len(found),
        changed_count=len(changed),
        not_decided_anew=Counter(each.why_not for each in found if each.why_not),
        counts=[
            views.VerdictCount(before=before, after=after, count=count)
            for (before, after), count in _verdict_counts(found)
        ],
        changed=[
            views.ChangedCall(
                run_id=each.before.run_id,
                call=each.before.effect_key,
                tool=each.before.request.tool,
                at=each.before.at,
                is_certain=each.is_certain,
                before=json_data(each.before.decision),
                after=json_data(each.after),
            )
            for each in changed
        ],
    )


def _what_if_text(found: "Sequence[Redecision]") -> Sequence[Any]:
    """Say what a candidate would change: counts, then call by call."""
    changed = [each for each in found if each.is_changed]
    if not found:
        return ["no calls were decided about"]
    rows = [(before, after, str(count)) for (before, after), count in _verdict_counts(found)]
    text: list[Any] = [table("was", "would be", "calls", rows=rows)]
    left_out = Counter(each.why_not for each in found if each.why_not)
    text += [f"{count} calls were left out: {why}" for why, count in left_out.items()]
    if not changed:
        return [*text, f"it would change nothing about {len(found)} calls"]
    calls = [
        (
            each.before.run_id,
            each.before.request.tool,
            _verdict(each.before.decision),
            _verdict(each.after),
            ", ".join(each.after.reasons) or "nothing permits it",
            short(json.dumps(each.before.request.args, ensure_ascii=False)),
            "" if each.is_certain else "?",
        )
        for each in changed
    ]
    uncertain = sum(not each.is_certain for each in found)
    text += [
        "",
        table("run", "tool", "was", "would be", "because of", "args", "", rows=calls),
        "",
        f"it would change {len(changed)} of {len(found)} calls",
    ]
    if uncertain:
        text.append(
            f"{uncertain} calls come after one of their run that would have come to something else"
            " (`?`): what their run would have done then, nobody knows"
        )
    return text


def _verdict_counts(found: "Sequence[Redecision]") -> Sequence[tuple[tuple[str, str], int]]:
    """Return how many calls there are of each verdict before and after."""
    counts = Counter(
        (_verdict(each.before.decision), _verdict(each.after)) for each in found if not each.why_not
    )
    return sorted(counts.items())


def _verdict(decision: Decision) -> str:
    groups = sorted({f"{rule.approval_count} of {rule.group}" for rule in decision.rules})
    return f"{decision.verdict} {' and '.join(groups)}".strip()
