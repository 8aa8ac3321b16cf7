"""Cheapest trees that hold a graph together, and what they are good for."""

from __future__ import annotations

import heapq
import itertools
from typing import Hashable, Iterable, Iterator

from waypoint.graph import Edge, Graph


class DisjointSets:
    """
    Groups that only ever merge.

    Each group is known by one of its members. Looking a member up shortens the
    chain that leads there, so that later look-ups are nearly free.
    """

    def __init__(self, members: Iterable[Hashable] = ()) -> None:
        self._parent = {member: member for member in members}
        self._size = dict.fromkeys(self._parent, 1)
        self.count = len(self._parent)

    def add(self, member: Hashable) -> None:
        if member not in self._parent:
            self._parent[member] = member
            self._size[member] = 1
            self.count += 1

    def find(self, member: Hashable) -> Hashable:
        root = member
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[member] != root:
            self._parent[member], member = root, self._parent[member]
        return root

    def merge(self, one: Hashable, two: Hashable) -> bool:
        """Join two groups; False when they were one already."""
        one, two = self.find(one), self.find(two)
        if one == two:
            return False
        if self._size[one] < self._size[two]:
            one, two = two, one
        self._parent[two] = one
        self._size[one] += self._size.pop(two)
        self.count -= 1
        return True

    def size(self, member: Hashable) -> int:
        return self._size[self.find(member)]


def spanning_forest(graph: Graph) -> Iterator[Edge]:
    """
    Edges of a cheapest forest, the cheapest edge first.

    For a connected graph the result is a tree with one edge less than there
    are nodes.
    """
    if graph.directed:
        raise TypeError("spanning trees are for undirected graphs")
    groups = DisjointSets(graph)
    for edge in sorted(graph.edges(), key=lambda edge: edge.weight):
        if groups.merge(edge.start, edge.stop):
            yield edge
            if groups.count == 1:
                return


def spanning_tree_from(graph: Graph, root: Hashable) -> Iterator[Edge]:
    """Grow a cheapest tree from one node; better when the graph is dense."""
    if graph.directed:
        raise TypeError("spanning trees are for undirected graphs")
    inside = {root}
    tie = itertools.count()
    queue: list = []

    def offer(node: Hashable) -> None:
        for neighbour, weight in graph.neighbours(node):
            if neighbour not in inside:
                heapq.heappush(queue, (weight, next(tie), Edge(node, neighbour, weight)))

    offer(root)
    while queue:
        _, _, edge = heapq.heappop(queue)
        if edge.stop not in inside:
            inside.add(edge.stop)
            offer(edge.stop)
            yield edge


def total_weight(edges: Iterable[Edge]) -> float:
    """What all edges of a tree cost together."""
    return sum(edge.weight for edge in edges)


def clusters(graph: Graph, count: int) -> list[set]:
    """
    Split a connected graph into ``count`` groups that are far from each other.

    The longest edges of the cheapest tree are the ones left out.

    Examples
    --------
    >>> graph = Graph.from_edges([(1, 2, 1.0), (2, 8, 6.0), (8, 9, 1.0)])
    >>> [sorted(group) for group in clusters(graph, 2)]
    [[1, 2], [8, 9]]
    """
    if not 1 <= count <= len(graph):
        raise ValueError(f"can not make {count} groups of {len(graph)} nodes")
    groups = DisjointSets(graph)
    for edge in spanning_forest(graph):
        if groups.count <= count:
            break
        groups.merge(edge.start, edge.stop)
    members: dict = {}
    for node in graph:
        members.setdefault(groups.find(node), set()).add(node)
    return list(members.values())
