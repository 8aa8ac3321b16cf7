"""Weighted graphs whose nodes are any hashable values."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, NamedTuple, Optional, TypeVar

Node = TypeVar("Node", bound=Hashable)


class Edge(NamedTuple):
    """An edge as it is seen from its start."""

    start: Hashable
    stop: Hashable
    weight: float


class Graph(Generic[Node]):
    """
    A graph stored as a mapping of mappings.

    Parameters
    ----------
    directed : bool
        Whether an edge leads only one way. In an undirected graph each edge
        is stored twice, once from either end.

    Notes
    -----
    Between two nodes there is at most one edge; adding it again replaces the
    weight. Nodes keep the order in which they were first mentioned, which
    makes every algorithm of this package deterministic.

    Examples
    --------
    >>> graph = Graph.from_edges([("a", "b", 2.0), ("b", "c", 1.0)])
    >>> graph.weight("c", "b")
    1.0
    """

    def __init__(self, directed: bool = False) -> None:
        self.directed = directed
        self._out: dict[Node, dict[Node, float]] = {}
        self._in: dict[Node, dict[Node, float]] = {} if directed else self._out

    @classmethod
    def from_edges(cls, edges: Iterable[tuple], directed: bool = False) -> Graph:
        """Build a graph from ``(start, stop)`` or ``(start, stop, weight)`` tuples."""
        graph = cls(directed=directed)
        for start, stop, *rest in edges:
            graph.add_edge(start, stop, *rest)
        return graph

    def add_node(self, node: Node) -> None:
        self._out.setdefault(node, {})
        self._in.setdefault(node, {})

    def add_edge(self, start: Node, stop: Node, weight: float = 1.0) -> None:
        """Add an edge, and its ends where they are missing."""
        if weight != weight:
            raise ValueError("the weight is not a number")
        self.add_node(start)
        self.add_node(stop)
        self._out[start][stop] = weight
        self._in[stop][start] = weight

    def remove_edge(self, start: Node, stop: Node) -> None:
        """Remove an edge; its ends stay.

        Raises
        ------
        KeyError
            If there is no such edge.
        """
        if not self.has_edge(start, stop):
            raise KeyError((start, stop))
        del self._out[start][stop]
        # a loop in an undirected graph is a single entry
        self._in[stop].pop(start, None)

    def has_edge(self, start: Node, stop: Node) -> bool:
        return stop in self._out.get(start, ())

    def weight(self, start: Node, stop: Node) -> float:
        return self._out[start][stop]

    def neighbours(self, node: Node) -> Iterator[tuple[Node, float]]:
        """Pairs of neighbour and weight along the edges that leave ``node``."""
        return iter(self._out[node].items())

    def predecessors(self, node: Node) -> Iterator[tuple[Node, float]]:
        return iter(self._in[node].items())

    def degree(self, node: Node) -> int:
        return len(self._out[node])

    def edges(self) -> Iterator[Edge]:
        """Every edge once, also in an undirected graph."""
        visited: set[Node] = set()
        for start, row in self._out.items():
            for stop, weight in row.items():
                if self.directed or stop not in visited:
                    yield Edge(start, stop, weight)
            visited.add(start)

    def reverse(self) -> Graph:
        """The same nodes with every edge flipped around."""
        flipped = type(self)(directed=self.directed)
        for node in self:
            flipped.add_node(node)
        for edge in self.edges():
            flipped.add_edge(edge.stop, edge.start, edge.weight)
        return flipped

    def subgraph(self, keep: Iterable[Node]) -> Graph:
        chosen = set(keep)
        part = type(self)(directed=self.directed)
        for node in self:
            if node in chosen:
                part.add_node(node)
        for edge in self.edges():
            if edge.start in chosen and edge.stop in chosen:
                part.add_edge(*edge)
        return part

    def find_negative(self) -> Optional[Edge]:
        """Any edge of negative weight, or None."""
        return next((edge for edge in self.edges() if edge.weight < 0), None)

    def __contains__(self, node: object) -> bool:
        return node in self._out

    def __iter__(self) -> Iterator[Node]:
        return iter(self._out)

    def __len__(self) -> int:
        return len(self._out)
