"""Graphs: declaring them, so that runs can be started on them.

Importing this does not import LangGraph; the first graph that is declared does.
"""

from penstock.graphs.declare import Graph, declare

__all__ = ["Graph", "declare"]
