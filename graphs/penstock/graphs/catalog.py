"""The graphs that a process knows."""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from penstock.contracts.errors import InvalidGraph, UnknownGraph
from penstock.contracts.trace import TraceContent
from penstock.graphs.declaration import Graph, declare
from penstock.graphs.loader import call_factory, load_variable, make_importable
from penstock.graphs.manifest import Entry, Manifest, read_manifest


class Catalog:
    """Graphs by their names. It never changes: what a worker can drive is known when it starts."""

    def __init__(self, graphs: Iterable[Graph]) -> None:
        self._graphs: dict[str, Graph] = {}
        for graph in graphs:
            if graph.name in self._graphs:
                raise InvalidGraph(
                    f"Two graphs are named `{graph.name}`. Runs are stored under the name: "
                    "rename one of them."
                )
            self._graphs[graph.name] = graph

    @classmethod
    def of(cls, *graphs: Graph) -> Self:
        """Make a catalog of graphs that were declared in code.

        Raises:
            InvalidGraph: Two have the same name.
        """
        return cls(graphs)

    @classmethod
    def load(cls, source: Path | Manifest) -> Self:
        """Import every graph of a project's `langgraph.json`, and call the factories among them.

        A graph takes its name from the file and has version 1, unless the file points to what
        `declare` returned. The project's folder is appended to `sys.path`, and stays there.

        Raises:
            InvalidManifest: The file is missing or wrong.
            InvalidGraph: A graph cannot be imported or built, or is none.
        """
        manifest = source if isinstance(source, Manifest) else read_manifest(source)
        make_importable(manifest.folders)
        return cls(_load(entry, manifest) for entry in manifest.entries)

    def get(self, name: str) -> Graph:
        """Return the graph of this name.

        Raises:
            UnknownGraph: There is none; the message lists those there are.
        """
        if name not in self._graphs:
            raise UnknownGraph(self._unknown(name))
        return self._graphs[name]

    def trace_content(self, name: str) -> TraceContent:
        """Return how much of texts the traces of a graph show; of an unknown graph, digests."""
        return self._graphs[name].trace if name in self._graphs else TraceContent.DIGESTS

    def __iter__(self) -> Iterator[Graph]:
        return iter(self._graphs.values())

    def __len__(self) -> int:
        return len(self._graphs)

    def __contains__(self, name: object) -> bool:
        return name in self._graphs

    def _unknown(self, name: str) -> str:
        known = ", ".join(f"`{known}`" for known in sorted(self._graphs)) or "none at all"
        near = difflib.get_close_matches(name, self._graphs, n=1)
        meant = f" Did you mean `{near[0]}`?" if near else ""
        return f"There is no graph `{name}`. Known are {known}.{meant}"


def _load(entry: Entry, manifest: Manifest) -> Graph:
    found: Any = load_variable(entry, manifest)
    # A compiled graph is no function, and neither is a builder; a class is called like one.
    if callable(found) and not isinstance(found, Graph):
        found = call_factory(found, name=entry.name)
    if not isinstance(found, Graph):
        return declare(found, name=entry.name, description=entry.description)
    if found.name != entry.name:
        raise InvalidGraph(
            f"Graph `{entry.name}` of `{manifest.file.name}` is declared in code as "
            f"`{found.name}`. Give it the same name in both places."
        )
    return found
