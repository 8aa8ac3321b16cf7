"""Reads teacher outputs: shards are mapped, and samples read only where they are asked for.

    outputs = open_outputs("cached_train", expected={"teacher": description, "options": options})
    len(outputs)
    outputs[5]["x"]                    # read-only, a view of the map
    outputs.read([5, 3, 5])["x"]       # float32 [3, ...], the caller's to change

Opening reads the manifest and looks at the size of each shard. A shard is opened when a sample of
it is read; those that were not read for the longest are closed when many are open.
"""

from __future__ import annotations

import collections
import os
import pathlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Union

import numpy as np

from code_t5 import errors, progress
from code_t5.encoding.whole_numbers import read_indexes, read_whole_number
from code_t5.storage import fingerprints, manifest
from code_t5.teacher_outputs import gathering, shard_file
from code_t5.teacher_outputs import plan as plans
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.shard_file import Shard, ShardCounts

PathLike = Union[str, "os.PathLike[str]"]

DEFAULT_MEND = "generate them again"
# Each open shard takes a file descriptor, of which a process has some thousand.
_MAX_OPEN_SHARDS = 256


def open_outputs(
    path: PathLike, *, expected: Mapping[str, Any] | None = None, mend: str = DEFAULT_MEND
) -> TeacherOutputs:
    """Opens outputs.

    Args:
      path: The directory.
      expected: Parts of the fingerprint (`plan.PART_NAMES`) that must be as given; all others may
        be anything.
      mend: What to do if they cannot be used; for example the command that makes them.

    Returns:
      The outputs.

    Raises:
      NotBuiltError: There are none.
      ArtifactError: They are half-written, damaged or of another version, or a part differs.
      InputError: There is no part of a name in `expected`.
    """
    outputs = TeacherOutputs(path, mend=mend)
    check_parts(outputs.parts, expected=expected, path=path, mend=mend)
    return outputs


def check_parts(
    parts: Mapping[str, Any], *, expected: Mapping[str, Any] | None, path: PathLike, mend: str
) -> None:
    """Looks whether outputs are of the teacher, the data and so on that a reader wants.

    Args:
      parts: Of the outputs.
      expected: Those that must be as given; None for none.
      path: Of the outputs.
      mend: What to do if they differ.

    Raises:
      ArtifactError: A part differs; each is named.
      InputError: There is no part of a name in `expected`.
    """
    differing = plans.differences(parts, plans.as_json(expected or {}))
    if differing:
        raise errors.ArtifactError(f"{path} holds other outputs: {differing}; {mend}")


class TeacherOutputs(Sequence[Mapping[str, np.ndarray]]):
    """Finished outputs; can be pickled, and read from several threads.

    Attributes:
      path: Where they are.
      schema: What a sample is made of.
      parts: Everything that decided on them, by the names of `plan.PART_NAMES`.
      fingerprint: Hash of the parts.
      num_samples: How many samples there are.
      samples_per_shard: In each shard but the last.
      mend: What to do if they turn out to be damaged.
    """

    def __init__(self, path: PathLike, *, mend: str = DEFAULT_MEND) -> None:
        """Opens outputs; `open_outputs` compares them with what is expected as well.

        Args:
          path: The directory.
          mend: What to do if they cannot be used.

        Raises:
          NotBuiltError: There are none.
          ArtifactError: They are half-written, damaged or of another version.
        """
        self.path = pathlib.Path(path)
        self.mend = mend
        if not self.path.is_dir():
            raise errors.NotBuiltError(
                f"there are no teacher outputs at {path}; wanted a directory of them; check the "
                f"path, or {mend}"
            )
        fields = manifest.read_manifest(
            self.path,
            format_name=shard_file.FORMAT_NAME,
            format_version=shard_file.FORMAT_VERSION,
        )
        self.parts: dict[str, Any] = fields.get("fingerprint_parts", {})
        self.fingerprint: str = fields.get("fingerprint", "")
        self.num_samples: int = fields.get("num_samples", 0)
        self.samples_per_shard: int = fields.get("samples_per_shard", 0)
        self._shards: list[dict[str, Any]] = fields.get("shards", [])
        self.schema = self._check_fields()
        self._lengths = [(field.name, field.length) for field in self.schema.fields]
        self._identity = fingerprints.hash_json(fields)
        self._check_sizes()
        self._open: collections.OrderedDict[int, Shard] = collections.OrderedDict()
        self._lock = threading.Lock()

    def _damaged(self, name: str, found: str) -> errors.ArtifactError:
        return shard_file.damaged(self.path / name, found=found, mend=self.mend)

    def _check_fields(self) -> OutputSchema:
        """Looks at what the manifest says, whoever wrote it.

        Raises:
          ArtifactError: It cannot be what a writer wrote.
        """
        parts, shards = self.parts, self._shards
        counts = self.num_samples, self.samples_per_shard
        wrong = []
        try:
            schema = OutputSchema.from_json(parts.get("schema") if type(parts) is dict else None)
            if set(parts) != set(plans.PART_NAMES):
                wrong.append("fingerprint_parts")
        except errors.InputError as error:
            raise self._damaged(manifest.MANIFEST_NAME, f"has no usable schema ({error})") from None
        if self.fingerprint != fingerprints.hash_json(parts):
            wrong.append("fingerprint")
        if not all(type(count) is int and 1 <= count < 1 << 48 for count in counts):
            wrong.append("num_samples or samples_per_shard")
        elif type(shards) is not list or len(shards) != -(-counts[0] // counts[1]):
            wrong.append("shards")
        elif not all(_is_shard(shard, schema) for shard in shards):
            wrong.append("shards")
        if wrong:
            raise self._damaged(manifest.MANIFEST_NAME, f"has no usable {', '.join(wrong)}")
        return schema

    def _check_sizes(self) -> None:
        """Looks whether each shard has the size that it must have.

        Raises:
          ArtifactError: One is missing or has not.
        """
        sizes: dict[str, int] = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
        for index in range(self.num_shards):
            name = shard_file.shard_name(index)
            wanted = shard_file.shard_bytes(
                self.schema, fingerprint=self.fingerprint, counts=self._counts(index)
            )
            if name not in sizes:
                raise self._damaged(name, "is missing")
            if sizes[name] != wanted:
                raise self._damaged(name, f"has {sizes[name]:,} bytes, not {wanted:,}")

    @property
    def num_shards(self) -> int:
        """How many shards there are."""
        return len(self._shards)

    def num_rows(self, length: str) -> int:
        """Returns how many rows all samples have together.

        Args:
          length: Name of the length.
        """
        return sum(shard["lengths"][length] for shard in self._shards)

    @property
    def fields(self) -> tuple[ArrayField, ...]:
        """What a sample is made of."""
        return self.schema.fields

    @property
    def options(self) -> dict[str, Any]:
        """How the teacher was asked."""
        return dict(self.parts["options"] or {})

    def __reduce__(self) -> tuple[Any, ...]:
        """Leaves the maps behind; the copy opens the same outputs, or raises."""
        return _reopen, (os.fspath(self.path.absolute()), self._identity, self.mend)

    def __len__(self) -> int:
        """Returns how many samples there are."""
        return self.num_samples

    def _counts(self, index: int) -> ShardCounts:
        start = index * self.samples_per_shard
        num_samples = min(self.samples_per_shard, self.num_samples - start)
        return ShardCounts(index, num_samples, self._shards[index]["lengths"])

    def shard(self, index: int) -> Shard:
        """Returns a shard, which is opened if it is not.

        Args:
          index: Of the shard.

        Raises:
          ArtifactError: It is damaged.
        """
        with self._lock:
            found = self._open.get(index)
            if found is None:
                found = self._open[index] = self._open_shard(index)
                if len(self._open) > _MAX_OPEN_SHARDS:
                    # Closed when nobody has a view of it any more.
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(index)
        return found

    def _open_shard(self, index: int) -> Shard:
        return Shard(
            self.path / shard_file.shard_name(index),
            schema=self.schema,
            fingerprint=self.fingerprint,
            counts=self._counts(index),
            mend=self.mend,
        )

    def __getitem__(self, index: Any) -> Any:
        """Returns one sample: arrays by name, read-only views of the map.

        Args:
          index: Of the sample; a negative one counts from the end.

        Raises:
          InputError: The index is no whole number.
          IndexError: There is no such sample.
          ArtifactError: The shard is damaged.
        """
        row = read_whole_number(index, name="the index of a sample")
        if not -self.num_samples <= row < self.num_samples:
            raise IndexError(f"sample {row} of {self.num_samples}")
        which, within = divmod(row % self.num_samples, self.samples_per_shard)
        return self.shard(which).sample(within, self._lengths)

    def __iter__(self) -> Iterator[Mapping[str, np.ndarray]]:
        """Yields the samples in order."""
        for index in range(self.num_samples):
            yield self[index]

    def read(self, indexes: Any, fields: Sequence[str] | None = None) -> dict[str, Any]:
        """Copies some samples.

        Args:
          indexes: int `[n]`, in any order, repeated or not.
          fields: Names of those that are wanted; None for all.

        Returns:
          By name an array `[n, ...]`, or `Ragged` of n rows.

        Raises:
          InputError: An index is no whole number, or there is no such field.
          IndexError: There is no such sample.
          ArtifactError: A shard is damaged.
        """
        names = self.schema.select(fields)
        gathered = self.gather(indexes)
        return {name: gathered.read(self.schema.field(name)) for name in names}

    def gather(self, indexes: Any) -> gathering.Gathered:
        """Finds where some samples lie; their fields are read from what it returns.

        Args:
          indexes: int `[n]`, in any order, repeated or not.

        Raises:
          InputError: An index is no whole number.
          IndexError: There is no such sample.
          ArtifactError: A shard is damaged.
        """
        numbers = read_indexes(indexes, size=self.num_samples, name="samples").reshape(-1)
        return gathering.Gathered(list(self._groups(numbers)), len(numbers))

    def _groups(self, numbers: np.ndarray) -> Iterator[gathering.Group]:
        """Yields the shards that hold some samples, with which of them."""
        found: dict[int, tuple[list[int], list[int]]] = {}
        for position, number in enumerate(numbers.tolist()):
            which, row = divmod(number, self.samples_per_shard)
            if which not in found:
                found[which] = [], []
            positions, rows = found[which]
            positions.append(position)
            rows.append(row)
        for which, (positions, rows) in found.items():
            yield gathering.Group(self.shard(which), positions, rows)

    def verify(self) -> None:
        """Reads every file and compares its checksum; looks whether samples lie in order.

        Raises:
          ArtifactError: A file is not the one that was written.
        """
        manifest.check_manifest(self.path)
        bar = progress.progress_bar(
            range(self.num_shards), description="checking", unit="shard", total=self.num_shards
        )
        for index in bar:
            name = shard_file.shard_name(index)
            try:
                found = fingerprints.hash_file(self.path / name)
            except OSError as error:
                raise self._damaged(name, f"cannot be read ({error.strerror})") from error
            if found != self._shards[index]["sha256"]:
                raise self._damaged(name, f"has SHA-256 {found}")
            self._open_shard(index).check_offsets()


def _reopen(path: str, identity: str, mend: str) -> TeacherOutputs:
    """Opens outputs that another process has open.

    Raises:
      ArtifactError: Others are there now.
    """
    outputs = TeacherOutputs(path, mend=mend)
    if outputs._identity != identity:
        raise errors.ArtifactError(
            f"{path} was made anew since it was opened; wanted the same outputs; start the "
            "program again"
        )
    return outputs


def _is_shard(value: Any, schema: OutputSchema) -> bool:
    """Says whether this can be what a manifest says of a shard."""
    if not isinstance(value, dict) or set(value) != {"lengths", "sha256"}:
        return False
    lengths = value["lengths"]
    return (
        isinstance(value["sha256"], str)
        and isinstance(lengths, dict)
        and set(lengths) == set(schema.lengths)
        and all(type(count) is int and 0 <= count < 1 << 48 for count in lengths.values())
    )
