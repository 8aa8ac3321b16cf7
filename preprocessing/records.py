"""Writes the kept records as the shards and the metadata of a TFDS data set, without TensorFlow.

Records stand in the order of their content's hash, which is as good as shuffled: neighbours in a
shard come from unrelated repositories. The metadata is what TFDS 4.9 itself writes for the builder
in `preprocessing.flcc` (a test compares the two).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable

import numpy as np

from code_t5.storage import atomic, fingerprints, shards, tfrecords
from code_t5.storage.prepared import DATASET_NAME, VERSION
from preprocessing import scan, splits, unit_store

BUILDER_MODULE = "preprocessing.flcc.flcc_dataset_builder"
DESCRIPTION = "Source files of repositories, filtered, deduplicated and split by repository."
RELEASE_NOTES = {
    "1.0.0": "First version.",
    VERSION: "Near-duplicates, benchmarks, secrets and personal data taken out; the licence kept.",
}
TEXT_FEATURES = ("branch", "content_hash", "language", "license", "path", "repository", "text")
INT_FEATURES = ("size",)

# Large enough to read in one go, small enough that a data set has several to read in parallel.
_SHARD_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class Shard:
    """One shard as written.

    Attributes:
      split: Which split it belongs to.
      name: Its file name.
      num_examples: Records in it.
      num_bytes: Of the records, framing excluded, as TFDS counts them.
      sha256: Of the file.
    """

    split: str
    name: str
    num_examples: int
    num_bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """What one worker writes.

    Attributes:
      split: Which split it belongs to.
      name: Its file name.
      rows: `scan.INDEX_DTYPE [num_examples]`, in the order of the shard.
    """

    split: str
    name: str
    rows: np.ndarray


def plan_shards(
    rows_fn: Callable[[str], Iterator[np.ndarray]], *, shard_bytes: int = _SHARD_BYTES
) -> Iterator[ShardPlan]:
    """Cuts each split into shards of about equal size.

    Args:
      rows_fn: Gives the kept rows of a split, range by range, in the order of their hashes.
      shard_bytes: About how large a shard is.

    Yields:
      The plans, split by split; memory holds about one range of rows.
    """
    for split in splits.SPLITS:
        total = sum(int(rows["length"].sum(dtype=np.int64)) for rows in rows_fn(split))
        if not total:
            continue
        num_shards = max(1, round(total / shard_bytes))
        name_fn = functools.partial(
            shards.shard_name, DATASET_NAME, split=split, num_shards=num_shards
        )
        pending: list[np.ndarray] = []
        start = shard_index = 0
        for rows in rows_fn(split):
            starts = start + np.cumsum(rows["length"], dtype=np.int64) - rows["length"]
            start += int(rows["length"].sum(dtype=np.int64))
            shard_of_row = np.minimum(starts * num_shards // total, num_shards - 1)
            for target in np.unique(shard_of_row).tolist():
                while shard_index < target:
                    yield ShardPlan(split, name_fn(shard_index=shard_index), _joined(pending))
                    pending, shard_index = [], shard_index + 1
                pending.append(rows[shard_of_row == target])
        yield ShardPlan(split, name_fn(shard_index=shard_index), _joined(pending))


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.empty(0, scan.INDEX_DTYPE)


def write_shard(plan: ShardPlan, *, work_dir: str, output_dir: str) -> Shard:
    """Writes one shard, or finds that an earlier run wrote it.

    Args:
      plan: Which records, in which order.
      work_dir: Holds the scan's records.
      output_dir: Belongs to this very plan, so that a file of the right size is the right file.

    Returns:
      The shard as written.

    Raises:
      ArtifactError: The scan's records do not fit their index.
    """
    path = pathlib.Path(output_dir, plan.name)
    num_bytes = int(plan.rows["length"].sum(dtype=np.int64))
    if path.is_file() and path.stat().st_size == num_bytes:
        sha256 = fingerprints.hash_file(path)
    else:
        records = unit_store.read_records(plan.rows, work_dir)
        digest = hashlib.sha256()
        temporary = path.with_name(f".{plan.name}.tmp")
        with open(temporary, "wb") as file:
            for record in records:
                digest.update(record)
                file.write(record)
        os.replace(temporary, path)
        sha256 = digest.hexdigest()
    framing = tfrecords.FRAME_BYTES * len(plan.rows)
    return Shard(plan.split, plan.name, len(plan.rows), num_bytes - framing, sha256)


def _features_json() -> dict[str, Any]:
    core = "tensorflow_datasets.core.features"
    features: dict[str, Any] = {
        name: {"pythonClassName": f"{core}.text_feature.Text", "text": {}} for name in TEXT_FEATURES
    }
    for name in INT_FEATURES:
        features[name] = {
            "pythonClassName": f"{core}.scalar.Scalar",
            "tensor": {"dtype": "int64", "encoding": "none", "shape": {}},
        }
    return {
        "featuresDict": {"features": features},
        "pythonClassName": f"{core}.features_dict.FeaturesDict",
    }


def _info_json(name: str, written: Sequence[Shard]) -> dict[str, Any]:
    infos = []
    for split in sorted({shard.split for shard in written}, key=splits.SPLITS.index):
        members = [shard for shard in written if shard.split == split]
        infos.append(
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": split,
                "numBytes": str(sum(shard.num_bytes for shard in members)),
                "shardLengths": [str(shard.num_examples) for shard in members],
            }
        )
    return {
        "configName": name,
        "description": DESCRIPTION,
        "fileFormat": "tfrecord",
        "moduleName": BUILDER_MODULE,
        "name": DATASET_NAME,
        "releaseNotes": RELEASE_NOTES,
        "splits": infos,
        "version": VERSION,
    }


def write_tfds_metadata(output_dir: pathlib.Path, *, name: str, written: Sequence[Shard]) -> None:
    """Writes `dataset_info.json` and `features.json`, which make the shards a TFDS data set.

    Args:
      output_dir: Where the shards are.
      name: The data set's name, a config of the builder `flcc`.
      written: All shards, in order.
    """
    for file_name, value in (
        ("dataset_info.json", _info_json(name, written)),
        ("features.json", _features_json()),
    ):
        text = json.dumps(value, indent=2, sort_keys=True)
        atomic.write_file(output_dir / file_name, text.encode("utf-8"))


def read_texts(dataset_dir: pathlib.Path, shard_names: Iterable[str]) -> Iterator[str]:
    """Yields the text of every record of some shards.

    Args:
      dataset_dir: Where they are.
      shard_names: File names.

    Yields:
      The texts, in the order of the shards.
    """
    for name in shard_names:
        for values in tfrecords.read_features(dataset_dir / name, ["text"]):
            text = values[0]
            if isinstance(text, bytes):
                yield text.decode("utf-8")
