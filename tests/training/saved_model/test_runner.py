"""The small model's export, run: by our runner, and by TensorFlow's conventions."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from code_t5 import errors
from code_t5.training.saved_model import runner

PROMPTS = [[5, 6, 7, 1], [9, 1], [300, 301, 302, 303, 304, 305, 1]]


@pytest.fixture(scope="module")
def loaded(small_export):
    return runner.Runner(small_export)


@pytest.fixture(scope="module")
def served(small_export):
    """The export as TensorFlow's own loader has it."""
    return tf.saved_model.load(str(small_export), tags=["serve"])


def padded(rows, length=64):
    ids = np.zeros((len(rows), length), np.int32)
    for row, values in zip(ids, rows):
        row[: len(values)] = values
    return ids


def test_sizes_are_those_of_the_export(loaded):
    sizes = (loaded.batch_size, loaded.num_candidates, loaded.max_prompt_tokens)
    assert (*sizes, loaded.max_new_tokens) == (3, 1, 64, 12)
    assert loaded.model_info.task == "small_prefix_lm"
    assert loaded.model_info.objective == "prefix_lm"
    assert (loaded.model_info.step, loaded.model_info.checkpoint) == (20, "model.ckpt-20")


def test_prompt_alone_gives_what_it_gives_in_a_batch(loaded):
    together = loaded.predict(padded(PROMPTS))
    assert together.output_ids.shape == (3, 1, 12)
    assert together.output_ids.dtype == np.int32
    assert (together.scores < 0).all()
    for number, prompt in enumerate(PROMPTS):
        # Shorter rows are padded.
        alone = loaded.predict(np.array([prompt]))
        np.testing.assert_array_equal(alone.output_ids[0], together.output_ids[number])
        np.testing.assert_allclose(alone.scores[0], together.scores[number], rtol=1e-5)


def test_prompts_are_told_apart(loaded):
    scores = loaded.predict(padded(PROMPTS)).scores[:, 0]
    assert len(set(np.round(scores, 3))) == 3


def test_nothing_follows_the_end_of_text(loaded):
    found = loaded.predict(padded(PROMPTS))
    for ids in found.output_ids[:, 0].tolist():
        (ends, tokens) = (ids.index(1) if 1 in ids else 11, [one for one in ids if one])
        assert len(tokens) == ends + 1
        assert not any(ids[ends + 1 :])


def test_prompt_without_a_token_is_read_too(loaded):
    found = loaded.predict(np.zeros((1, 0), np.int32))
    assert found.output_ids[0, 0, 0] > 0


@pytest.mark.parametrize(
    "input_ids",
    [
        np.ones((4, 2), np.int32),
        np.ones((0, 2), np.int32),
        np.ones((1, 65), np.int32),
        np.ones(3, np.int32),
        np.ones((1, 2)),
        np.full((1, 2), 10**6),
        np.full((1, 2), -1),
        np.full((1, 2), 1 << 60),
    ],
)
def test_prompts_that_do_not_fit_are_refused(loaded, input_ids):
    with pytest.raises(errors.InputError, match="wanted") as caught:
        loaded.predict(input_ids)
    assert "\n" not in str(caught.value)


def test_export_serves_by_the_conventions_of_tensorflow(loaded, served, small_export):
    assert re.fullmatch(r"\d+", small_export.name)
    assert list(served.signatures) == ["serving_default"]
    predict = served.signatures["serving_default"]
    (inputs,) = predict.structured_input_signature[1].values()
    assert (inputs.name, inputs.shape.as_list(), inputs.dtype) == (
        "input_ids",
        [None, 64],
        tf.int32,
    )
    found = predict(input_ids=tf.constant(padded(PROMPTS[:2])))
    assert {name: value.dtype for name, value in found.items()} == {
        "output_ids": tf.int32,
        "scores": tf.float32,
    }
    ours = loaded.predict(padded(PROMPTS[:2]))
    np.testing.assert_array_equal(found["output_ids"], ours.output_ids)
    np.testing.assert_allclose(found["scores"], ours.scores, rtol=1e-5)


def test_server_of_another_making_is_told_of_too_many_prompts(served):
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 3 prompts"):
        served.signatures["serving_default"](input_ids=tf.constant(padded([[5, 1]] * 4)))


def test_method_is_predict_and_graph_holds_no_text(small_export):
    from tensorflow.core.protobuf import saved_model_pb2

    content = (small_export / "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    signature = graph.signature_def["serving_default"]
    assert signature.method_name == "tensorflow/serving/predict"
    operations = {node.op for node in graph.graph_def.node}
    assert not {name for name in operations if "String" in name or "PyFunc" in name}
    assert {node.device for node in graph.graph_def.node} == {""}


def test_damaged_export_is_refused_before_it_is_run(small_export_copy):
    path = small_export_copy / "variables" / "variables.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(errors.ArtifactError, match=r"that was changed.*export again"):
        runner.Runner(small_export_copy)


def test_graph_that_does_another_thing_is_refused(small_export, monkeypatch):
    def load(version_dir, num_threads):
        return lambda prompts: [np.zeros((len(prompts), 2, 12)), np.zeros((len(prompts), 2))]

    monkeypatch.setattr(runner.graphs, "load", load)
    with pytest.raises(errors.ArtifactError, match=r"gave ids \(3, 2, 12\)"):
        runner.Runner(small_export)


@pytest.mark.slow
def test_runner_loads_neither_seqio_nor_t5(small_export, trainer_at_root):
    program = (
        "import sys; from code_t5.training.saved_model.text_runner import TextRunner;"
        "print('tensorflow' in sys.modules);"
        f"TextRunner({str(small_export)!r}).complete(['x']);"
        "print(sorted({'seqio', 't5', 'torch', 'tensorflow_datasets'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "False\n[]\n"
