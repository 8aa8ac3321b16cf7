"""One step of decoding after the model: which token each candidate goes on with.

Plain TensorFlow on whole tensors. A *beam* here is one of the candidates of a prompt that are
decoded side by side; its *parent* the beam of the step before that it goes on with. A finished beam
stays as it is: it gets padding, which costs nothing.

Import this module only where TensorFlow is wanted: it imports it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

# Less than any sum of log-probabilities, and still finite when another is added.
_NEVER = -1e9
_PAD_ID = 0


class Chosen(NamedTuple):
    """What a step decides, all `[batch, beam]`.

    Attributes:
      tokens: int32, padding for a beam that was finished.
      scores: float32, nats, this token's log-probability included.
      parents: int32, None where every beam is its own parent.
    """

    tokens: tf.Tensor
    scores: tf.Tensor
    parents: tf.Tensor | None


def first_scores(batch_size: int, num_beams: int) -> np.ndarray:
    """Returns the scores before the first step of a search: one beam of each prompt counts.

    Args:
      batch_size: Prompts.
      num_beams: Beams of each.

    Returns:
      float32 [batch_size, num_beams].
    """
    scores = np.full((batch_size, num_beams), _NEVER, np.float32)
    scores[:, 0] = 0.0
    return scores


def _without(logits: tf.Tensor, allowed: np.ndarray) -> tf.Tensor:
    """Returns logits with the ids that are never chosen made unlikely beyond measure."""
    penalty = np.where(allowed, 0.0, _NEVER).astype(np.float32)
    return logits + tf.constant(penalty)


def _log_probabilities(logits: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Returns the log-probability of one token per beam: float32 [batch, beam]."""
    picked = tf.gather(logits, tokens, batch_dims=2)
    return picked - tf.reduce_logsumexp(logits, axis=-1)


def _kept(finished: tf.Tensor, tokens: tf.Tensor, *, scores: tf.Tensor, gains: tf.Tensor) -> Chosen:
    """Returns a step in which finished beams stay as they are."""
    return Chosen(
        tf.where_v2(finished, _PAD_ID, tokens),
        scores + tf.where_v2(finished, 0.0, gains),
        None,
    )


def choose_likeliest(
    logits: tf.Tensor, *, scores: tf.Tensor, finished: tf.Tensor, allowed: np.ndarray
) -> Chosen:
    """Takes each beam's likeliest token.

    Args:
      logits: float32 [batch, beam, vocabulary].
      scores: float32 [batch, beam], so far.
      finished: bool [batch, beam].
      allowed: bool [vocabulary], ids that may be chosen.

    Returns:
      The step.
    """
    tokens = tf.argmax(_without(logits, allowed), axis=-1, output_type=tf.int32)
    return _kept(finished, tokens, scores=scores, gains=_log_probabilities(logits, tokens))


def choose_drawn(
    logits: tf.Tensor,
    *,
    scores: tf.Tensor,
    finished: tf.Tensor,
    allowed: np.ndarray,
    temperature: float,
    top_k: int,
) -> Chosen:
    """Draws each beam's token.

    Args:
      logits: float32 [batch, beam, vocabulary].
      scores: float32 [batch, beam], so far.
      finished: bool [batch, beam].
      allowed: bool [vocabulary], ids that may be chosen.
      temperature: Above 0; 1 draws as the model predicts, less draws likely tokens more often.
      top_k: Draw among so many of the likeliest; 0 for all.

    Returns:
      The step; scores are the model's own, whatever the temperature.
    """
    weights = _without(logits, allowed) / temperature
    if top_k:
        least = tf.math.top_k(weights, top_k).values[..., -1:]
        weights = tf.where_v2(weights < least, _NEVER, weights)
    flat = tf.reshape(weights, [-1, weights.shape[-1]])
    tokens = tf.reshape(
        tf.random.categorical(flat, 1, dtype=tf.int32), tf.shape(scores), name="drawn"
    )
    return _kept(finished, tokens, scores=scores, gains=_log_probabilities(logits, tokens))


def choose_beams(
    logits: tf.Tensor, *, scores: tf.Tensor, finished: tf.Tensor, allowed: np.ndarray
) -> Chosen:
    """Keeps the best continuations of all beams of a prompt together: one step of a beam search.

    Args:
      logits: float32 [batch, beam, vocabulary].
      scores: float32 [batch, beam], so far, best first.
      finished: bool [batch, beam].
      allowed: bool [vocabulary], ids that may be chosen.

    Returns:
      The step, best first.
    """
    num_beams = int(logits.shape[1])
    best, ids = tf.math.top_k(_without(logits, allowed), num_beams)
    gains = best - tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
    # A finished beam has one continuation: itself.
    only = tf.constant([0.0] + [_NEVER] * (num_beams - 1))
    gains = tf.where_v2(finished[..., None], only, gains)
    ids = tf.where_v2(finished[..., None], _PAD_ID, ids)
    totals = tf.reshape(scores[..., None] + gains, [-1, num_beams * num_beams])
    found, places = tf.math.top_k(totals, num_beams)
    tokens = tf.gather(tf.reshape(ids, [-1, num_beams * num_beams]), places, batch_dims=1)
    return Chosen(tokens, found, places // num_beams)
