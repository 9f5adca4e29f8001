"""A tool to be measured in a process of its own; nothing is imported from `__main__`."""

from penstock.nodes import tool


@tool(effect="read", isolation="subprocess")
def add(a: int, b: int) -> int:
    """Add."""
    return a + b
