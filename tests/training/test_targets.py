"""What is counted is exactly what the trainer reads, on a Task whose tokens are bytes."""

from __future__ import annotations

import gin
import numpy as np
import pytest
from training import tiny_task

from code_t5 import errors
from code_t5.training import targets

PREFIX_LM = """
preprocessors.unsupervised.preprocessors = [@split_tokens_to_inputs_length, @preprocessors.denoise]
preprocessors.denoise.noise_density = 0.5
preprocessors.denoise.noise_mask_fn = @preprocessors.random_prefix_noise_mask
preprocessors.denoise.inputs_fn = @preprocessors.drop_nonnoise_tokens
preprocessors.denoise.targets_fn = @preprocessors.drop_noise_tokens
"""


@pytest.fixture(autouse=True)
def registered():
    tiny_task.register()
    yield
    with gin.unlock_config():
        gin.clear_config()


def bind(text):
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config(text)


def counts_of(*words):
    """Counts of the words' bytes (byte b is piece b + 3) with an end, piece 1, after each."""
    pieces = [byte + 3 for word in words for byte in word.encode()] + [1] * len(words)
    return np.bincount(pieces, minlength=259).tolist()


def test_counts_are_those_of_the_bytes_and_the_ends_without_padding():
    found = targets.target_counts(
        tiny_task.COPY_NAME, split="validation", sequence_length={"inputs": 16, "targets": 16}
    )
    assert found.tolist() == counts_of("abc", "abcdefg", "b")


def test_counts_are_of_targets_trimmed_as_the_trainer_trims_them():
    found = targets.target_counts(
        tiny_task.COPY_NAME, split="validation", sequence_length={"inputs": 16, "targets": 5}
    )
    assert found.tolist() == counts_of("abc", "abcd", "b")


def test_counts_of_a_few_examples_are_those_of_the_first():
    found = targets.target_counts(
        tiny_task.COPY_NAME,
        split="validation",
        sequence_length={"inputs": 16, "targets": 16},
        max_examples=1,
    )
    assert found.tolist() == counts_of("abc")


def test_same_seed_cuts_at_the_same_places_and_another_seed_elsewhere():
    bind(PREFIX_LM)
    arguments = {"split": "validation", "sequence_length": {"inputs": 16, "targets": 16}}
    first, again, other = (
        targets.target_counts(tiny_task.NAME, seed=seed, **arguments).tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_fill_is_the_share_of_positions_that_hold_a_token():
    # The three words with their ends, 4 + 8 + 2 tokens, come packed into one row of 16 each time.
    found = targets.target_fill(
        tiny_task.COPY_NAME, sequence_length={"inputs": 14, "targets": 16}, num_rows=8
    )
    assert 0.6 < found <= 14 / 16


def test_fill_of_prefix_lm_is_about_half():
    bind(PREFIX_LM)
    found = targets.target_fill(
        tiny_task.NAME, sequence_length={"inputs": 32, "targets": 32}, num_rows=256
    )
    assert 0.4 < found < 0.65


def test_unknown_task_is_named():
    with pytest.raises(errors.NotBuiltError, match="no_such_task"):
        targets.target_counts("no_such_task", split="train", sequence_length={"targets": 8})
