"""What task caches hold, for the tests that compare them: parsed by protocol buffers, not by us."""

from __future__ import annotations

import dataclasses
import pathlib

from code_t5.data.task_cache import build
from code_t5.storage import tfrecords


def read_examples(folder: pathlib.Path, split: str) -> list[tuple[bytes, bytes, tuple[int, ...]]]:
    """Returns repository, path and ids of each example of a split, in the order of the shards."""
    import tensorflow as tf

    found = []
    for path in sorted(folder.glob(f"{split}.tfrecord-*")):
        for data in tfrecords.read_records(path):
            feature = tf.train.Example.FromString(data).features.feature
            assert set(feature) == {"repository", "path", "targets"}
            (repository,) = feature["repository"].bytes_list.value
            (name,) = feature["path"].bytes_list.value
            found.append((repository, name, tuple(feature["targets"].int64_list.value)))
    return found


def small_cache_config(data_dir, output, **changes) -> build.CacheConfig:
    """Caches the Task `small` in one process, three shards a split, unless told otherwise."""
    config = build.CacheConfig(
        tasks=("small",),
        output_cache_dir=str(output),
        data_dir=str(data_dir),
        num_workers=1,
        min_shards=3,
    )
    return dataclasses.replace(config, **changes)
