"""What mesh-tensorflow's own models say of inputs and targets: a program in a process of its own.

    python mesh_models.py JOBS.json

A *job* is a model: built from gin files and bindings as the trainer builds it, with the weights of
a checkpoint, or with weights by chance that it saves as one, beside `operative_config.gin`.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys

import gin
import mesh_tensorflow as mtf
import numpy as np
import t5.models.mesh_transformer  # registers what configurations name  # noqa: F401
import tensorflow.compat.v1 as tf
from mesh_tensorflow.transformer import utils

import code_t5.training.input_functions  # noqa: F401 - the same


def main(jobs_path: str) -> None:
    """Does every job: writes float32 logits [rows, length, vocabulary] by the name of the rows."""
    packages = [os.path.dirname(package.__file__) for package in (mtf, t5)]
    for package, folder in zip(packages, ("transformer/gin", "models/gin")):
        gin.add_config_file_search_path(os.path.join(package, folder))
    gin.add_config_file_search_path("gin_configs")
    for job in json.loads(pathlib.Path(jobs_path).read_bytes()):
        gin.clear_config()
        gin.parse_config_files_and_bindings(job["gin_files"], job["bindings"], skip_unknown=True)
        arrays = np.load(job["arrays_path"])
        logits = {name: _logits(arrays, name, job=job) for name in job["names"]}
        np.savez(job["logits_path"], **logits)


def _logits(arrays: np.ndarray, name: str, *, job: dict) -> np.ndarray:
    graph = mtf.Graph()
    with tf.Graph().as_default():
        mesh = mtf.Mesh(graph, "mesh")
        rows = mtf.Dimension("batch", len(arrays[f"{name}/inputs"]))
        features = []
        for feature in ("inputs", "targets"):
            array = arrays[f"{name}/{feature}"]
            shape = mtf.Shape([rows, mtf.Dimension("length", array.shape[1])])
            features.append(mtf.import_tf_tensor(mesh, tf.constant(array, tf.int32), shape))
        model = utils.build_model(
            model_type="bitransformer",
            input_vocab_size=job["vocabulary_size"],
            output_vocab_size=job["vocabulary_size"],
            layout_rules=[],
            mesh_shape="all:1",
        )
        found, _ = model.call_simple(*features, compute_loss=False, mode="eval")
        device = mtf.placement_mesh_impl.PlacementMeshImpl("all:1", "", ["cpu:0"])
        lowering = mtf.Lowering(graph, {mesh: device})
        result = lowering.export_to_tf_tensor(found)
        with tf.Session() as session:
            if not pathlib.Path(f"{job['checkpoint']}.index").is_file():
                _save_by_chance(session, job["checkpoint"])
            tf.train.Saver(tf.global_variables()).restore(session, job["checkpoint"])
            session.run(lowering.copy_masters_to_slices())
            return session.run(result)


def _save_by_chance(session: tf.Session, checkpoint: str) -> None:
    """Saves a model whose every variable differs from every other, and its configuration."""
    random = np.random.default_rng(0)
    session.run(tf.global_variables_initializer())
    for variable in tf.global_variables():
        variable.load(session.run(variable) + random.normal(0, 0.1, variable.shape), session)
    path = pathlib.Path(checkpoint)
    saver = tf.train.Saver(tf.global_variables())
    saver.save(session, checkpoint, write_meta_graph=False)
    text = gin.operative_config_str()
    text += "\nMIXTURE_NAME = 'small_prefix_lm'\n"
    text += "utils.run.sequence_length = {'inputs': 64, 'targets': 32}\n"
    (path.parent / "operative_config.gin").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
