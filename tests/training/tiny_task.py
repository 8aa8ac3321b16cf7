"""Two Tasks for tests, registered by importing this module, as the trainer does.

`tiny_task` holds a few files and leaves its objective to gin; `tiny_copy` gives three words as they
are. The vocabulary is bytes, so nothing has to be trained: piece 3 is byte 0, and so on.
"""

from __future__ import annotations

import functools

import seqio
import tensorflow as tf
from t5.data import preprocessors

NAME = "tiny_task"
COPY_NAME = "tiny_copy"
COPY_WORDS = ["abc", "abcdefg", "b"]
FILES = {
    "train": [f"def f{number}(x):\n    return x + {number}\n" * 4 for number in range(40)],
    "validation": [f"def g{number}(y):\n    return y - {number}\n" * 4 for number in range(6)],
}


def dataset(split, shuffle_files, seed=None):
    """Returns one split as records with the features `text` and `repository`."""
    repositories = [f"org/repository_{index // 2}" for index in range(len(FILES[split]))]
    found = tf.data.Dataset.from_tensor_slices({"text": FILES[split], "repository": repositories})
    return found.shuffle(100, seed=seed) if shuffle_files else found


def copies(split, shuffle_files, seed=None):
    """Returns the words of `tiny_copy`, the same in every split."""
    del split, shuffle_files, seed
    return tf.data.Dataset.from_tensor_slices({"inputs": COPY_WORDS, "targets": COPY_WORDS})


def register():
    """Registers the Tasks unless they are."""
    if NAME in seqio.TaskRegistry.names():
        return
    feature = seqio.Feature(seqio.ByteVocabulary(extra_ids=0), add_eos=True)
    shared = {"output_features": {"inputs": feature, "targets": feature}, "metric_fns": []}
    splits = ["train", "validation"]
    seqio.TaskRegistry.add(
        NAME,
        source=seqio.FunctionDataSource(dataset, splits=splits),
        preprocessors=[
            functools.partial(
                seqio.preprocessors.rekey, key_map={"inputs": None, "targets": "text"}
            ),
            seqio.preprocessors.tokenize,
            seqio.CacheDatasetPlaceholder(),
            preprocessors.unsupervised,
            seqio.preprocessors.append_eos_after_trim,
        ],
        **shared,
    )
    seqio.TaskRegistry.add(
        COPY_NAME,
        source=seqio.FunctionDataSource(copies, splits=splits),
        preprocessors=[seqio.preprocessors.tokenize, seqio.preprocessors.append_eos_after_trim],
        **shared,
    )


register()
