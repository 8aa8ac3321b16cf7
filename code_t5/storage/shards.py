"""Names of shards: one split of a data set lies in several files of records."""

from __future__ import annotations


def shard_name(dataset_name: str, *, split: str, shard_index: int, num_shards: int) -> str:
    """Returns the file name that TFDS gives to a shard of TFRecords.

    Args:
      dataset_name: Name of the TFDS data set, without its config.
      split: `train`, `validation` or `test`.
      shard_index: Counted from 0.
      num_shards: Of this split.

    Returns:
      The file's name.

    Raises:
      ValueError: `shard_index` is not below `num_shards`.

    >>> shard_name("flcc", split="train", shard_index=1, num_shards=3)
    'flcc-train.tfrecord-00001-of-00003'
    """
    if not 0 <= shard_index < num_shards:
        raise ValueError(f"shard_index is {shard_index}; wanted 0 to {num_shards - 1}")
    return f"{dataset_name}-{split}.tfrecord-{shard_index:05d}-of-{num_shards:05d}"
