"""What a sample of a T5 teacher is made of, and how its sequences are told apart.

*Token level*: `inputs` and `targets` of an example, and for each token of the targets what the
teacher says of it, in the fields of a `TopKCodec` (word-level distillation: Kim and Rush,
"Sequence-Level Knowledge Distillation", 2016, section 3.1). *Sequence level*: the *hypotheses* that
the teacher writes for the inputs, best first, with their scores (section 3.2); they lie one after
the other in `hypotheses`, and `num_tokens` says how many tokens each has. All ids are without
padding, ends of text included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.teacher_outputs.codec import TOKENS, TopKCodec
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema

INPUTS, TARGETS = "inputs", "targets"
HYPOTHESES, NUM_TOKENS, SCORES = "hypotheses", "num_tokens", "scores"
# Names of lengths; that of the targets is the codec's.
INPUT_TOKENS, HYPOTHESIS_TOKENS = "input_tokens", "hypothesis_tokens"


def _example_fields(vocab_size: int) -> tuple[ArrayField, ArrayField]:
    dtype = "uint16" if vocab_size <= 1 << 16 else "uint32"
    return (
        ArrayField(INPUTS, dtype, (None,), length=INPUT_TOKENS),
        ArrayField(TARGETS, dtype, (None,), length=TOKENS),
    )


def token_schema(codec: TopKCodec) -> OutputSchema:
    """Returns what a sample is made of at token level.

    Args:
      codec: How distributions are stored.
    """
    return OutputSchema((*_example_fields(codec.vocab_size), *codec.fields()))


def nbest_schema(*, vocab_size: int, num_hypotheses: int) -> OutputSchema:
    """Returns what a sample is made of at sequence level.

    Args:
      vocab_size: Tokens of the vocabulary.
      num_hypotheses: Of each sample.
    """
    inputs, targets = _example_fields(vocab_size)
    return OutputSchema(
        (
            inputs,
            targets,
            ArrayField(HYPOTHESES, inputs.dtype, (None,), length=HYPOTHESIS_TOKENS),
            ArrayField(NUM_TOKENS, "uint16", (num_hypotheses,)),
            ArrayField(SCORES, "float32", (num_hypotheses,)),
        )
    )


def join_hypotheses(samples: Sequence[Sequence[Sequence[int]]], *, dtype: str) -> dict[str, Any]:
    """Returns the columns of `hypotheses` and `num_tokens`.

    Args:
      samples: The ids of each hypothesis of each sample; all have as many hypotheses.
      dtype: Of the ids.

    >>> join_hypotheses([[[5, 1], [6, 7, 1]]], dtype="uint16")["num_tokens"].tolist()
    [[2, 3]]
    """
    counts = np.array([[len(ids) for ids in sample] for sample in samples], dtype=np.uint16)
    values = np.array([one for sample in samples for ids in sample for one in ids], dtype=dtype)
    offsets = ragged.offsets_of(counts.sum(axis=1, dtype=np.int64))
    return {HYPOTHESES: ragged.Ragged(values, offsets), NUM_TOKENS: counts}


def take_hypotheses(columns: Mapping[str, Any], *, which: np.ndarray) -> ragged.Ragged:
    """Returns one hypothesis of each sample.

    Args:
      columns: `hypotheses` and `num_tokens` of some samples.
      which: int `[n]`: the number of the hypothesis of each, from 0.

    Returns:
      Its ids, a row for each sample.

    Raises:
      ArtifactError: A sample's counts are not those of its tokens.

    >>> columns = join_hypotheses([[[5, 1], [6, 7, 1]]], dtype="uint16")
    >>> take_hypotheses(columns, which=np.array([1])).values.tolist()
    [6, 7, 1]
    """
    rows: ragged.Ragged = columns[HYPOTHESES]
    counts = np.asarray(columns[NUM_TOKENS], dtype=np.int64)
    if not np.array_equal(counts.sum(axis=1), np.diff(rows.offsets)):
        raise errors.ArtifactError(
            "a sample has other tokens than its hypotheses together; wanted as many; generate the "
            "outputs again"
        )
    ends = rows.offsets[:-1] + np.take_along_axis(
        np.cumsum(counts, axis=1), np.asarray(which)[:, None], axis=1
    ).reshape(-1)
    lengths = np.take_along_axis(counts, np.asarray(which)[:, None], axis=1).reshape(-1)
    return ragged.gather_ranges(rows.values, starts=ends - lengths, lengths=lengths)
