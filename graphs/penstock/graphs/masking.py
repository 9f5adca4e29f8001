"""States and results for people: without what the contracts of a graph's tools mark."""

from typing import Any, cast

from penstock.contracts.redaction.fields import Masking as Hiding
from penstock.graphs.declaration import Graph


class Masking:
    """Hides what is sensitive in the calls of one run, wherever it stands.

    Which values those are is learnt from the calls in what it is given: from `known` first, such as
    the newest state, so that they are hidden in what was there before the calls as well.
    """

    def __init__(self, graph: Graph, *known: Any) -> None:
        """Hide what the contracts of the graph's tools mark."""
        self._hiding = Hiding(graph.sensitive)
        for each in known:
            self._hiding.plain(each)

    def masked(self, *documents: Any) -> list[Any]:
        """Return plain data without what is sensitive."""
        found = [self._hiding.plain(document) for document in documents]
        return [self._clean(each) for each in found]

    def text(self, text: str) -> str:
        """Return a text without what is known to be sensitive."""
        return self._hiding.clean(text)

    def _clean(self, value: Any) -> Any:
        match value:
            case str():
                return self._hiding.clean(value)
            case list():
                return [self._clean(part) for part in cast("list[Any]", value)]
            case dict():
                named = cast("dict[str, Any]", value)
                return {name: self._clean(part) for name, part in named.items()}
            case _:
                return value
