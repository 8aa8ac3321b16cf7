"""A T5 asked in groups, beside transformers' own forward pass and beam search of one example."""

from __future__ import annotations

import os

import numpy as np
import pytest

from code_t5 import errors
from code_t5.teacher_outputs.codec import TopKCodec
from code_t5.training.teachers import registry, t5_network
from code_t5.training.teachers.t5_inputs import TaskInput


@pytest.fixture(name="teacher")
def _teacher(t5_settings):
    return registry.open_teacher("t5_dev_top32", settings=t5_settings)


@pytest.fixture(name="peer")
def _peer(dev_t5):
    """The same model as transformers opens it."""
    os.environ.setdefault("USE_TF", "0")
    import transformers

    return transformers.T5ForConditionalGeneration.from_pretrained(dev_t5).eval()


def _log_probabilities(peer, example):
    import torch

    with torch.inference_mode():
        logits = peer(
            input_ids=torch.from_numpy(example.inputs)[None].long(),
            labels=torch.from_numpy(example.targets)[None].long(),
        ).logits[0]
        return torch.log_softmax(logits, dim=1).numpy()


def test_groups_say_what_transformers_says_of_each_example_alone(teacher, peer):
    import torch

    examples = teacher.draw(range(6), seed=0, split="train")
    assert len({len(one.inputs) for one in examples}) > 3
    states = teacher.network.states(examples)
    logits = torch.cat(list(teacher.network.logits(states)))
    found = torch.log_softmax(logits, dim=1).numpy()
    wanted = np.concatenate([_log_probabilities(peer, one) for one in examples])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    assert wanted.std() > 0.1
    of_targets = teacher.network.log_probabilities_of(examples)
    targets = np.concatenate([one.targets for one in examples])
    np.testing.assert_allclose(
        of_targets, wanted[np.arange(len(targets)), targets], rtol=0, atol=1e-4
    )


def test_logits_come_in_parts_that_together_are_all(teacher, monkeypatch):
    examples = teacher.draw(range(3), seed=0, split="train")
    states = teacher.network.states(examples)
    whole = np.concatenate([part.numpy() for part in teacher.network.logits(states)])
    monkeypatch.setattr(t5_network, "_LEAST_PART", 5)
    monkeypatch.setattr(t5_network, "_MAX_LOGITS", 1)
    parts = [part.numpy() for part in teacher.network.logits(states)]
    assert {len(part) for part in parts[:-1]} == {5} and len(whole) == len(states)
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-5)


def _example(num_inputs, num_targets):
    return TaskInput(np.full(num_inputs, 5), np.full(num_targets, 5))


def test_groups_hold_every_example_once_and_little_padding():
    rng = np.random.default_rng(0)
    examples = [_example(*rng.integers(1, 120, size=2)) for _ in range(200)]
    found = t5_network.groups(examples)
    assert sorted(number for group in found for number in group) == list(range(200))
    assert t5_network.groups(examples) == found
    assert all(len(group) >= 8 for group in found[:-1]) and len(found) > 8
    for group in found:
        sizes = np.array([[len(part) for part in examples[number]] for number in group])
        if len(group) > 9:
            assert sizes.sum() >= 0.8 * len(group) * sizes.max(axis=0).sum()


def test_examples_of_one_length_are_one_group():
    assert t5_network.groups([_example(9, 4)] * 50) == [list(range(50))]


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_most_likely_tokens_are_those_of_the_codec(temperature):
    import torch

    logits = np.random.default_rng(1).normal(0, 3, (40, 100)).astype(np.float32)
    codec = TopKCodec(vocab_size=100, k=7, temperature=temperature)
    wanted = codec.encode(logits)
    ids, logs, tail = t5_network.most_likely(torch.from_numpy(logits), k=7, temperature=temperature)
    found = codec.pack(ids, log_probabilities=logs, tail_mass=tail)
    np.testing.assert_array_equal(found.ids, wanted.ids)
    np.testing.assert_allclose(found.values, wanted.values, atol=4e-3)
    np.testing.assert_allclose(found.tail_mass, wanted.tail_mass, rtol=1e-5, atol=1e-7)


def test_logits_that_are_no_numbers_are_refused():
    import torch

    logits = torch.zeros(2, 8)
    logits[1, 3] = float("nan")
    with pytest.raises(errors.ArtifactError, match="no numbers.*--step"):
        t5_network.most_likely(logits, k=2, temperature=1.0)


def test_beams_are_those_of_each_example_alone(teacher):
    examples = [
        TaskInput(one.inputs[:length], one.targets)
        for one, length in zip(teacher.draw(range(4), seed=0, split="train"), (2, 24, 9, 16))
    ]
    settings = {"max_new_tokens": 6, "length_penalty": 0.0}
    together = teacher.network.beams(examples, settings=settings, num_beams=3)
    for one, found in zip(examples, together):
        (alone,) = teacher.network.beams([one], settings=settings, num_beams=3)
        assert found.sequences[0] == alone.sequences[0]
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-4)
        assert found.scores == sorted(found.scores, reverse=True)
        assert len({tuple(row) for row in found.sequences}) == 3


def test_a_score_is_the_sum_of_log_probabilities(teacher, peer):
    (example,) = teacher.draw([0], seed=0, split="train")
    settings = {"max_new_tokens": 6, "length_penalty": 0.0}
    (beams,) = teacher.network.beams([example], settings=settings, num_beams=2)
    for tokens, score in zip(beams.sequences, beams.scores):
        asked = TaskInput(example.inputs, np.array(tokens, np.int32))
        logs = _log_probabilities(peer, asked)
        assert score == pytest.approx(logs[np.arange(len(tokens)), tokens].sum(), abs=1e-3)


def test_one_beam_is_greedy(teacher, peer):
    (example,) = teacher.draw([0], seed=0, split="train")
    (beams,) = teacher.network.beams([example], settings={"max_new_tokens": 4}, num_beams=1)
    tokens = beams.sequences[0]
    logs = _log_probabilities(peer, TaskInput(example.inputs, np.array(tokens, np.int32)))
    assert logs.argmax(axis=1).tolist() == tokens
