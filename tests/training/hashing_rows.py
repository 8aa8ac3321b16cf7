"""A `train_dataset_fn` for tests that writes down which rows the trainer was given.

Of each row a line goes to a file: its number, counted from the run's first row, and a hash.
"""

from __future__ import annotations

import hashlib
import json

import gin
import tensorflow.compat.v1 as tf

from code_t5.training import input_functions


@gin.configurable
def hashing_train_dataset_fn(
    sequence_length,
    *,
    vocabulary,
    dataset_split,
    mixture_or_task_name=gin.REQUIRED,
    hashes_path=gin.REQUIRED,
    resume=None,
):
    """Gives the rows of `token_train_dataset_fn`."""
    dataset = input_functions.token_train_dataset_fn(
        sequence_length,
        vocabulary=vocabulary,
        dataset_split=dataset_split,
        mixture_or_task_name=mixture_or_task_name,
        resume=resume,
    )
    keys = sorted(dataset.element_spec)

    def write_hash(number, *arrays):
        digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
        with open(hashes_path, "a", encoding="ascii") as file:
            file.write(json.dumps([int(number) + resume.first_row, digest]) + "\n")

    def pass_on(number, row):
        written = tf.numpy_function(write_hash, [number, *(row[key] for key in keys)], [])
        with tf.control_dependencies([written]):
            return {key: tf.identity(row[key]) for key in keys}

    return dataset.enumerate().map(pass_on)
