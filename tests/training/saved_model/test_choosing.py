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


def test_beams_are_the_best_of_all_continuations(logits):
    found = choosing.choose_beams(tf.constant(logits), **given(SCORES, FINISHED))
    gains = log_softmax(logits)
    for row in range(2):
        every = []
        for beam in range(3):
            if FINISHED[row][beam]:
                every.append((SCORES[row][beam], beam, 0))
                continue
            for token in range(1, VOCABULARY):
                every.append((SCORES[row][beam] + gains[row, beam, token], beam, token))
        wanted = sorted(every, reverse=True)[:3]
        np.testing.assert_allclose(found.scores[row], [score for score, _, _ in wanted], rtol=1e-5)
        assert found.parents[row].numpy().tolist() == [beam for _, beam, _ in wanted]
        assert found.tokens[row].numpy().tolist() == [token for _, _, token in wanted]


def test_a_search_begins_with_one_beam(logits):
    same = np.tile(logits[:, :1], (1, 3, 1))
    scores = choosing.first_scores(2, 3)
    found = choosing.choose_beams(tf.constant(same), **given(scores, np.zeros((2, 3), bool)))
    assert found.parents.numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    assert all(len(set(row)) == 3 for row in found.tokens.numpy().tolist())
