"""`penstock policy`: policies checked, loaded, shown, explained and tried out."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from penstock.contracts.errors import UnknownPolicy
from penstock.contracts.policy import PolicyVersion, RecordedDecision
from penstock.graphs import Catalog
from penstock.policies import read_source
from penstock.runs import policies
from penstock.runs.policies import Redecision
from penstock.runs.settings import Settings
from penstock.ui.cli import policy_words
from penstock.ui.cli.output import Output, table
from penstock.ui.project import Project, load_graphs, open_project, read_people
from penstock.ui.text import instant


def check(settings: Settings, output: Output, *, folder: Path | None, graph: str | None) -> None:
    """Make policies ready for the tools that they speak of; no store is needed."""
    catalog, people = load_graphs(settings), read_people(settings)
    found = {
        name: policies.check(catalog.get(name), folder, default=settings.policy, people=people)
        for name in _names(catalog, graph)
    }
    output.answer(
        {"policies": [policy_words.of_compiled(*each) for each in found.items()]},
        *(line for each in found.items() for line in policy_words.checked(*each)),
    )


def load(
    settings: Settings, output: Output, *, graph: str, folder: Path | None, who: str | None
) -> None:
    """Load a policy, which decides from now on."""
    with open_project(settings, load_graphs(settings)) as desk:
        person = desk.person(who)
        version, is_new = asyncio.run(desk.policing.load(graph, folder, by=person))
    if is_new:
        said = [f"policy {version.name} decides from now on", f"next: penstock policy show {graph}"]
    elif version.is_active:
        said = [f"policy {version.name} is this one, and decides already"]
    else:
        said = [
            f"policy {version.name} is this one; another decides now",
            f"next: penstock policy use {version.name}",
        ]
    output.answer({"policy": _of_version(version), "is_new": is_new}, *said)


def replace(
    settings: Settings,
    output: Output,
    *,
    graph: str,
    folder: Path | None,
    instead_of: str,
    who: str | None,
) -> None:
    """Have a policy decide in place of one version, and of no other."""
    catalog = load_graphs(settings)
    if folder is None:
        source = policies.source_of(catalog.get(graph), settings.policy)
    else:
        source = read_source(folder)

    async def act(desk: Project) -> PolicyVersion:
        known = await desk.policing.versions(graph)
        seen = next((each for each in known if each.name == instead_of), None)
        if seen is None:
            listed = ", ".join(each.name for each in known) or "none"
            raise UnknownPolicy(f"there is no policy `{instead_of}`; loaded are: {listed}")
        person = desk.person(who)
        return await desk.policing.replace(graph, source, seen=seen.source.digest, by=person)

    with open_project(settings, catalog) as desk:
        version = asyncio.run(act(desk))
    said = f"policy {version.name} decides from now on, in place of {instead_of}"
    output.answer({"policy": _of_version(version)}, said)


def use(settings: Settings, output: Output, *, name: str, who: str | None) -> None:
    """Have another version decide."""
    with open_project(settings) as desk:
        person = desk.person(who)
        version = asyncio.run(desk.policing.use(name, by=person))
    output.answer({"policy": _of_version(version)}, f"policy {version.name} decides from now on")


def show(settings: Settings, output: Output, *, graph: str, number: int | None) -> None:
    """Show the versions of a graph's policy, and the text of one."""
    with open_project(settings) as desk:
        versions = asyncio.run(desk.policing.versions(graph))
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
    output.answer(
        {"versions": [_of_version(each) for each in versions], "shown": _of_source(shown[0])},
        table("policy", "", "loaded", "by", "digest", rows=rows),
        *text,
    )


def explain(settings: Settings, output: Output, *, typed: str, call: str | None) -> None:
    """Say what was decided about the calls of a run."""

    async def find(desk: Project) -> Sequence[RecordedDecision]:
        found = await desk.policing.explain((await desk.run(typed)).id)
        return [each for each in found if each.effect_key.startswith(call or "")]

    with open_project(settings) as desk:
        found = asyncio.run(find(desk))
    output.answer(
        {"decisions": to_jsonable_python(found)},
        *(line for each in found for line in policy_words.explained(each)),
        *([] if found else ["nothing was decided about such a call"]),
    )


def what_if(
    settings: Settings,
    output: Output,
    *,
    candidate: Path,
    graph: str | None,
    since: datetime | None,
) -> None:
    """Show what a candidate would have said of the recorded calls."""
    catalog = load_graphs(settings)
    start = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since

    async def find(desk: Project) -> Sequence[Redecision]:
        return [
            each
            for name in _names(catalog, graph)
            for each in await desk.policing.what_if(
                name, candidate, tenant=settings.tenant, since=start
            )
        ]

    with open_project(settings, catalog) as desk:
        found = asyncio.run(find(desk))
    output.answer(policy_words.of_what_if(found), *policy_words.what_if(found))


def _names(catalog: Catalog, graph: str | None) -> Sequence[str]:
    return [each.name for each in catalog] if graph is None else [catalog.get(graph).name]


def _of_version(version: PolicyVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "digest": version.source.digest,
        "is_active": version.is_active,
        "loaded_at": version.loaded_at,
        "loaded_by": version.loaded_by,
    }


def _of_source(version: PolicyVersion) -> dict[str, Any]:
    files = [to_jsonable_python(file) for file in version.source.files]
    return {"name": version.name, "files": files}
