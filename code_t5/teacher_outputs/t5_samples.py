"""Names of what a sample of a T5 teacher is made of, for those who read it.

*Token level*: `inputs` and `targets` of an example, and for each token of the targets what the
teacher says of it, in the fields of a `TopKCodec` (word-level distillation: Kim and Rush,
"Sequence-Level Knowledge Distillation", 2016, section 3.1). *Sequence level*: the *hypotheses* that
the teacher writes for the inputs, best first, with their scores (section 3.2); all of a sample lie
one after the other in `sequences`, and `sequence_lengths` says how many tokens each has. Ids are
without padding, ends of text included where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged

INPUTS, TARGETS = "inputs", "targets"
SEQUENCES, SEQUENCE_LENGTHS, SCORES = "sequences", "sequence_lengths", "scores"


def take_hypotheses(columns: Mapping[str, Any], *, which: np.ndarray) -> ragged.Ragged:
    """Returns one hypothesis of each sample.

    Args:
      columns: `sequences` and `sequence_lengths` of some samples.
      which: int `[n]`: the number of the hypothesis of each, from 0.

    Returns:
      Its ids, a row for each sample.

    Raises:
      ArtifactError: A sample has other tokens than its hypotheses together.

    >>> columns = {"sequences": ragged.Ragged.from_rows([[5, 1, 6, 7, 1]]),
    ...            "sequence_lengths": np.array([[2, 3]])}
    >>> take_hypotheses(columns, which=np.array([1])).values.tolist()
    [6, 7, 1]
    """
    rows: ragged.Ragged = columns[SEQUENCES]
    counts = np.asarray(columns[SEQUENCE_LENGTHS], dtype=np.int64)
    if counts.min(initial=0) < 0 or not np.array_equal(counts.sum(axis=1), rows.lengths):
        raise errors.ArtifactError(
            "a sample has other tokens than its hypotheses together; wanted as many; generate the "
            "outputs again"
        )
    chosen = np.asarray(which, dtype=np.int64)[:, None]
    ends = np.take_along_axis(np.cumsum(counts, axis=1), chosen, axis=1)[:, 0]
    lengths = np.take_along_axis(counts, chosen, axis=1)[:, 0]
    return ragged.gather_ranges(
        rows.values, starts=rows.offsets[:-1] + ends - lengths, lengths=lengths
    )
