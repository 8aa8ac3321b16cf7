"""One step of decoding, compared with every continuation that there is."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from code_t5.training.saved_model import choosing

VOCABULARY = 7
# Padding is never chosen.
ALLOWED = np.arange(VOCABULARY) > 0


@pytest.fixture
def logits():
    return (np.random.default_rng(0).normal(size=(2, 3, VOCABULARY)) * 2).astype(np.float32)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def given(scores, finished):
    return {
        "scores": tf.constant(scores, tf.float32),
        "finished": tf.constant(finished),
        "allowed": ALLOWED,
    }


SCORES = [[-1.0, -2.0, -2.5], [-0.5, -3.0, -3.1]]
FINISHED = [[False, True, False], [False, False, False]]


def test_likeliest_token_adds_its_log_probability(logits):
    found = choosing.choose_likeliest(tf.constant(logits), **given(SCORES, FINISHED))
    wanted = logits[..., 1:].argmax(axis=-1) + 1
    gains = np.take_along_axis(log_softmax(logits), wanted[..., None], axis=-1)[..., 0]
    gains[0, 1], wanted[0, 1] = 0, 0
    np.testing.assert_array_equal(found.tokens, wanted)
    np.testing.assert_allclose(found.scores, np.array(SCORES) + gains, rtol=1e-5)
    assert found.parents is None


def test_token_that_is_not_allowed_is_passed_over():
    logits = tf.constant([[[9.0, 1.0, 0.0]]])
    nothing = {"scores": tf.zeros([1, 1]), "finished": tf.constant([[False]])}
    allowed = np.array([False, True, True])
    found = choosing.choose_likeliest(logits, **nothing, allowed=allowed)
    assert found.tokens.numpy().tolist() == [[1]]
    # Its probability counts all the same.
    assert found.scores.numpy()[0, 0] == pytest.approx(-8.0, abs=1e-3)


def test_drawing_among_one_takes_the_likeliest(logits):
    arguments = given(SCORES, FINISHED)
    drawn = choosing.choose_drawn(tf.constant(logits), **arguments, temperature=5.0, top_k=1)
    likeliest = choosing.choose_likeliest(tf.constant(logits), **arguments)
    np.testing.assert_array_equal(drawn.tokens, likeliest.tokens)
    np.testing.assert_allclose(drawn.scores, likeliest.scores, rtol=1e-6)


def test_tokens_are_drawn_as_often_as_the_model_says():
    tf.random.set_seed(1)
    probabilities = np.array([0.1, 0.6, 0.3], np.float32)
    logits = tf.constant(np.tile(np.log(probabilities), (1, 4000, 1)))
    start = {"scores": tf.zeros([1, 4000]), "finished": tf.zeros([1, 4000], tf.bool)}
    found = choosing.choose_drawn(
        logits, **start, allowed=np.array([False, True, True]), temperature=1.0, top_k=0
    )
    tokens = found.tokens.numpy()[0]
    assert set(tokens) == {1, 2}
    assert (tokens == 1).mean() == pytest.approx(2 / 3, abs=0.03)
    np.testing.assert_allclose(found.scores[0], np.log(probabilities)[tokens], rtol=1e-5)


def every_continuation(logits, scores):
    """All continuations, `(score, beam, token)`, best first."""
    gains = log_softmax(logits)
    return sorted(
        (
            (scores[beam] + gains[beam, token], beam, token)
            for beam in range(3)
            for token in range(1, VOCABULARY)
        ),
        reverse=True,
    )


@pytest.mark.parametrize("ends", [[1], [1, 4], [1, 2, 3, 4]])
def test_beams_are_the_best_of_all_continuations(logits, ends):
    found = choosing.choose_beams(
        tf.constant(logits), scores=tf.constant(SCORES), allowed=ALLOWED, ends=np.array(ends)
    )
    for row in range(2):
        every = every_continuation(logits[row], SCORES[row])
        going_on = [one for one in every if one[2] not in ends][:3]
        np.testing.assert_allclose(
            found.alive.scores[row], [score for score, _, _ in going_on], rtol=1e-5
        )
        parents, tokens = found.alive.parents[row].numpy(), found.alive.tokens[row].numpy()
        assert list(zip(parents, tokens)) == [one[1:] for one in going_on]
        # What ends counts among the best three of all.
        ended = [one for one in every[:3] if one[2] in ends]
        counted = [score for score in found.ended.scores[row].numpy() if score > -1e8]
        np.testing.assert_allclose(counted, [score for score, _, _ in ended], rtol=1e-5)


def test_search_finds_the_best_of_all_texts():
    """A chain of three steps over a table of probabilities, beside all texts that there are."""
    rng = np.random.default_rng(3)
    table = log_softmax(rng.normal(size=(VOCABULARY, VOCABULARY)).astype(np.float32))
    now = choosing.start(
        1, num_beams=7, length=3, is_search=True, finished=tf.zeros([1, 7], tf.bool)
    )
    for _ in range(3):
        step = choosing.choose_beams(
            tf.gather(tf.constant(table), now.tokens),
            scores=now.scores,
            allowed=ALLOWED,
            ends=np.array([1]),
        )
        now = choosing.after_search(now, step)
    ids, scores = choosing.best_first(now)

    def texts(before, score):
        last = before[-1] if before else 0
        if len(before) == 3 or last == 1:
            yield score, (*before, 0, 0)[:3]
            return
        for token in range(1, VOCABULARY):
            yield from texts((*before, token), score + table[last, token])

    wanted = sorted(texts((), 0.0), reverse=True)[:2]
    np.testing.assert_allclose(scores[0, :2], [score for score, _ in wanted], rtol=1e-4)
    assert [tuple(row) for row in ids[0, :2].numpy()] == [text for _, text in wanted]


def test_search_ends_when_nothing_can_be_better():
    now = choosing.start(
        1, num_beams=2, length=4, is_search=True, finished=tf.zeros([1, 2], tf.bool)
    )
    # The end of text is as good as certain, then anything else is not.
    logits = tf.constant([[[-9.0, 5.0, 4.0, -9.0], [-9.0, 5.0, 4.0, -9.0]]])
    known = {"allowed": np.arange(4) > 0, "ends": np.array([1])}
    now = choosing.after_search(now, choosing.choose_beams(logits, scores=now.scores, **known))
    assert not now.finished.numpy().any()
    now = choosing.after_search(now, choosing.choose_beams(logits, scores=now.scores, **known))
    assert now.finished.numpy().all()
    ids, scores = choosing.best_first(now)
    assert ids.numpy().tolist() == [[[1, 0, 0, 0], [2, 1, 0, 0]]]
    sure = 5 - np.log(np.exp([-9, 5, 4, -9]).sum())
    np.testing.assert_allclose(scores[0], [sure, 2 * sure - 1], rtol=1e-5)
