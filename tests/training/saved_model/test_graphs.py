"""Graphs of exports: whole ones run, hostile and damaged ones are refused before they do."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import saved_model_pb2

from code_t5 import errors
from code_t5.training.saved_model import graphs


def write_model(folder, *, ids_of=lambda prompts, weight: prompts + weight, outputs=None):
    """Writes a SavedModel with one weight, 2.0, whose candidates are what `ids_of` says."""
    with tf.Graph().as_default(), tf.Session() as session:
        prompts = tf.placeholder(tf.int32, [None, 2])
        weight = tf.get_variable("weight", [], tf.float32, tf.ones_initializer(), use_resource=True)
        session.run(weight.assign(2.0))
        ids = ids_of(prompts, tf.cast(weight, tf.int32))
        gives = {"output_ids": ids, "scores": tf.cast(ids, tf.float32)}
        signature = tf.saved_model.predict_signature_def(
            {"input_ids": prompts}, {outputs: ids} if outputs else gives
        )
        builder = tf.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"serving_default": signature}
        )
        builder.save()
    return folder


def change(folder, edit):
    """Rewrites the graph's file."""
    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


def test_what_lies_between_prompts_and_candidates_is_run(tmp_path):
    call = graphs.load(write_model(tmp_path / "1"))
    ids, scores = call(np.array([[1, 2], [3, 4]], np.int32))
    assert ids.tolist() == [[3, 4], [5, 6]]
    assert scores.tolist() == [[3.0, 4.0], [5.0, 6.0]]


def read_a_file(prompts, weight):
    content = tf.io.read_file("/etc/hostname")
    return prompts + weight + tf.strings.length(content)


def call_python(prompts, weight):
    return tf.py_func(lambda x: x, [prompts + weight], tf.int32)


def write_a_file(prompts, weight):
    with tf.control_dependencies([tf.io.write_file("/tmp/never", "x")]):
        return prompts + weight


@pytest.mark.parametrize(
    ("ids_of", "operation"),
    [(read_a_file, "ReadFile"), (call_python, "PyFunc"), (write_a_file, "WriteFile")],
)
def test_operation_that_does_more_than_compute_is_refused(tmp_path, ids_of, operation):
    folder = write_model(tmp_path / "1", ids_of=ids_of)
    with pytest.raises(errors.ArtifactError, match=f"holds .*{operation}") as caught:
        graphs.load(folder)
    assert "\n" not in str(caught.value)


def test_function_is_refused(tmp_path):
    folder = write_model(tmp_path / "1")

    def add_function(graph):
        graph.graph_def.library.function.add().signature.name = "f"

    change(folder, add_function)
    with pytest.raises(errors.ArtifactError, match="holds functions"):
        graphs.load(folder)


def test_what_candidates_do_not_need_is_left_out(tmp_path):
    folder = write_model(tmp_path / "1")

    def add_reader(graph):
        node = graph.graph_def.node.add()
        node.name, node.op = "reader", "ReadFile"

    change(folder, add_reader)
    assert graphs.load(folder)(np.zeros((1, 2), np.int32))[0].tolist() == [[2, 2]]


def test_signature_of_another_model_is_refused(tmp_path):
    folder = write_model(tmp_path / "1", outputs="classes")
    with pytest.raises(errors.ArtifactError, match=r"gives \['classes'\] in its signature"):
        graphs.load(folder)


def test_missing_operation_is_refused(tmp_path):
    folder = write_model(tmp_path / "1")

    def remove(graph):
        kept = [node for node in graph.graph_def.node if node.op != "AddV2"]
        del graph.graph_def.node[:]
        graph.graph_def.node.extend(kept)

    change(folder, remove)
    with pytest.raises(errors.ArtifactError, match="does not hold together"):
        graphs.load(folder)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\n\x05hello"])
def test_file_that_is_no_graph_is_refused(tmp_path, content):
    folder = write_model(tmp_path / "1")
    (folder / "saved_model.pb").write_bytes(content)
    with pytest.raises(errors.ArtifactError, match=r"cannot be read|no signature"):
        graphs.load(folder)


def test_weight_of_another_shape_is_refused(tmp_path):
    folder = write_model(tmp_path / "1")

    def widen(graph):
        (node,) = [node for node in graph.graph_def.node if node.op == "VarHandleOp"]
        node.attr["shape"].shape.dim.add().size = 1 << 40

    change(folder, widen)
    with pytest.raises(errors.ArtifactError, match="wants weight as float32"):
        graphs.load(folder)


def test_damaged_weights_are_refused(tmp_path):
    folder = write_model(tmp_path / "1")
    path = folder / "variables" / "variables.data-00000-of-00001"
    path.write_bytes(bytes(reversed(path.read_bytes())))
    with pytest.raises(errors.ArtifactError, match=r"the weights of .* cannot be read"):
        graphs.load(folder)
