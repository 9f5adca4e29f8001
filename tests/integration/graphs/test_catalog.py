"""The graphs of a process, declared or found in a project."""

import sys

import pytest

from penstock.contracts.errors import InvalidGraph, UnknownGraph
from penstock.graphs import Catalog, declare
from penstock.graphs.declaration import Graph
from support.graphs import chain
from support.projects import AGENT, Project


def load(project: Project, text: str, variable: str = "graph") -> Graph:
    """Load the one graph of a project, written so."""
    project.write("made.py", AGENT + text)
    (graph,) = Catalog.load(project.manifest({"it": f"./made.py:{variable}"}))
    return graph


def runs(graph: Graph) -> bool:
    """Tell whether the graph is the agent of the project."""
    return graph.compiled.invoke({"count": 1}) == {"count": 2}


@pytest.mark.parametrize("variable", ["graph", "builder"])
def test_a_graph_is_found_compiled_or_not(project: Project, variable: str) -> None:
    (graph,) = Catalog.load(project.manifest({"counter": f"./agent.py:{variable}"}))
    assert (graph.name, graph.version) == ("counter", "1")
    assert runs(graph)


def test_a_graph_is_found_by_the_name_of_its_module(project: Project) -> None:
    project.write("package/__init__.py", "")
    project.write("package/inner.py", "from agent import graph as inner")
    (graph,) = Catalog.load(project.manifest({"a": "package.inner:inner"}))
    assert runs(graph)


def test_a_file_in_a_package_may_import_its_neighbours(project: Project) -> None:
    project.write("package/__init__.py", "")
    project.write("package/state.py", AGENT)
    project.write("package/main.py", "from .state import graph")
    (graph,) = Catalog.load(project.manifest({"a": "./package/main.py:graph"}))
    assert runs(graph)


def test_a_file_is_the_same_module_to_the_manifest_and_to_its_neighbours(project: Project) -> None:
    project.write("other.py", "from agent import graph")
    first, second = Catalog.load(
        project.manifest({"a": "./agent.py:graph", "b": "./other.py:graph"})
    )
    assert first.compiled is second.compiled


def test_a_file_that_no_import_can_name_is_found_once(project: Project) -> None:
    project.write("my-agents/one.py", AGENT)
    file = project.manifest({"a": "./my-agents/one.py:graph", "b": "./my-agents/one.py:builder"})
    first, _ = Catalog.load(file)
    assert runs(first)
    assert "langgraph_json_my_agents_one" in sys.modules


def test_a_file_beside_a_module_of_its_folders_name_is_found(project: Project) -> None:
    project.write("agent/inner.py", AGENT)
    (graph,) = Catalog.load(project.manifest({"a": "./agent/inner.py:graph"}))
    assert runs(graph)


def test_two_projects_may_have_files_of_one_name(project: Project) -> None:
    for folder, name in (("x", "left"), ("y", "right")):
        inner = Project(project.folder / folder)
        inner.write("my-graph.py", AGENT.replace('"step"', f'"{name}"'))
        (graph,) = Catalog.load(inner.manifest({"a": "./my-graph.py:graph"}))
        assert set(graph.kinds) == {name}


def test_a_file_outside_of_the_project_is_found(project: Project) -> None:
    inner = Project(project.folder / "deploy")
    (graph,) = Catalog.load(inner.manifest({"a": "../agent.py:graph"}))
    assert runs(graph)


def test_several_graphs_keep_the_order_of_the_file(project: Project) -> None:
    catalog = Catalog.load(project.manifest({"b": "agent:graph", "a": "agent:builder"}))
    assert [graph.name for graph in catalog] == ["b", "a"]
    assert len(catalog) == 2
    assert "a" in catalog
    assert "c" not in catalog


@pytest.mark.parametrize(
    "factory",
    [
        "def make(): return builder",
        "def make(config): return graph if config['configurable'] == {} else None",
        "def make(config=None): return graph if config is not None else None",
        "def make(*, flag=True): return graph",
        "def make(**anything): return graph",
        "async def make(config): return graph",
        "import functools\nmake = functools.partial(lambda x: x, graph)",
        "class make:\n    def __new__(cls): return graph",
    ],
)
def test_a_factory_is_called_as_langgraph_calls_it(project: Project, factory: str) -> None:
    assert runs(load(project, factory, "make"))


async def test_an_asynchronous_factory_is_awaited_under_a_running_loop(project: Project) -> None:
    assert runs(load(project, "async def make(): return graph", "make"))


@pytest.mark.parametrize(
    ("factory", "wanted"),
    [
        ("def make(a, b): ...", "wants `a`, `b`. It may take nothing, or one `RunnableConfig`"),
        ("def make(*, a): ...", "wants `a`"),
        (
            "import langgraph_sdk.runtime as it\ndef make(runtime: it.ServerRuntime): return graph",
            "takes a `ServerRuntime`, which only LangGraph's server has",
        ),
        ("def make(): raise KeyError('API_KEY')", "failed: KeyError: 'API_KEY'"),
        (
            "import contextlib\n@contextlib.asynccontextmanager\nasync def make(): yield graph",
            "is a context manager",
        ),
        (
            "import contextlib\n@contextlib.contextmanager\ndef make(): yield graph",
            "is a context manager",
        ),
        ("def make(): return 3", "Graph `it` is of type `int`. Wanted is a LangGraph `StateGraph`"),
        ("def make(): return int", "Graph `it` is the class `int`"),
        ("make = dict", "does not say what it takes"),
        ("make = {}", "Graph `it` is of type `dict`"),
    ],
)
def test_what_is_no_graph_and_makes_none_is_refused(
    project: Project, factory: str, wanted: str
) -> None:
    with pytest.raises(InvalidGraph) as refused:
        load(project, factory, "make")
    assert wanted in str(refused.value)


def test_an_asynchronous_factory_has_a_deadline(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.graphs.loader.DEADLINE_S", 0.01)
    text = "import asyncio\nasync def make(): await asyncio.Event().wait()"
    with pytest.raises(InvalidGraph, match=r"it was not done within 0\.01 s"):
        load(project, text, "make")


def test_an_import_that_fails_says_so_and_chains_the_error(project: Project) -> None:
    with pytest.raises(InvalidGraph, match=r"cannot be imported .* No module named 'nope'") as no:
        load(project, "import nope")
    assert isinstance(no.value.__cause__, ModuleNotFoundError)


def test_a_file_whose_import_failed_is_not_taken_for_imported(project: Project) -> None:
    file = project.write("a-b.py", "raise OSError('no key')")
    manifest = project.manifest({"a": "./a-b.py:graph"})
    with pytest.raises(InvalidGraph, match="OSError: no key"):
        Catalog.load(manifest)
    file.write_text(AGENT)
    (graph,) = Catalog.load(manifest)
    assert runs(graph)


def test_a_missing_variable_is_answered_with_those_there_are(project: Project) -> None:
    with pytest.raises(InvalidGraph, match=r"there is no `app`. There is: .*`builder`, `graph`"):
        load(project, "", "app")


def test_a_graph_declared_in_code_keeps_its_version(project: Project) -> None:
    text = "from penstock.graphs import declare\nit = declare(graph, name='it', version='7')"
    assert load(project, text, "it").version == "7"


def test_a_graph_with_two_names_is_refused(project: Project) -> None:
    text = "from penstock.graphs import declare\nit = declare(graph, name='other')"
    with pytest.raises(InvalidGraph, match=r"Graph `it` of .* is declared in code as `other`"):
        load(project, text, "it")


def test_the_description_is_the_files(project: Project) -> None:
    graphs = {"a": {"path": "agent:graph", "description": "Counts."}}
    assert Catalog.load(project.manifest(graphs)).get("a").description == "Counts."


def test_two_graphs_of_one_name_are_refused() -> None:
    graph = declare(chain(None, length=1), name="one")
    with pytest.raises(InvalidGraph, match="Two graphs are named `one`"):
        Catalog.of(graph, graph)


def test_an_unknown_graph_is_answered_with_the_known_and_the_nearest() -> None:
    named = [declare(chain(None, length=1), name=name) for name in ("refund", "research")]
    with pytest.raises(UnknownGraph) as refused:
        Catalog.of(*named).get("reserch")
    assert str(refused.value) == (
        "There is no graph `reserch`. Known are `refund`, `research`. Did you mean `research`?"
    )


def test_an_empty_catalog_says_that_it_is_empty() -> None:
    with pytest.raises(UnknownGraph, match="Known are none at all"):
        Catalog.of().get("a")
