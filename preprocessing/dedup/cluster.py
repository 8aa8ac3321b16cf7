"""Clusters of linked texts, by union-find.

A text is known by its *position*, 0 or more; a *cluster* is a connected set of texts and is known
by its smallest position, so that its name does not depend on the order of the links.
"""

from __future__ import annotations

import array
from collections.abc import Iterable

import numpy as np

_TYPE = "q"


class Clusters:
    """Clusters that grow by links; 8 bytes per text."""

    def __init__(self, num_texts: int) -> None:
        """Starts with each text on its own."""
        self._parent = array.array(_TYPE, np.arange(num_texts, dtype=np.int64).tobytes())

    def find(self, position: int) -> int:
        """Returns the smallest position of a text's cluster."""
        parent = self._parent
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    def link(self, first: int, second: int) -> bool:
        """Makes the clusters of two texts one.

        Args:
          first: Position of a text.
          second: Position of another.

        Returns:
          Whether they were two.
        """
        first, second = self.find(first), self.find(second)
        self._parent[max(first, second)] = min(first, second)
        return first != second

    def labels(self) -> np.ndarray:
        """Returns each text's cluster, int64 `[num_texts]`."""
        labels = np.array(self._parent, dtype=np.int64)
        while True:
            above = labels[labels]
            if np.array_equal(above, labels):
                return labels
            labels = above


def label_clusters(num_texts: int, edges: Iterable[tuple[int, int]]) -> np.ndarray:
    """Clusters texts by the links between them.

    Args:
      num_texts: How many texts there are.
      edges: Positions of linked texts, in any order.

    Returns:
      int64 `[num_texts]`: the smallest position of each text's cluster.

    >>> label_clusters(5, [(4, 1), (3, 4)]).tolist()
    [0, 1, 2, 1, 1]
    """
    clusters = Clusters(num_texts)
    for first, second in edges:
        clusters.link(first, second)
    return clusters.labels()
