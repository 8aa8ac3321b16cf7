"""Tests of clusters."""

from __future__ import annotations

import random

from preprocessing.dedup import cluster


def test_clusters_are_the_connected_sets_in_any_order_of_links() -> None:
    edges = [(8, 2), (2, 5), (7, 6), (9, 7), (5, 8), (4, 4)]
    source = random.Random(0)
    for _ in range(20):
        source.shuffle(edges)
        turned = [edge[:: source.choice([1, -1])] for edge in edges]
        found = cluster.label_clusters(11, [(edge[0], edge[1]) for edge in turned])
        assert found.tolist() == [0, 1, 2, 3, 4, 2, 6, 6, 2, 6, 10]


def test_long_chain_is_one_cluster() -> None:
    count = 20_000
    edges = [(index, index + 1) for index in reversed(range(count - 1))]
    assert not cluster.label_clusters(count, edges).any()


def test_link_tells_whether_it_joined_two_clusters() -> None:
    clusters = cluster.Clusters(4)
    assert [clusters.link(3, 1), clusters.link(1, 3), clusters.link(0, 2)] == [True, False, True]
    assert clusters.link(2, 3)
    assert clusters.find(3) == 0


def test_no_texts_have_no_clusters() -> None:
    assert cluster.label_clusters(0, []).tolist() == []
