"""What the trainer's process refuses to export, with graphs made for it."""

from __future__ import annotations

import gin
import pytest
import tensorflow.compat.v1 as tf
from training import tiny_task

from code_t5 import errors
from code_t5.training.saved_model import candidates, exporting, task_facts


def test_graph_of_several_devices_is_refused():
    with tf.Graph().as_default() as graph:
        for _ in range(2):
            tf.add_to_collection(candidates.SCORES, tf.constant(1.0))
        with pytest.raises(errors.InputError, match="found 2 tensors code_t5_scores"):
            exporting._only(graph, candidates.SCORES)


def test_graph_without_our_predictions_is_refused():
    with pytest.raises(errors.InputError, match="not made by predict_candidates"):
        exporting._settings(tf.Graph())


def test_graph_that_does_more_than_compute_is_not_exported():
    with tf.Graph().as_default() as graph:
        prompts = tf.identity(tf.placeholder(tf.int32, []), name="prompts")
        tf.add(prompts, tf.strings.length(tf.io.read_file("x")), name="ids")
    with pytest.raises(errors.InputError, match="ReadFile"):
        exporting._cut(graph, ["ids:0"], inputs="prompts:0")


def test_part_that_is_cut_out_has_neither_prompts_nor_variables():
    with tf.Graph().as_default() as graph:
        prompts = tf.identity(tf.placeholder(tf.int32, []), name="prompts")
        weight = tf.get_variable("weight", [], tf.int32, use_resource=False)
        tf.add(prompts, weight, name="ids")
        tf.constant(1, name="unneeded")
    part, names = exporting._cut(graph, ["ids:0"], inputs="prompts:0")
    assert names == ["weight"]
    assert sorted(node.name for node in part.node) == ["ids", "weight/read"]


def test_checkpoint_of_another_model_is_refused(trained_small):
    prefix = str(trained_small.model_dir / "model.ckpt-20")
    with tf.Graph().as_default(), tf.Session() as session:
        with pytest.raises(errors.InputError, match="has no decoder/block_099/weight"):
            exporting._restored(
                ["decoder/block_099/weight"], checkpoint_path=prefix, session=session
            )


def test_vocabulary_of_another_library_is_refused():
    tiny_task.register()
    with pytest.raises(errors.InputError, match="ByteVocabulary"):
        task_facts.inputs_feature(tiny_task.NAME)


@pytest.fixture
def task_without_objective(monkeypatch):
    """A Task that leaves its objective to gin."""
    import t5.data.preprocessors  # what gin configures  # noqa: F401

    from code_t5.data import objective_task, preprocessors  # noqa: F401

    class Undecided(objective_task.ObjectiveTask):
        def __init__(self):
            self.objective = None

    monkeypatch.setattr(task_facts.seqio, "get_mixture_or_task", lambda name: Undecided())
    with gin.unlock_config():
        yield "undecided"
        gin.clear_config()


@pytest.mark.parametrize("name", ["prefix_lm", "infilling", "span_corruption"])
def test_objective_is_the_one_that_gin_binds(task_without_objective, name):
    binding = "preprocessors.unsupervised.preprocessors = [@code_t5.preprocessors."
    gin.parse_config(f"{binding}{name}]")
    assert task_facts.objective(task_without_objective) == name


def test_objective_whose_prompts_the_decoder_reads_is_refused(task_without_objective):
    gin.parse_config(
        "preprocessors.unsupervised.preprocessors = [@code_t5.preprocessors.causal_lm]"
    )
    with pytest.raises(errors.InputError, match=r"causal_lm.*scripts/complete\.py"):
        task_facts.objective(task_without_objective)
