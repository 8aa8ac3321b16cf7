"""Small checkpoints, saved as mesh-tensorflow saves them: sharded, by relative names."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow.compat.v1 as tf

WEIGHTS = {
    "shared/embedding": np.arange(24, dtype=np.float32).reshape(6, 4),
    "decoder/block_000/self_attention/SelfAttention/q": np.ones((4, 4), np.float32),
    "shared/embedding_slot_vr": np.zeros(4, np.float32),
}


def save(model_dir, steps, *, weights=None):
    """Saves a checkpoint per step; a weight's values grow with the step."""
    model_dir.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.train.get_or_create_global_step()
        values = WEIGHTS if weights is None else weights
        variables = [tf.Variable(value, name=name) for name, value in values.items()]
        grow = [tf.assign_add(v, tf.ones_like(v)) for v in variables]
        saver = tf.train.Saver(
            tf.global_variables(), sharded=True, save_relative_paths=True, max_to_keep=8
        )
        session.run(tf.global_variables_initializer())
        for number in steps:
            session.run([*grow, tf.assign(step, number)])
            saver.save(session, str(model_dir / "model.ckpt"), global_step=number)
    return model_dir


def data_file(model_dir, step):
    """The largest data file of a checkpoint."""
    files = model_dir.glob(f"model.ckpt-{step}.data-*")
    return max(files, key=lambda path: path.stat().st_size)


def flip_byte(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0x40
    path.write_bytes(data)


def contents(folder):
    """Name and hash of every file below a folder, lock files left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }
