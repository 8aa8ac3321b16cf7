"""Writes token caches: each worker writes parts, one process joins them.

    with PartWriter(folder / "train-00000") as part:  # code_t5.token_cache.parts
        part.append(documents, sizes=sizes, names=names)
    join_parts(cache_dir, parts={"train": [folder / "train-00000"]}, fingerprint_parts={...})

Joining copies the parts one after the other in chunks of bounded size, so that a cache may be
larger than memory. The same parts in the same order give the same bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, Union

import numpy as np

from code_t5 import progress
from code_t5.storage import atomic, fingerprints, manifest
from code_t5.token_cache import layout
from code_t5.token_cache import parts as part_files
from code_t5.token_cache.parts import PartCounts

PathLike = Union[str, "os.PathLike[str]"]


class _ArrayFile:
    """One `.npy` file in the making, hashed on the way."""

    def __init__(self, file: BinaryIO, *, dtype: np.dtype, length: int) -> None:
        self.dtype = dtype
        self._file = file
        self._digest = hashlib.sha256()
        header = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        with open(file.name, "rb") as written:
            self._digest.update(written.read())

    def write(self, data: bytes | np.ndarray) -> None:
        """Appends whole numbers."""
        content = data if isinstance(data, bytes) else data.tobytes()
        self._digest.update(content)
        self._file.write(content)

    @property
    def sha256(self) -> str:
        """Hash of what was written."""
        return self._digest.hexdigest()


class _SplitTotals(NamedTuple):
    num_documents: int
    num_tokens: int
    names_bytes: int


@dataclasses.dataclass(frozen=True)
class Extras:
    """What a cache may hold beside its arrays.

    Attributes:
      files: By their names in the cache: their content, whose SHA-256 goes into the manifest with
        the arrays', or a file to copy, which is vouched for elsewhere.
      fields: More fields of the manifest; JSON.
      split_fields: The same for splits.
    """

    files: Mapping[str, bytes | pathlib.Path] = dataclasses.field(default_factory=dict)
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    split_fields: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


def _totals(counts: Sequence[PartCounts]) -> _SplitTotals:
    return _SplitTotals(
        *(sum(getattr(count, name) for count in counts) for name in _SplitTotals._fields)
    )


class _SplitJoiner:
    """Writes the arrays of one split."""

    def __init__(self, arrays: Mapping[str, _ArrayFile]) -> None:
        self._arrays = arrays
        self._ends = {layout.OFFSETS: 0, layout.NAMES_OFFSETS: 0}
        self.num_bytes = 0
        for array in self._ends:
            arrays[array].write(np.zeros(1, dtype="<i8"))

    def add(self, section: int, data: bytes, *, dtype: np.dtype) -> None:
        """Takes some of a section of a part whose tokens have this dtype."""
        if section == 0:
            tokens = self._arrays[layout.TOKENS]
            is_same = tokens.dtype == dtype
            tokens.write(data if is_same else np.frombuffer(data, dtype).astype(tokens.dtype))
        elif section == 2:
            self._arrays[layout.SIZES].write(data)
            self.num_bytes += int(np.frombuffer(data, dtype="<i8").sum())
        elif section == 4:
            self._arrays[layout.NAMES].write(data)
        else:
            array = layout.OFFSETS if section == 1 else layout.NAMES_OFFSETS
            ends = np.cumsum(np.frombuffer(data, dtype="<i8")) + self._ends[array]
            self._arrays[array].write(ends.astype("<i8"))
            self._ends[array] = int(ends[-1])


@contextlib.contextmanager
def _array_files(
    folder: pathlib.Path, *, split: str, totals: _SplitTotals, dtype: np.dtype
) -> Iterator[dict[str, _ArrayFile]]:
    """Yields a file for each array of a split."""
    lengths = {
        layout.TOKENS: totals.num_tokens,
        layout.OFFSETS: totals.num_documents + 1,
        layout.SIZES: totals.num_documents,
        layout.NAMES: totals.names_bytes,
        layout.NAMES_OFFSETS: totals.num_documents + 1,
    }
    with contextlib.ExitStack() as stack:
        yield {
            array: _ArrayFile(
                stack.enter_context(open(folder / layout.array_name(split, array), "wb")),
                dtype=fixed or dtype,
                length=lengths[array],
            )
            for array, fixed in layout.ARRAYS.items()
        }


def join_parts(
    cache_dir: PathLike,
    *,
    parts: Mapping[str, Sequence[PathLike]],
    fingerprint_parts: Mapping[str, Any],
    extras: Extras | None = None,
) -> None:
    """Joins parts into a token cache, which appears whole or not at all.

    Args:
      cache_dir: The cache; what stands there is replaced when the new one is finished.
      parts: For each split its parts, in order. They are left where they are.
      fingerprint_parts: JSON values: everything that decided on the content.
      extras: What else belongs to the cache.
    """
    counts = {
        split: [part_files.read_part_counts(path) for path in paths]
        for split, paths in parts.items()
    }
    everything = [count for of_split in counts.values() for count in of_split]
    dtype = layout.SMALL_DTYPE
    if any(count.item_bytes > dtype.itemsize for count in everything):
        dtype = layout.LARGE_DTYPE
    sha256: dict[str, str] = {}
    splits: dict[str, dict[str, int]] = {}
    total = sum(sum(count.section_bytes) for count in everything)
    bar = progress.progress_bar(
        description="joining tokens", unit="B", total=total, unit_scale=True
    )
    with atomic.directory(cache_dir) as folder, bar:
        for split, paths in parts.items():
            totals = _totals(counts[split])
            with _array_files(folder, split=split, totals=totals, dtype=dtype) as arrays:
                joiner = _SplitJoiner(arrays)
                for path, count in zip(paths, counts[split]):
                    for section, data in part_files.read_sections(path):
                        joiner.add(section, data, dtype=np.dtype(f"<u{count.item_bytes}"))
                        bar.update(len(data))
            for array, file in arrays.items():
                sha256[layout.array_name(split, array)] = file.sha256
            splits[split] = {
                "num_documents": totals.num_documents,
                "num_tokens": totals.num_tokens,
                "num_bytes": joiner.num_bytes,
            }
        fields = {"dtype": dtype.name, "splits": splits, "sha256": sha256}
        _add_extras(folder, fields=fields, extras=extras or Extras())
        _write_manifest(folder, {**fields, "fingerprint_parts": dict(fingerprint_parts)})


def _add_extras(folder: pathlib.Path, *, fields: dict[str, Any], extras: Extras) -> None:
    """Writes files into a cache in the making, and says more in its manifest."""
    for name, source in extras.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            target.write_bytes(source)
            fields["sha256"][name] = fingerprints.hash_bytes(source)
        else:
            shutil.copyfile(source, target)
    for split, more in extras.split_fields.items():
        fields["splits"][split].update(more)
    fields.update(extras.fields)


def _write_manifest(folder: pathlib.Path, fields: dict[str, Any]) -> None:
    fields = {
        "format_name": layout.FORMAT_NAME,
        "format_version": layout.FORMAT_VERSION,
        "fingerprint": fingerprints.hash_json(fields["fingerprint_parts"]),
        **fields,
    }
    manifest.write_manifest(folder, fields)
