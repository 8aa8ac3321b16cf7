"""Tests of the searches, partly against answers found by brute force."""

import itertools
import math
import random

import pytest

from waypoint.graph import Graph
from waypoint.paths import (
    NegativeCycle,
    NoPath,
    cheapest_between,
    cheapest_from,
    cheapest_with_negative,
)
from waypoint.spanning import clusters, spanning_forest, spanning_tree_from
from waypoint.traversal import (
    CycleError,
    components,
    find_cycle,
    levels,
    strong_components,
    topological_order,
)


@pytest.fixture
def towns():
    return Graph.from_edges(
        [("A", "B", 4), ("A", "C", 1), ("C", "B", 2), ("B", "D", 5), ("C", "D", 8)]
    )


def random_graph(seed, size=7, directed=True):
    rng = random.Random(seed)
    graph = Graph(directed=directed)
    for node in range(size):
        graph.add_node(node)
    for start, stop in itertools.permutations(range(size), 2):
        if rng.random() < 0.4:
            graph.add_edge(start, stop, rng.randint(1, 20))
    return graph


def cost_by_brute_force(graph, start, goal):
    best = math.inf
    between = [node for node in graph if node not in (start, goal)]
    for length in range(len(between) + 1):
        for middle in itertools.permutations(between, length):
            path = (start, *middle, goal)
            steps = list(zip(path, path[1:]))
            if all(graph.has_edge(*step) for step in steps):
                best = min(best, sum(graph.weight(*step) for step in steps))
    return best


def test_detour_is_cheaper(towns):
    path, cost = cheapest_between(towns, "A", "D")
    assert path == ["A", "C", "B", "D"]
    assert cost == 8


@pytest.mark.parametrize("seed", range(5))
def test_searches_agree_with_brute_force(seed):
    graph = random_graph(seed)
    expected = cost_by_brute_force(graph, 0, 6)
    assert cheapest_from(graph, 0).cost.get(6, math.inf) == expected
    assert cheapest_with_negative(graph, 0).cost.get(6, math.inf) == expected


def test_limit_stops_the_search(towns):
    assert set(cheapest_from(towns, "A", limit=3).cost) == {"A", "B", "C"}


def test_unreachable_goal():
    graph = Graph.from_edges([(1, 2)], directed=True)
    with pytest.raises(NoPath):
        cheapest_between(graph, 2, 1)
    with pytest.raises(NoPath):
        cheapest_from(graph, 2).path_to(1)


def test_negative_weights_and_cycles():
    graph = Graph.from_edges([("a", "b", 5), ("a", "c", 2), ("b", "c", -4)], directed=True)
    assert cheapest_with_negative(graph, "a").path_to("c") == ["a", "b", "c"]
    graph.add_edge("c", "b", 3)
    with pytest.raises(NegativeCycle) as caught:
        cheapest_with_negative(graph, "a")
    assert set(caught.value.cycle) == {"b", "c"}


def test_topological_order_and_its_cycle():
    graph = Graph.from_edges([("shirt", "tie"), ("tie", "coat"), ("shoes", "coat")], directed=True)
    assert topological_order(graph) == ["shirt", "shoes", "tie", "coat"]
    assert find_cycle(graph) is None
    graph.add_edge("coat", "tie")
    with pytest.raises(CycleError) as caught:
        topological_order(graph)
    assert sorted(set(caught.value.cycle)) == ["coat", "tie"]


def test_strong_components():
    graph = Graph.from_edges([(1, 2), (2, 1), (2, 3), (3, 4), (4, 3)], directed=True)
    assert sorted(map(sorted, strong_components(graph))) == [[1, 2], [3, 4]]


def test_levels_and_components(towns):
    assert list(levels(towns, "A")) == [["A"], ["B", "C"], ["D"]]
    towns.add_edge("X", "Y")
    assert [len(group) for group in components(towns)] == [4, 2]


@pytest.mark.parametrize("seed", range(4))
def test_both_spanning_trees_cost_the_same(seed):
    graph = random_graph(seed, size=9, directed=False)
    one = sum(edge.weight for edge in spanning_forest(graph))
    two = sum(edge.weight for edge in spanning_tree_from(graph, 0))
    assert len(components(graph)) == 1
    assert one == two


def test_clusters_cut_the_longest_edges(towns):
    assert sorted(map(sorted, clusters(towns, 2))) == [["A", "B", "C"], ["D"]]
