"""Graphs: declaring them, and finding those of a project.

Importing this does not import LangGraph; the first graph that is declared or loaded does.
"""

from penstock.graphs.catalog import Catalog
from penstock.graphs.declare import Graph, declare
from penstock.graphs.manifest import Manifest, read_manifest

__all__ = ["Catalog", "Graph", "Manifest", "declare", "read_manifest"]
