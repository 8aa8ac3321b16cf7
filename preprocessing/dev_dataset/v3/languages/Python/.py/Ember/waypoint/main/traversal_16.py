"""Walking through graphs: levels, components, topological order, cut points."""

from __future__ import annotations

from collections import deque
from typing import Hashable, Iterator, Optional

from waypoint.graph import Graph


class CycleError(ValueError):
    """The graph has a cycle where none is allowed.

    Attributes
    ----------
    cycle : list
        Nodes of one cycle; the first is repeated at the end.
    """

    def __init__(self, cycle: list) -> None:
        super().__init__("cycle: " + " -> ".join(map(str, cycle)))
        self.cycle = cycle


def levels(graph: Graph, start: Hashable) -> Iterator[list]:
    """Yield the nodes at distance 0, 1, 2, ... counted in edges."""
    seen = {start}
    current = [start]
    while current:
        yield current
        following = []
        for node in current:
            for neighbour, _ in graph.neighbours(node):
                if neighbour not in seen:
                    seen.add(neighbour)
                    following.append(neighbour)
        current = following


def components(graph: Graph) -> list[set]:
    """Connected components of an undirected graph, the largest first."""
    if graph.directed:
        raise TypeError("for directed graphs use strong_components")
    remaining = dict.fromkeys(graph)
    found = []
    while remaining:
        start = next(iter(remaining))
        members = {node for level in levels(graph, start) for node in level}
        for node in members:
            del remaining[node]
        found.append(members)
    return sorted(found, key=len, reverse=True)


def topological_order(graph: Graph) -> list:
    """
    Order the nodes so that every edge leads forward.

    Among the nodes that could come next, the one that was added to the graph
    first is taken.

    Raises
    ------
    CycleError
        If there is no such order.
    """
    waiting = {node: sum(1 for _ in graph.predecessors(node)) for node in graph}
    ready = deque(node for node, count in waiting.items() if count == 0)
    order = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for neighbour, _ in graph.neighbours(node):
            waiting[neighbour] -= 1
            if waiting[neighbour] == 0:
                ready.append(neighbour)
    if len(order) < len(graph):
        stuck = graph.subgraph(node for node, count in waiting.items() if count > 0)
        raise CycleError(find_cycle(stuck))
    return order


def find_cycle(graph: Graph) -> Optional[list]:
    """Any cycle of a directed graph, or None."""
    finished: set = set()
    for root in graph:
        if root in finished:
            continue
        path, on_path = [root], {root}
        branches = [graph.neighbours(root)]
        while branches:
            for neighbour, _ in branches[-1]:
                if neighbour in on_path:
                    return path[path.index(neighbour) :] + [neighbour]
                if neighbour not in finished:
                    path.append(neighbour)
                    on_path.add(neighbour)
                    branches.append(graph.neighbours(neighbour))
                    break
            else:
                branches.pop()
                node = path.pop()
                on_path.remove(node)
                finished.add(node)
    return None


def strong_components(graph: Graph) -> list[set]:
    """Groups of nodes that all reach each other, by two sweeps without recursion."""
    finish_order: list = []
    seen: set = set()
    for root in graph:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, graph.neighbours(root))]
        while stack:
            node, rest = stack[-1]
            step = next((other for other, _ in rest if other not in seen), None)
            if step is None:
                finish_order.append(stack.pop()[0])
            else:
                seen.add(step)
                stack.append((step, graph.neighbours(step)))
    groups: list[set] = []
    taken: set = set()
    for root in reversed(finish_order):
        if root in taken:
            continue
        group, frontier = {root}, [root]
        while frontier:
            for before, _ in graph.predecessors(frontier.pop()):
                if before not in taken and before not in group:
                    group.add(before)
                    frontier.append(before)
        taken |= group
        groups.append(group)
    return groups
