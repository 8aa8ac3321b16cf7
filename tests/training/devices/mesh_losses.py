"""Trains copies of one model on several meshes by the trainer's own `main`, in one process.

    python tests/training/devices/mesh_losses.py BASE_DIR MESH[,MESH...] TRAINER_FLAGS...

Starting the trainer for each mesh would import TensorFlow each time. `BASE_DIR` is a model
directory; its copies beside it are named as the meshes. Before each one's log `MESH name` is
printed to stderr. The mesh `still` is `cpu_1` with a learning rate of 0.
"""

from __future__ import annotations

import shutil
import sys

import gin
import tensorflow.compat.v1 as tf
from absl import flags
from t5.models import mesh_transformer_main


def main(argv):
    """Trains on each mesh in turn."""
    base_dir, meshes, *trainer_flags = argv[1:]
    flags.FLAGS(["trainer", *trainer_flags])
    given, params = list(flags.FLAGS.gin_file), list(flags.FLAGS.gin_param)
    tf.disable_v2_behavior()
    tf.logging.set_verbosity(tf.logging.INFO)
    for mesh in meshes.split(","):
        print("MESH", mesh, file=sys.stderr, flush=True)
        flags.FLAGS.model_dir = shutil.copytree(base_dir, f"{base_dir}-{mesh}")
        is_still = mesh == "still"
        flags.FLAGS.gin_file = [*given, "meshes/cpu_1.gin" if is_still else f"meshes/{mesh}.gin"]
        flags.FLAGS.gin_param = [*params, *(["run.learning_rate_schedule = 0.0"] * is_still)]
        with gin.unlock_config():
            gin.clear_config()
        gin.config._set_config_is_locked(False)
        tf.reset_default_graph()
        mesh_transformer_main.main([])


if __name__ == "__main__":
    main(sys.argv)
