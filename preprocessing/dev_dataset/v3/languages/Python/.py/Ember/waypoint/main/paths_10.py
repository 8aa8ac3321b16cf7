"""Cheapest paths: from one node, between two nodes, and with negative weights."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import Callable, Hashable, Optional

from waypoint.graph import Graph


class NoPath(LookupError):
    """The goal can not be reached."""


class NegativeCycle(ValueError):
    """Going round a cycle for ever makes paths cheaper and cheaper."""

    def __init__(self, cycle: list) -> None:
        super().__init__("negative cycle: " + " -> ".join(str(node) for node in cycle))
        self.cycle = cycle


@dataclass
class PathTree:
    """
    Cheapest paths from one start to everything that was reached.

    Attributes
    ----------
    cost, parent : dict
        Cost of the way to each node, and the last stop before it.
    """

    start: Hashable
    cost: dict = field(default_factory=dict)
    parent: dict = field(default_factory=dict)

    def path_to(self, goal: Hashable) -> list:
        if goal not in self.cost:
            raise NoPath(f"{goal!r} can not be reached from {self.start!r}")
        path = [goal]
        while path[-1] != self.start:
            path.append(self.parent[path[-1]])
        return path[::-1]


def cheapest_from(graph: Graph, start: Hashable, limit: float = math.inf) -> PathTree:
    """
    Cheapest paths to all nodes within a cost limit.

    Raises
    ------
    ValueError
        If an edge that is looked at has a negative weight.
    """
    tree = PathTree(start, cost={start: 0.0})
    settled: set = set()
    tie = itertools.count()  # nodes need not be comparable
    queue = [(0.0, next(tie), start)]
    while queue:
        cost, _, node = heapq.heappop(queue)
        if node in settled:
            continue
        settled.add(node)
        for neighbour, weight in graph.neighbours(node):
            if weight < 0:
                raise ValueError(f"negative weight between {node!r} and {neighbour!r}")
            total = cost + weight
            if total <= limit and total < tree.cost.get(neighbour, math.inf):
                tree.cost[neighbour] = total
                tree.parent[neighbour] = node
                heapq.heappush(queue, (total, next(tie), neighbour))
    return tree


def cheapest_between(
    graph: Graph,
    start: Hashable,
    goal: Hashable,
    estimate: Optional[Callable[[Hashable], float]] = None,
) -> tuple[list, float]:
    """
    One cheapest path, guided by an estimate of what is left.

    Parameters
    ----------
    estimate : callable, optional
        Lower bound of the cost from a node to the goal. If it is ever too
        high the path found may not be the cheapest one.

    Returns
    -------
    tuple
        The nodes from start to goal, both included, and the cost.
    """
    guess = estimate or (lambda node: 0.0)
    tree = PathTree(start, cost={start: 0.0})
    tie = itertools.count()
    queue = [(guess(start), next(tie), 0.0, start)]
    while queue:
        _, _, cost, node = heapq.heappop(queue)
        if cost > tree.cost[node]:
            continue  # a cheaper way was found after this was queued
        if node == goal:
            return tree.path_to(goal), cost
        for neighbour, weight in graph.neighbours(node):
            total = cost + weight
            if total < tree.cost.get(neighbour, math.inf):
                tree.cost[neighbour] = total
                tree.parent[neighbour] = node
                heapq.heappush(queue, (total + guess(neighbour), next(tie), total, neighbour))
    raise NoPath(f"{goal!r} can not be reached from {start!r}")


def cheapest_with_negative(graph: Graph, start: Hashable) -> PathTree:
    """Like `cheapest_from` for weights of any sign; slower, and finds cycles."""
    tree = PathTree(start, cost={start: 0.0})
    for _ in range(len(graph)):
        changed = None
        for edge in graph.edges():
            if edge.start not in tree.cost:
                continue
            total = tree.cost[edge.start] + edge.weight
            if total < tree.cost.get(edge.stop, math.inf):
                tree.cost[edge.stop] = total
                tree.parent[edge.stop] = edge.start
                changed = edge.stop
        if changed is None:
            return tree
    node = changed
    for _ in range(len(graph)):  # step back far enough to stand on the cycle
        node = tree.parent[node]
    cycle = [node, tree.parent[node]]
    while cycle[-1] != node:
        cycle.append(tree.parent[cycle[-1]])
    raise NegativeCycle(cycle[::-1])
