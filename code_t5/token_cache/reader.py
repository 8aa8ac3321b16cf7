"""Reads token caches: arrays are mapped, and tokens read only where they are asked for.

reader = TokenCacheReader("cache/dev_python")
train = reader.split("train")
train.tokens[train.offsets[5]:train.offsets[6]]     # the ids of document 5
train.names(5)                                      # its repository and path
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any, Union

import numpy as np

from code_t5 import errors, progress
from code_t5.storage import fingerprints, manifest
from code_t5.token_cache import layout

PathLike = Union[str, "os.PathLike[str]"]

_MEND = "remove the cache and run the command that builds it again"


@dataclasses.dataclass(frozen=True)
class TokenSplit:
    """The documents of one split; every array is a read-only memory map.

    Attributes:
      tokens: uint16 or uint32 `[num_tokens]`.
      offsets: int64 `[num_documents + 1]`; document `i` is `tokens[offsets[i]:offsets[i + 1]]`.
      sizes: int64 `[num_documents]`; UTF-8 bytes of each document's text.
      name_bytes: uint8; the names, one after the other.
      name_offsets: int64 `[num_documents + 1]`; where each name begins in `name_bytes`.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    name_bytes: np.ndarray
    name_offsets: np.ndarray

    @property
    def num_documents(self) -> int:
        """How many documents there are."""
        return len(self.sizes)

    @property
    def num_tokens(self) -> int:
        """Of all documents."""
        return len(self.tokens)

    def names(self, index: int) -> tuple[str, str]:
        """Returns repository and path of one document.

        Args:
          index: Of the document.
        """
        start, stop = self.name_offsets[index], self.name_offsets[index + 1]
        name = self.name_bytes[start:stop].tobytes().decode("utf-8", "surrogateescape")
        repository, _, path = name.partition(layout.NAME_SEPARATOR)
        return repository, path


class TokenCacheReader:
    """A finished token cache.

    Attributes:
      cache_dir: Where it is.
      fingerprint: Hash of everything that decided on its content.
      fingerprint_parts: That everything.
      splits: For each split `num_documents`, `num_tokens` and `num_bytes` (of text).
      sha256: Of each array's file.
    """

    def __init__(self, cache_dir: PathLike) -> None:
        """Opens a cache; reads its manifest alone.

        Args:
          cache_dir: The cache.

        Raises:
          NotBuiltError: There is no cache.
          ArtifactError: It is half-written, damaged or of another format.
        """
        self.cache_dir = pathlib.Path(cache_dir)
        if not self.cache_dir.is_dir():
            raise errors.NotBuiltError(
                f"there is no token cache {cache_dir}; wanted a finished one; check the path, or "
                "run the command that builds it"
            )
        fields = manifest.read_manifest(
            self.cache_dir, format_name=layout.FORMAT_NAME, format_version=layout.FORMAT_VERSION
        )
        self._check_fields(fields)
        self.fingerprint: str = fields["fingerprint"]
        self.fingerprint_parts: dict[str, Any] = fields["fingerprint_parts"]
        self.splits: dict[str, dict[str, int]] = fields["splits"]
        self._dtype = np.dtype(fields["dtype"]).newbyteorder("<")
        self.sha256: dict[str, str] = fields["sha256"]

    def _check_fields(self, fields: dict[str, Any]) -> None:
        parts, splits = fields.get("fingerprint_parts"), fields.get("splits")
        dtypes = (layout.SMALL_DTYPE.name, layout.LARGE_DTYPE.name)
        checks = {
            "fingerprint": fields.get("fingerprint") == fingerprints.hash_json(parts),
            "fingerprint_parts": isinstance(parts, dict),
            "dtype": fields.get("dtype") in dtypes,
            "splits": isinstance(splits, dict) and all(map(_is_split, splits.items())),
            "sha256": isinstance(fields.get("sha256"), dict),
        }
        wrong = [name for name, is_right in checks.items() if not is_right]
        if wrong:
            raise self._damaged(manifest.MANIFEST_NAME, f"has no usable {', '.join(wrong)}")

    def _damaged(self, name: str, found: str) -> errors.ArtifactError:
        return errors.ArtifactError(
            f"{self.cache_dir / name} {found}; wanted what the writer of the cache wrote; {_MEND}"
        )

    def split(self, name: str) -> TokenSplit:
        """Opens one split.

        Args:
          name: Of the split.

        Returns:
          Its arrays; where documents begin is read and checked, the rest when it is asked for.

        Raises:
          InputError: There is no such split.
          ArtifactError: A file is missing, cut short or not what the manifest says.
        """
        if name not in self.splits:
            raise errors.InputError(
                f"the token cache {self.cache_dir} has no split {name!r}; wanted one of "
                f"{', '.join(sorted(self.splits))}; name one of these"
            )
        counts = self.splits[name]
        num_documents = counts["num_documents"]
        name_offsets = self._open(name, layout.NAMES_OFFSETS, length=num_documents + 1)
        offsets = self._open(name, layout.OFFSETS, length=num_documents + 1)
        for array, ends, last in (
            (layout.OFFSETS, offsets, counts["num_tokens"]),
            (layout.NAMES_OFFSETS, name_offsets, int(name_offsets[-1])),
        ):
            if ends[0] != 0 or ends[-1] != last or last < 0:
                raise self._damaged(
                    layout.array_name(name, array), f"goes from {ends[0]} to {ends[-1]}"
                )
            # What lies in order is never a negative length, nor outside of the file.
            if np.any(ends[1:] < ends[:-1]):
                first = int(np.argmax(ends[1:] < ends[:-1]))
                raise self._damaged(
                    layout.array_name(name, array),
                    f"falls from {ends[first]} to {ends[first + 1]} at {first + 1}",
                )
        sizes = self._open(name, layout.SIZES, length=num_documents)
        if num_documents and sizes.min() < 0:
            raise self._damaged(
                layout.array_name(name, layout.SIZES), f"holds the size {sizes.min()}"
            )
        return TokenSplit(
            tokens=self._open(name, layout.TOKENS, length=counts["num_tokens"]),
            offsets=offsets,
            sizes=sizes,
            name_bytes=self._open(name, layout.NAMES, length=int(name_offsets[-1])),
            name_offsets=name_offsets,
        )

    def _open(self, split: str, array: str, *, length: int) -> np.ndarray:
        file_name = layout.array_name(split, array)
        path = self.cache_dir / file_name
        try:
            mapped = np.lib.format.open_memmap(path, mode="r")
            extra_bytes = path.stat().st_size - mapped.offset - mapped.nbytes
        except FileNotFoundError as error:
            raise self._damaged(file_name, "is missing") from error
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(file_name, f"cannot be opened ({error})") from error
        wanted = layout.ARRAYS[array] or self._dtype
        if mapped.dtype != wanted or mapped.shape != (length,):
            raise self._damaged(
                file_name,
                f"holds {mapped.dtype.name} {list(mapped.shape)} where the manifest says "
                f"{wanted.name} [{length}]",
            )
        if extra_bytes:
            raise self._damaged(file_name, f"has {extra_bytes} bytes too many")
        # A plain array over the map: indexing one is quicker.
        return np.asarray(mapped)

    def verify(self) -> None:
        """Reads every file and compares its checksum.

        Raises:
          ArtifactError: A file is missing or not the one that was written.
        """
        names = [layout.array_name(split, a) for split in self.splits for a in layout.ARRAYS]
        bar = progress.progress_bar(description="checking", unit="file", total=len(names))
        with bar:
            for name in names:
                path = self.cache_dir / name
                if not path.is_file():
                    raise self._damaged(name, "is missing")
                found = fingerprints.hash_file(path)
                if found != self.sha256.get(name):
                    raise self._damaged(name, f"has SHA-256 {found}")
                bar.update(1)


def _is_split(item: tuple[str, Any]) -> bool:
    split, value = item
    names = ("num_documents", "num_tokens", "num_bytes")
    return (
        layout.is_split_name(split)
        and isinstance(value, dict)
        and all(isinstance(value.get(name), int) and value[name] >= 0 for name in names)
    )
