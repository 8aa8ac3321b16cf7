"""Walking through networks: rings, islands, task order, loops."""

from __future__ import annotations

from collections import deque
from typing import Hashable, Iterator, Optional

from waypoint.network import Network


class LoopError(ValueError):
    """The network has a loop where none may be.

    Attributes
    ----------
    loop : list
        Points of one loop; the first comes again at the end.
    """

    def __init__(self, loop: list) -> None:
        super().__init__("loop: " + " -> ".join(map(str, loop)))
        self.loop = loop


def rings(network: Network, origin: Hashable) -> Iterator[list]:
    """Yield the points at distance 0, 1, 2, ... counted in links."""
    known = {origin}
    ring = [origin]
    while ring:
        yield ring
        outer = []
        for point in ring:
            for adjacent, _ in network.adjacent(point):
                if adjacent not in known:
                    known.add(adjacent)
                    outer.append(adjacent)
        ring = outer


def islands(network: Network) -> list[set]:
    """Connected islands of an undirected network, the biggest first."""
    if network.oneway:
        raise TypeError("for oneway networks use tight_islands")
    left = dict.fromkeys(network)
    result = []
    while left:
        origin = next(iter(left))
        island = {point for ring in rings(network, origin) for point in ring}
        for point in island:
            del left[point]
        result.append(island)
    return sorted(result, key=len, reverse=True)


def task_order(network: Network) -> list:
    """
    Order the points so that every link leads onward.

    Of the points that may come next, the one that was put into the network
    first is chosen.

    Raises
    ------
    LoopError
        If no such order exists.
    """
    blocked = {point: sum(1 for _ in network.sources(point)) for point in network}
    free = deque(point for point, number in blocked.items() if number == 0)
    sequence = []
    while free:
        point = free.popleft()
        sequence.append(point)
        for adjacent, _ in network.adjacent(point):
            blocked[adjacent] -= 1
            if blocked[adjacent] == 0:
                free.append(adjacent)
    if len(sequence) < len(network):
        remainder = network.section(point for point, number in blocked.items() if number > 0)
        raise LoopError(find_loop(remainder))
    return sequence


def find_loop(network: Network) -> Optional[list]:
    """Some loop of a oneway network, or None."""
    closed: set = set()
    for top in network:
        if top in closed:
            continue
        trail, on_trail = [top], {top}
        forks = [network.adjacent(top)]
        while forks:
            for adjacent, _ in forks[-1]:
                if adjacent in on_trail:
                    return trail[trail.index(adjacent) :] + [adjacent]
                if adjacent not in closed:
                    trail.append(adjacent)
                    on_trail.add(adjacent)
                    forks.append(network.adjacent(adjacent))
                    break
            else:
                forks.pop()
                point = trail.pop()
                on_trail.remove(point)
                closed.add(point)
    return None


def tight_islands(network: Network) -> list[set]:
    """Sets of points that all lead to one another, by two rounds without recursion."""
    closing_order: list = []
    known: set = set()
    for top in network:
        if top in known:
            continue
        known.add(top)
        pile = [(top, network.adjacent(top))]
        while pile:
            point, open_links = pile[-1]
            onward = next((next_point for next_point, _ in open_links if next_point not in known), None)
            if onward is None:
                closing_order.append(pile.pop()[0])
            else:
                known.add(onward)
                pile.append((onward, network.adjacent(onward)))
    tight: list[set] = []
    used: set = set()
    for top in reversed(closing_order):
        if top in used:
            continue
        island, edge_points = {top}, [top]
        while edge_points:
            for origin, _ in network.sources(edge_points.pop()):
                if origin not in used and origin not in island:
                    island.add(origin)
                    edge_points.append(origin)
        used |= island
        tight.append(island)
    return tight
