"""The layout of a graph's picture: nodes in layers, from where the graph begins to its end.

It follows Sugiyama, Tagawa and Toda (1981): edges that lead back are turned round, each node comes
below all that lead to it, and each layer is put in the order in which fewest edges cross.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BESIDE, BELOW = 26.0, 46.0
"""The distance between neighbours of a layer, and between layers."""

HEIGHT = 30.0
MARGIN = 6.0
_SWEEPS = 6
_BEND = 12.0
"""The width of an edge that passes a layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The place of a node; `x` and `y` are of its middle."""

    x: float
    y: float
    width: float


Point = tuple[float, float]
Edge = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The places of all nodes and edges, from the upper left corner."""

    boxes: Mapping[str, Box]
    lines: Sequence[Sequence[Point]]
    """The points that each edge goes through, in the order of the edges."""
    width: float
    height: float


def lay_out(widths: Mapping[str, float], edges: Sequence[Edge]) -> Layout:
    """Return the layout of nodes of these widths and of the edges between them."""
    known = [(one, other) for one, other in edges if one in widths and other in widths]
    forward = _forward(list(widths), known)
    ranks = _ranks(list(widths), forward)
    layers, chains, sizes = _layers(widths, forward, ranks)
    neighbours = _neighbours(chains)
    _order(layers, neighbours)
    xs = _across(layers, neighbours, sizes)
    left = min((xs[each] - sizes[each] / 2 for each in xs), default=0.0) - MARGIN
    boxes = {
        name: Box(
            x=xs[name] - left,
            y=MARGIN + HEIGHT / 2 + ranks[name] * (HEIGHT + BELOW),
            width=widths[name],
        )
        for name in widths
    }
    bends = {
        bend: (xs[bend] - left, MARGIN + HEIGHT / 2 + rank * (HEIGHT + BELOW))
        for rank, layer in enumerate(layers)
        for bend in layer
        if bend not in widths
    }
    lines = _lines(edges, chains, forward, boxes, bends)
    right = max((xs[each] + sizes[each] / 2 for each in xs), default=0.0) - left
    loops = any(one == other for one, other in edges)
    return Layout(
        boxes=boxes,
        lines=lines,
        width=right + MARGIN + loops * 2 * BESIDE,
        height=2 * MARGIN + len(layers) * HEIGHT + max(len(layers) - 1, 0) * BELOW,
    )


def _forward(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[int, Edge]:
    """Return the edges by their number, those that lead back turned round, without loops."""
    targets: defaultdict[str, list[str]] = defaultdict(list)
    for one, other in edges:
        targets[one].append(other)
    done: dict[str, int] = {}
    back: set[Edge] = set()
    for root in nodes:
        if root in done:
            continue
        # By hand, because a graph may be deeper than Python's stack.
        path, open_ = [(root, iter(targets[root]))], {root}
        while path:
            node, left = path[-1]
            following = next(left, None)
            if following is None:
                done[node] = len(done)
                open_.discard(node)
                path.pop()
            elif following in open_:
                back.add((node, following))
            elif following not in done:
                open_.add(following)
                path.append((following, iter(targets[following])))
    return {
        number: (other, one) if (one, other) in back else (one, other)
        for number, (one, other) in enumerate(edges)
        if one != other
    }


def _ranks(nodes: Sequence[str], forward: Mapping[int, Edge]) -> dict[str, int]:
    """Return the layer of each node: below all nodes that lead to it."""
    ranks = dict.fromkeys(nodes, 0)
    for _ in nodes:
        is_settled = True
        for one, other in forward.values():
            if ranks[other] < ranks[one] + 1:
                ranks[other] = ranks[one] + 1
                is_settled = False
        if is_settled:
            break
    return ranks


def _layers(
    widths: Mapping[str, float], forward: Mapping[int, Edge], ranks: Mapping[str, int]
) -> tuple[list[list[str]], dict[int, list[str]], dict[str, float]]:
    """Return the layers, the nodes and bends that each edge goes through, and their widths."""
    layers: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    sizes = dict(widths)
    for name in widths:
        layers[ranks[name]].append(name)
    chains: dict[int, list[str]] = {}
    for number, (one, other) in forward.items():
        # A name of a node cannot be taken: it has no zero byte.
        bends = [f"\0{number} {rank}" for rank in range(ranks[one] + 1, ranks[other])]
        chains[number] = [one, *bends, other]
        for rank, bend in enumerate(bends, start=ranks[one] + 1):
            layers[rank].append(bend)
            sizes[bend] = _BEND
    return layers, chains, sizes


def _neighbours(
    chains: Mapping[int, Sequence[str]],
) -> tuple[defaultdict[str, list[str]], defaultdict[str, list[str]]]:
    above: defaultdict[str, list[str]] = defaultdict(list)
    below: defaultdict[str, list[str]] = defaultdict(list)
    for chain in chains.values():
        for one, other in itertools.pairwise(chain):
            above[other].append(one)
            below[one].append(other)
    return above, below


def _order(
    layers: list[list[str]],
    neighbours: tuple[defaultdict[str, list[str]], defaultdict[str, list[str]]],
) -> None:
    """Put each layer in the order of the middles of its parts' neighbours."""
    above, below = neighbours
    for sweep in range(_SWEEPS):
        side, order = (above, layers) if sweep % 2 == 0 else (below, layers[::-1])
        for fixed, layer in itertools.pairwise(order):
            at = {name: place for place, name in enumerate(fixed)}
            now = {name: place for place, name in enumerate(layer)}
            middles = {
                name: _mean([at[each] for each in side[name] if each in at], now[name])
                for name in layer
            }
            layer.sort(key=lambda name: (middles[name], now[name]))


def _across(
    layers: Sequence[Sequence[str]],
    neighbours: tuple[defaultdict[str, list[str]], defaultdict[str, list[str]]],
    sizes: Mapping[str, float],
) -> dict[str, float]:
    """Return how far right the middle of each part is, near its neighbours."""
    above, below = neighbours
    xs: dict[str, float] = {}
    for layer in layers:
        at = 0.0
        for name in layer:
            xs[name] = at + sizes[name] / 2
            at += sizes[name] + BESIDE
        for name in layer:
            xs[name] -= at / 2
    for sweep in range(2 * _SWEEPS):
        side, order = (above, layers) if sweep % 2 == 0 else (below, layers[::-1])
        for layer in order[1:]:
            wanted = [_mean([xs[each] for each in side[name]], xs[name]) for name in layer]
            _settle(layer, wanted, sizes, xs)
    return xs


def _settle(
    layer: Sequence[str], wanted: Sequence[float], sizes: Mapping[str, float], xs: dict[str, float]
) -> None:
    """Put the parts of a layer where they want to be, as far as there is room for all."""
    blocks: list[tuple[list[str], float]] = []
    offsets: dict[str, float] = {}
    for name, want in zip(layer, wanted, strict=True):
        offsets[name] = 0.0
        members, middle = [name], want
        while blocks:
            others, at = blocks[-1]
            last, first = others[-1], members[0]
            room = (sizes[last] + sizes[first]) / 2 + BESIDE
            if middle + offsets[first] - (at + offsets[last]) >= room:
                break
            blocks.pop()
            shift = offsets[last] + room - offsets[first]
            whole = (at * len(others) + (middle - shift) * len(members)) / (
                len(others) + len(members)
            )
            for member in members:
                offsets[member] += shift
            members, middle = [*others, *members], whole
        blocks.append((members, middle))
    for members, middle in blocks:
        for member in members:
            xs[member] = middle + offsets[member]


def _lines(
    edges: Sequence[Edge],
    chains: Mapping[int, Sequence[str]],
    forward: Mapping[int, Edge],
    boxes: Mapping[str, Box],
    bends: Mapping[str, Point],
) -> list[list[Point]]:
    """Return the points of each edge, each with a port of its own at the sides of its nodes."""
    middle = {name: (box.x, box.y) for name, box in boxes.items()} | dict(bends)
    outs: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    ins: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for number, chain in chains.items():
        outs[chain[0]].append((middle[chain[1]][0], number))
        ins[chain[-1]].append((middle[chain[-2]][0], number))
    lines: list[list[Point]] = []
    known = [number for number, edge in enumerate(edges) if edge[0] in boxes and edge[1] in boxes]
    numbers = {number: at for at, number in enumerate(known)}
    for number, edge in enumerate(edges):
        chain = chains.get(numbers.get(number, -1))
        if chain is None:
            lines.append(_loop(boxes[edge[0]]) if edge[0] == edge[1] and edge[0] in boxes else [])
            continue
        at = numbers[number]
        begin = (_port(boxes[chain[0]], outs[chain[0]], at), boxes[chain[0]].y + HEIGHT / 2)
        end = (_port(boxes[chain[-1]], ins[chain[-1]], at), boxes[chain[-1]].y - HEIGHT / 2)
        points = [begin, *(middle[bend] for bend in chain[1:-1]), end]
        lines.append(points if forward[at] == edge else points[::-1])
    return lines


def _port(box: Box, ties: Sequence[tuple[float, int]], number: int) -> float:
    """Return where on the side of a box an edge begins or ends."""
    order = [each for _, each in sorted(ties)]
    return box.x + box.width * ((order.index(number) + 1) / (len(order) + 1) - 0.5) * 0.8


def _loop(box: Box) -> list[Point]:
    right = box.x + box.width / 2
    return [(right, box.y - 8), (right + BESIDE, box.y), (right, box.y + 8)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
