from __future__ import annotations

import numpy as np
import pytest
import seqio

from code_t5.data import line_metrics, tasks
from code_t5.storage import tfrecords

pytestmark = pytest.mark.usefixtures("own_registries")
_LENGTHS = {"inputs": 64, "targets": 32}


@pytest.fixture
def task(small_data_dir):
    tasks.register_tasks(str(small_data_dir))
    return seqio.TaskRegistry.get("small_line_completion")


def _examples(task):
    dataset = task.get_dataset(_LENGTHS, split="validation", shuffle=False, seed=0)
    return list(dataset.as_numpy_iterator())


def test_answers_are_the_text_of_the_targets(task, small_data_dir):
    folder = small_data_dir / "flcc/small/2.0.0"
    texts = [
        text.decode()
        for path in sorted(folder.glob("flcc-validation.*"))
        for (text,) in tfrecords.read_features(path, ["text"])
    ]
    vocabulary = task.output_features["targets"].vocabulary
    for example in _examples(task):
        answer = example["targets_pretokenized"].decode()
        assert answer and vocabulary.encode(answer) == example["targets"][:-1].tolist()
        prompt = vocabulary.decode(example["inputs"].tolist())
        assert any(prompt + answer in text for text in texts)


def test_answers_know_their_cursor_and_whether_they_were_cut(task):
    vocabulary = task.output_features["targets"].vocabulary

    def answer(prompt, targets, length):
        padded = np.array([*targets, *[0] * (length - len(targets))])
        example = {"inputs": np.array([*vocabulary.encode(prompt), 1, 0, 0]), "targets": padded}
        return task.postprocess_fn("x = 1", example=example, is_target=True)

    assert answer("def f():\n    ", [9, 1], 4) == line_metrics.Answer("x = 1", True, False)
    assert answer("def f():\n    y", [9, 9, 9, 1], 4) == line_metrics.Answer("x = 1", False, True)


def test_predictions_end_with_their_line(task):
    example = _examples(task)[0]
    assert task.postprocess_fn("a b\nc", example=example) == "a b"
    assert task.metric_fns == [line_metrics.line_metrics]


def test_other_objectives_have_no_metrics_and_no_answers(task):
    other = seqio.TaskRegistry.get("small_prefix_lm")
    assert other.metric_fns == []
    assert set(_examples(other)[0]) == {"inputs", "targets"}
