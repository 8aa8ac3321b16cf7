"""Every example that some documents give, as requests."""

from __future__ import annotations

import numpy as np

from code_t5.data.objectives import Requests, mix_keys
from code_t5.encoding import ragged


def requests_of(objective, documents, *, seed=0):
    counts = objective.num_examples(documents)
    numbers = ragged.positions_in_ranges(np.zeros(len(counts), dtype=np.int64), counts)
    positions = np.repeat(np.arange(len(counts)), counts)
    return Requests(positions, numbers, mix_keys(seed, positions, numbers))


def rows_of(examples):
    """Returns inputs and targets as lists."""
    return [
        (examples.inputs.row(i).tolist(), examples.targets.row(i).tolist())
        for i in range(examples.inputs.num_rows)
    ]


def make_all(objective, documents, *, seed=0):
    return rows_of(objective.make_examples(documents, requests_of(objective, documents, seed=seed)))
