"""Decoding of prompts from a file, with a stand-in for the model."""

from __future__ import annotations

import json

import pytest
import tensorflow as tf
from training import tiny_task

from code_t5.training import decoding


@pytest.fixture
def echo(monkeypatch):
    """Makes the model write back, in bytes, the text that it was given."""
    tiny_task.register()

    def decode(estimator, input_fn, vocabulary, checkpoint_path):
        for batch in input_fn({}).as_numpy_iterator():
            for row in batch["inputs"]:
                yield bytes(int(piece) - 3 for piece in row if piece > 1)

    monkeypatch.setattr(decoding.mesh_utils, "decode", decode)


def run(tmp_path, prompts, *, batch_size=4, length=16):
    (tmp_path / "prompts.json").write_text(json.dumps(prompts))
    decoding.decode_prompts(
        None,
        vocabulary=None,
        model_type="bitransformer",
        batch_size=batch_size,
        sequence_length={"inputs": length, "targets": length},
        checkpoint_path="model.ckpt-1",
        mixture_or_task_name=tiny_task.NAME,
        prompts_path=str(tmp_path / "prompts.json"),
        output_path=str(tmp_path / "out.json"),
    )
    return json.loads((tmp_path / "out.json").read_text())


def test_texts_come_back_in_order_whatever_the_batch(tmp_path, echo):
    prompts = [f"a\n\tb{number}\n" for number in range(6)]
    assert run(tmp_path, prompts, batch_size=4) == prompts
    assert run(tmp_path, prompts[:1], batch_size=4) == prompts[:1]


def test_long_prompt_keeps_its_end(tmp_path, echo):
    assert run(tmp_path, ["0123456789"], length=5) == ["6789"]


def test_character_cut_in_the_middle_is_marked(tmp_path, echo):
    # Of the two bytes of é only the second fits.
    assert run(tmp_path, ["é"], length=2) == ["\ufffd"]


def test_model_reads_prompt_end_mark_and_padding(tmp_path, monkeypatch):
    tiny_task.register()
    seen = []

    def decode(estimator, input_fn, vocabulary, checkpoint_path):
        for batch in input_fn({}).as_numpy_iterator():
            seen.extend(batch["inputs"].tolist())
            yield from ["x"] * len(batch["inputs"])

    monkeypatch.setattr(decoding.mesh_utils, "decode", decode)
    assert tf.executing_eagerly()
    run(tmp_path, ["ab"], batch_size=2, length=4)
    assert seen == [[100, 101, 1, 0]] * 2
