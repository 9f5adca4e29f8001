"""Reading `langgraph.json`."""

import pytest

from penstock.contracts.errors import InvalidManifest
from penstock.graphs import read_manifest
from support.projects import Project


def test_the_short_and_the_long_form_of_a_graph_are_read(project: Project) -> None:
    graphs = {"a": "./agent.py:graph", "b": {"path": "agent:graph", "description": "Counts."}}
    short, long = read_manifest(project.manifest(graphs)).entries
    assert (short.name, short.reference.place) == ("a", project.folder / "agent.py")
    assert (long.reference.place, long.reference.variable) == ("agent", "graph")
    assert long.description == "Counts."


def test_a_folder_stands_for_the_manifest_in_it(project: Project) -> None:
    file = project.manifest({})
    assert read_manifest(project.folder).file == file


def test_keys_that_are_langgraphs_alone_are_accepted(project: Project) -> None:
    graphs = {"a": {"path": "agent:graph", "prompts": 3}}
    manifest = read_manifest(project.manifest(graphs, python_version="3.12", store={"index": {}}))
    assert len(manifest.entries) == 1


def test_the_file_of_variables_is_reported_by_its_path(project: Project) -> None:
    assert read_manifest(project.manifest({}, env=".env")).env == project.folder / ".env"


def test_variables_are_reported_as_they_are(project: Project) -> None:
    assert read_manifest(project.manifest({}, env={"A": "1"})).env == {"A": "1"}


def test_dependencies_that_are_folders_hold_modules_of_the_project(project: Project) -> None:
    (project.folder / "lib").mkdir()
    file = project.manifest({}, dependencies=["./lib", "./missing", "langchain", "."])
    assert read_manifest(file).folders == (project.folder, project.folder / "lib")


def test_a_missing_manifest_is_named(project: Project) -> None:
    with pytest.raises(InvalidManifest, match=r"nowhere\.json` cannot be read: No such file"):
        read_manifest(project.folder / "nowhere.json")


def test_a_manifest_that_is_not_json_is_pointed_into(project: Project) -> None:
    file = project.write("langgraph.json", '{\n  "graphs": }')
    with pytest.raises(InvalidManifest, match=r"is not JSON: .* at line 2, column 13"):
        read_manifest(file)


def test_a_manifest_that_is_not_text_is_refused(project: Project) -> None:
    file = project.folder / "langgraph.json"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidManifest, match="is not UTF-8 text"):
        read_manifest(file)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[]", "`langgraph.json`: Input should be"),
        ("{}", "`graphs`: Field required"),
        ('{"graphs": {"a": {}}}', r"`graphs\.a\.path`: Field required"),
        ('{"graphs": {"a": 3}}', r"`graphs\.a`: Input should be"),
    ],
)
def test_every_wrong_part_of_a_manifest_is_listed(project: Project, text: str, wanted: str) -> None:
    with pytest.raises(InvalidManifest, match=wanted):
        read_manifest(project.write("langgraph.json", text))


@pytest.mark.parametrize("path", ["./agent.py", "./agent.py:", ":graph", "./agent.py:a b"])
def test_a_path_without_a_variable_is_refused(project: Project, path: str) -> None:
    with pytest.raises(InvalidManifest, match=r"Wanted is a file or a module and a variable"):
        read_manifest(project.manifest({"a": path}))


def test_a_file_that_is_not_there_is_refused(project: Project) -> None:
    with pytest.raises(InvalidManifest, match=r"Graph `a` lies in `\./b\.py`, but there is no"):
        read_manifest(project.manifest({"a": "./b.py:graph"}))


def test_a_graph_in_another_language_is_refused(project: Project) -> None:
    with pytest.raises(InvalidManifest, match="graphs written in Python"):
        read_manifest(project.manifest({"a": "./agent.ts:graph"}))
