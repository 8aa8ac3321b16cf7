"""One step of decoding after the model: which token each candidate goes on with.

Plain TensorFlow on whole tensors. A *beam* here is one of the candidates of a prompt that are
decoded side by side; its *parent* the beam of the step before that it goes on with. A finished beam
stays as it is: it gets padding, which costs nothing. A search puts what is finished aside, so that
all of its beams go on.

Import this module only where TensorFlow is wanted: it imports it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

# Less than any sum of log-probabilities, and still finite when another is added.
_NEVER = -1e9
_PAD_ID = 0


class Progress(NamedTuple):
    """What is known after some steps.

    Attributes:
      position: int32 [], tokens decoded so far.
      tokens: int32 [batch, beam], the last ones.
      ids: int32 [batch, beam, length], all so far, then padding.
      scores: float32 [batch, beam].
      finished: bool [batch, beam].
      ended_ids: int32 [batch, beam, length], what a search has put aside.
      ended_scores: float32 [batch, beam].
    """

    position: Any
    tokens: Any
    ids: Any
    scores: Any
    finished: Any
    ended_ids: Any
    ended_scores: Any


class Chosen(NamedTuple):
    """What a step decides, all `[batch, beam]`.

    Attributes:
      tokens: int32, padding for a beam that was finished.
      scores: float32, nats, this token's log-probability included.
      parents: int32, the beam of the step before; None where every beam is its own parent.
    """

    tokens: tf.Tensor
    scores: tf.Tensor
    parents: tf.Tensor | None


def start(
    batch_size: int, *, num_beams: int, length: int, is_search: bool, finished: Any
) -> Progress:
    """Returns what is known before the first step.

    Args:
      batch_size: Prompts.
      num_beams: Beams of each; before a search the first of them alone counts.
      length: Most tokens of a candidate.
      is_search: Whether it is one.
      finished: bool [batch, beam], what is not decoded.
    """
    scores = np.zeros((batch_size, num_beams), np.float32)
    scores[:, 1 if is_search else num_beams :] = _NEVER
    ids = tf.zeros([batch_size, num_beams, length], tf.int32)
    return Progress(
        position=tf.constant(0),
        tokens=tf.zeros([batch_size, num_beams], tf.int32),
        ids=ids,
        scores=tf.constant(scores),
        finished=finished,
        ended_ids=ids,
        ended_scores=tf.fill([batch_size, num_beams], _NEVER),
    )


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


class BeamStep(NamedTuple):
    """What a step of a search decides.

    Attributes:
      alive: The beams that go on.
      ended: Those that end with this step, best first; the score of none is below all others.
    """

    alive: Chosen
    ended: Chosen


def choose_beams(
    logits: tf.Tensor, *, scores: tf.Tensor, allowed: np.ndarray, ends: np.ndarray
) -> BeamStep:
    """Keeps the best continuations of all beams of a prompt together: one step of a beam search.

    A continuation that ends counts if it is among the best of all, as in Hugging Face's search.

    Args:
      logits: float32 [batch, beam, vocabulary].
      scores: float32 [batch, beam], so far.
      allowed: bool [vocabulary], ids that may be chosen.
      ends: int64 [number of them], the ids that end a candidate.

    Returns:
      The step, best first.
    """
    num_beams = int(logits.shape[1])
    gains = logits - tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
    is_end = np.isin(np.arange(len(allowed)), ends)
    best, ids = tf.math.top_k(_without(gains, allowed & ~is_end), num_beams)
    alive = _best_of_all(scores, gains=best, ids=ids, num_beams=num_beams)
    # Few or many: what ends is looked at apart, so that there is always enough that goes on.
    ending = tf.gather(gains, tf.constant(ends), axis=-1)
    best, places = tf.math.top_k(ending, min(num_beams, len(ends)))
    ids = tf.gather(tf.constant(ends, tf.int32), places)
    ended = _best_of_all(scores, gains=best, ids=ids, num_beams=num_beams)
    both = tf.concat([alive.scores, ended.scores], axis=-1)
    least = tf.math.top_k(both, num_beams).values[..., -1:]
    counted = tf.where_v2(ended.scores >= least, ended.scores, _NEVER)
    return BeamStep(alive, ended._replace(scores=counted))


def _best_of_all(scores: tf.Tensor, *, gains: tf.Tensor, ids: tf.Tensor, num_beams: int) -> Chosen:
    """Returns the best continuations of all beams of a prompt, from the best of each."""
    width = int(gains.shape[-1])
    totals = tf.reshape(scores[..., None] + gains, [-1, num_beams * width])
    found, places = tf.math.top_k(totals, num_beams)
    tokens = tf.gather(tf.reshape(ids, [-1, num_beams * width]), places, batch_dims=1)
    return Chosen(tokens, found, places // width)


def _extended(ids: tf.Tensor, chosen: Chosen, *, position: tf.Tensor) -> tf.Tensor:
    """Returns the ids of beams with one more token: int32 [batch, beam, length]."""
    if chosen.parents is not None:
        ids = tf.gather(ids, chosen.parents, batch_dims=1)
    length = int(ids.shape[-1])
    return ids + chosen.tokens[..., None] * tf.one_hot(position, length, dtype=tf.int32)


def after_choice(now: Progress, *, chosen: Chosen, is_end: np.ndarray) -> Progress:
    """Returns what is known after a step in which every beam is its own parent.

    Args:
      now: Before the step.
      chosen: The step.
      is_end: bool [vocabulary], the ids that end a candidate.
    """
    return now._replace(
        position=now.position + 1,
        tokens=chosen.tokens,
        ids=_extended(now.ids, chosen, position=now.position),
        scores=chosen.scores,
        finished=now.finished | tf.gather(tf.constant(is_end), chosen.tokens),
    )


def after_search(now: Progress, step: BeamStep) -> Progress:
    """Returns what is known after a step of a search.

    A prompt is finished when nothing that goes on can be better than what is put aside: scores only
    fall.

    Args:
      now: Before the step.
      step: The step.
    """
    num_beams = int(now.scores.shape[-1])
    scores = tf.concat([now.ended_scores, step.ended.scores], axis=-1)
    ended = _extended(now.ids, step.ended, position=now.position)
    kept = tf.math.top_k(scores, num_beams)
    rows = tf.gather(tf.concat([now.ended_ids, ended], axis=1), kept.indices, batch_dims=1)
    is_done = kept.values[..., -1:] >= step.alive.scores[..., :1]
    return Progress(
        position=now.position + 1,
        tokens=step.alive.tokens,
        ids=_extended(now.ids, step.alive, position=now.position),
        scores=step.alive.scores,
        finished=now.finished | is_done,
        ended_ids=rows,
        ended_scores=kept.values,
    )


def best_first(now: Progress) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns ids and scores of the best beams, what was put aside among them.

    Args:
      now: After the last step.

    Returns:
      int32 [batch, beam, length] and float32 [batch, beam].
    """
    scores = tf.concat([now.ended_scores, now.scores], axis=-1)
    ids = tf.concat([now.ended_ids, now.ids], axis=1)
    kept = tf.math.top_k(scores, int(now.scores.shape[-1]))
    return tf.gather(ids, kept.indices, batch_dims=1), kept.values
