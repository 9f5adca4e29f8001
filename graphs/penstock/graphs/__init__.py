"""Graphs: declaring them, finding a project's, and checking what they are given.

Importing this does not import LangGraph; the first graph that is declared or loaded does.
"""

from typing import TYPE_CHECKING

from penstock.contracts.lazy import lazy_exports

if TYPE_CHECKING:
    from penstock.graphs.catalog import Catalog
    from penstock.graphs.declaration import Graph, declare
    from penstock.graphs.inputs import validate_input
    from penstock.graphs.manifest import Manifest, read_manifest
    from penstock.graphs.schema import input_schema


__all__ = [
    "Catalog",
    "Graph",
    "Manifest",
    "declare",
    "input_schema",
    "read_manifest",
    "validate_input",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "Catalog": "penstock.graphs.catalog",
        "Graph": "penstock.graphs.declaration",
        "Manifest": "penstock.graphs.manifest",
        "declare": "penstock.graphs.declaration",
        "input_schema": "penstock.graphs.schema",
        "read_manifest": "penstock.graphs.manifest",
        "validate_input": "penstock.graphs.inputs",
    },
)
