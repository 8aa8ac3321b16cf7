"""The source files of a prepared data set (`DATA_DIR/flcc/<name>`) as documents.

Each record of its TFRecord shards is one source file; its document is called by repository and
path. A *stretch* is some neighbouring records of one shard, of about `UNIT_BYTES`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.storage import prepared, shards, tfrecords
from code_t5.token_cache.sources import documents, row_choice
from code_t5.token_cache.sources.documents import UNIT_BYTES, DocumentBatch

_FEATURES = ("text", "repository", "path")


@dataclasses.dataclass(frozen=True)
class FlccUnit:
    """Neighbouring records of a shard.

    Attributes:
      key: Says which these are.
      path: Of the shard.
      start_byte: Where the first begins.
      num_records: How many there are.
    """

    key: str
    path: str
    start_byte: int
    num_records: int

    def read(self) -> Iterator[DocumentBatch]:
        """Reads the source files.

        Returns:
          Batches of about `BATCH_BYTES` of text, never empty.

        Raises:
          ArtifactError: The shard is damaged.
        """
        return documents.gather(self._read_sources())

    def _read_sources(self) -> Iterator[DocumentBatch]:
        num_read = 0
        records = tfrecords.read_records(
            self.path, start_byte=self.start_byte, num_records=self.num_records
        )
        for data in records:
            text, repository, path = _read_source(data, self.path)
            num_read += 1
            yield DocumentBatch([text], [(repository, path)])
        if num_read != self.num_records:
            raise _damaged(self.path, f"ends after {num_read} of {self.num_records} records")


def _damaged(path: str, found: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"{path} {found}; wanted the text, repository and path of source files; build the data set "
        "again with --overwrite"
    )


def _read_source(data: bytes, path: str) -> tuple[bytes, str, str]:
    """Returns text, repository and path of a record."""
    try:
        example = tfrecords.decode_example(data, names=_FEATURES)
    except ValueError as error:
        raise _damaged(path, f"has a record that is no tf.train.Example ({error})") from error
    # Data sets of other tools may not say where a file is from; without text there is no file.
    text, repository, name = (
        example.get(feature, b"" if feature != "text" else None) for feature in _FEATURES
    )
    if not (isinstance(text, bytes) and isinstance(repository, bytes) and isinstance(name, bytes)):
        raise _damaged(path, "has a record without text, or with a number in its place")
    try:
        return text, repository.decode("utf-8"), name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _damaged(path, f"has a name that is not UTF-8 ({error.reason})") from error


class FlccSource:
    """The source files of a prepared data set; see `documents.DocumentSource`.

    Attributes:
      dataset: The data set.
      fingerprint_parts: The data set's own fingerprint, and its name and version.
      config: What was asked for.
    """

    def __init__(self, dataset: prepared.PreparedDataset) -> None:
        """Opens a data set.

        Args:
          dataset: The data set.

        Raises:
          NotBuiltError: It is not built.
          ArtifactError: It is damaged or of another format.
        """
        self.dataset = dataset
        fields = dataset.read_manifest()
        self.fingerprint_parts: dict[str, Any] = {
            "source": "flcc",
            "name": dataset.name,
            "version": dataset.version,
            "dataset_fingerprint": fields.get("fingerprint"),
        }
        self.config: dict[str, Any] = {
            "source": "flcc",
            "flcc_data_dir": os.fspath(dataset.data_dir),
            "flcc_name": dataset.name,
        }
        self._lengths = self._read_lengths()

    def _read_lengths(self) -> Mapping[str, list[int]]:
        """Returns the numbers of records in each shard, by split; without splits that have none."""
        path = self.dataset.dataset_dir / "dataset_info.json"
        try:
            infos = json.loads(path.read_bytes())["splits"]
            found = {i["name"]: [int(length) for length in i["shardLengths"]] for i in infos}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise errors.ArtifactError(
                f"{path} cannot be read as the description of a data set ({error!r}); wanted its "
                "splits with the lengths of their shards; build it again: "
                f"{self.dataset.build_command} --overwrite"
            ) from error
        return {split: lengths for split, lengths in found.items() if sum(lengths)}

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits."""
        return tuple(self._lengths)

    def num_documents(self, split: str) -> int:
        """Returns how many source files a split has.

        Args:
          split: One of `splits`.
        """
        return sum(self._lengths[split])

    def _path(self, split: str, shard_index: int) -> str:
        name = shards.shard_name(
            prepared.DATASET_NAME,
            split=split,
            num_shards=len(self._lengths[split]),
            shard_index=shard_index,
        )
        return os.fspath(self.dataset.dataset_dir / name)

    @functools.lru_cache(maxsize=64)  # noqa: B019 - a source lives as long as its build
    def _offsets(self, split: str, shard_index: int) -> np.ndarray:
        """Returns int64 `[num_records + 1]`: where the records of a shard begin, its end last."""
        path, wanted = self._path(split, shard_index), self._lengths[split][shard_index]
        try:
            offsets = np.fromiter(tfrecords.find_records(path), dtype=np.int64)
        except FileNotFoundError as error:
            raise _damaged(path, "is missing") from error
        if len(offsets) - 1 != wanted:
            raise _damaged(path, f"holds {len(offsets) - 1} records, not {wanted}")
        return offsets

    def _unit(self, split: str, shard_index: int, start: int, stop: int) -> FlccUnit:
        offsets = self._offsets(split, shard_index)
        fingerprint = str(self.fingerprint_parts["dataset_fingerprint"])[:16]
        return FlccUnit(
            key=f"{split}:{shard_index}:{start}+{stop - start}:{fingerprint}",
            path=self._path(split, shard_index),
            start_byte=int(offsets[start]),
            num_records=stop - start,
        )

    def units(self, split: str) -> Iterator[FlccUnit]:
        """Cuts a split into pieces of work.

        Args:
          split: One of `splits`.

        Yields:
          The units in order.
        """
        for shard_index, num_records in enumerate(self._lengths[split]):
            offsets, start = self._offsets(split, shard_index), 0
            while start < num_records:
                stop = int(np.searchsorted(offsets, offsets[start] + UNIT_BYTES))
                stop = min(max(stop, start + 1), num_records)
                yield self._unit(split, shard_index, start, stop)
                start = stop

    def sample(self, split: str, *, num_bytes: int) -> Iterator[DocumentBatch]:
        """Reads some source files from places spread evenly over a split.

        Args:
          split: One of `splits`.
          num_bytes: About how much text is wanted in all.

        Yields:
          A batch from each place.
        """
        ends = np.cumsum([0, *self._lengths[split]])
        places = row_choice.spread_places(int(ends[-1]))
        for place, limit in zip(places, [*places[1:], int(ends[-1])]):
            shard_index = int(np.searchsorted(ends, place, side="right")) - 1
            start = place - int(ends[shard_index])
            offsets = self._offsets(split, shard_index)
            stop = int(np.searchsorted(offsets, offsets[start] + num_bytes // len(places)))
            last = min(limit - int(ends[shard_index]), len(offsets) - 1)
            yield from self._unit(split, shard_index, start, min(max(stop, start + 1), last)).read()


def open_flcc_source(data_dir: str | os.PathLike[str], name: str) -> FlccSource:
    """Opens a prepared data set.

    Args:
      data_dir: The data directory.
      name: Of the data set.

    Returns:
      The source.

    Raises:
      InputError: There is no such data set; the message lists those that there are.
    """
    folder = os.path.expanduser(os.fspath(data_dir))
    known = {dataset.name: dataset for dataset in prepared.list_datasets(folder)}
    if name not in known:
        raise errors.InputError(
            f"{folder} has no prepared data set {name!r}; wanted one of "
            f"{', '.join(known) or '(none there)'}; name one of these, or build it: "
            f"{prepared.PreparedDataset(name, folder).build_command}"
        )
    return FlccSource(known[name])
