"""How far distributions are from those that were stored: Kullback-Leibler divergences, in NumPy.

The divergence of q from p is the sum of `p * log(p / q)`, in nats. Of a stored distribution only
the kept tokens are known one by one; `tail` says what becomes of the others: `spread` takes them
for equally likely, as `TopKCodec.to_dense` does, `left_out` sums over the kept tokens alone, and is
no divergence then: it can be negative.
"""

from __future__ import annotations

import numpy as np

from code_t5 import errors
from code_t5.teacher_outputs.codec import LEFT_OUT, SPREAD, TopK, TopKCodec

# Logarithms of nothing: below that of the smallest float32.
_LEAST = np.float32(-104.0)


def _log(probabilities: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(probabilities, dtype=np.float32), _LEAST)


def _check(log_probabilities: np.ndarray, *, kept: TopK, codec: TopKCodec) -> np.ndarray:
    """Returns log-probabilities that can be reckoned with.

    Raises:
      InputError: Their shape is not that of what was stored.
    """
    logs = np.asarray(log_probabilities, dtype=np.float32)
    wanted = (len(kept.ids), codec.vocab_size)
    if logs.shape != wanted:
        raise errors.InputError(
            f"found log-probabilities {list(logs.shape)}; wanted {list(wanted)}; give a row for "
            "each position that was stored"
        )
    return np.maximum(logs, _LEAST)


def divergence_of_stored(
    log_probabilities: np.ndarray, *, kept: TopK, codec: TopKCodec, tail: str = SPREAD
) -> np.ndarray:
    """Returns how far what was stored is from whole distributions p: the sum of p log(p / stored).

    It says what storing lost, if p is what was stored.

    Args:
      log_probabilities: Floats `[n, vocab_size]`: log p.
      kept: What was stored.
      codec: How.
      tail: What becomes of the tokens that were not kept.

    Returns:
      float32 `[n]`, in nats.

    Raises:
      InputError: The shape is another, or `tail` is none.
    """
    logs = _check(log_probabilities, kept=kept, codec=codec)
    terms = np.exp(logs) * (logs - _log(codec.to_dense(kept, tail)))
    if tail == LEFT_OUT:
        return _at_kept(terms, kept).sum(axis=1)
    return terms.sum(axis=1)


def divergence_from_stored(
    log_probabilities: np.ndarray, *, kept: TopK, codec: TopKCodec, tail: str = SPREAD
) -> np.ndarray:
    """Returns how far distributions q are from what was stored: the sum of stored log(stored / q).

    It is what a student's loss is made of, q being the student's (Hinton, Vinyals and Dean, 2015,
    section 2; Kim and Rush, 2016, section 3.1).

    Args:
      log_probabilities: Floats `[n, vocab_size]`: log q, at the codec's temperature.
      kept: What was stored.
      codec: How.
      tail: What becomes of the tokens that were not kept.

    Returns:
      float32 `[n]`, in nats.

    Raises:
      InputError: The shape is another, or `tail` is none.
    """
    logs = _check(log_probabilities, kept=kept, codec=codec)
    probabilities = codec.probabilities(kept)
    found = (probabilities * (_log(probabilities) - _at_kept(logs, kept))).sum(axis=1)
    share = codec.tail_share(kept, tail)
    if tail == LEFT_OUT:
        return found
    num_others = codec.vocab_size - kept.is_kept.sum(axis=1)
    others = logs.sum(axis=1) - _at_kept(logs, kept).sum(axis=1)
    return (found + share * (num_others * _log(share) - others)).astype(np.float32)


def _at_kept(values: np.ndarray, kept: TopK) -> np.ndarray:
    """Returns the values at the kept tokens `[n, k]`, 0 where none counts."""
    found = np.take_along_axis(values, kept.ids.astype(np.int64), axis=1)
    return np.where(kept.is_kept, found, np.float32(0))
