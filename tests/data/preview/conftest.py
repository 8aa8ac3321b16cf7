"""A made-up sample: two packed rows, in which source code tries to command the terminal."""

from __future__ import annotations

import numpy as np
import pytest
from fake_word_vocabulary import packed_arrays, reader

from code_t5.data.preview import packed_rows, sampling, suggestions

HOSTILE = 6  # Decodes to an escape sequence.


@pytest.fixture
def sample():
    room = {"inputs": 8, "targets": 8}
    rows = [
        packed_arrays(inputs=[[3, HOSTILE, 1], [4, 1]], targets=[[11, 4, 1], [7, 1]]),
        packed_arrays(inputs=[[3, 5, 3, 5, 3, 1]], targets=[[2, 1], [3, 1]]),
    ]
    documents = np.array([10, 300, 5000])
    trial = suggestions.Trial(room, {"inputs": np.array([3]), "targets": np.array([3])}, 5)
    return sampling.Sample(
        name="small\x1b]0;evil\x07_task",
        is_mixture=False,
        split="train",
        members=[sampling.Member("small_task", 1.0, 1234, None)],
        is_cached=False,
        seed=0,
        vocabulary="WordVocabulary, 12 ids",
        readers={name: reader() for name in room},
        rows=[packed_rows.read_row(row) for row in rows],
        measured=suggestions.Measured(trial, documents=documents, window=trial),
    )
