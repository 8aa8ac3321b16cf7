"""Reads token caches: arrays are mapped, and tokens read only where they are asked for.

reader = TokenCacheReader("cache/dev_python")
train = reader.split("train")
train.tokens[train.offsets[5]:train.offsets[6]]     # the ids of document 5
train.names(5)                                      # its repository and path

Opening takes the same time whatever the size: the manifest, the headers of the files and the first
and last offset are read. All arrays of a split are of the cache that was opened: if another has
been put in its place since, its splits are not opened.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any, Union

import numpy as np

from code_t5 import errors, progress
from code_t5.storage import fingerprints, manifest
from code_t5.token_cache import layout, memory_maps
from code_t5.token_cache.token_split import TokenSplit, damaged

PathLike = Union[str, "os.PathLike[str]"]

# What of a manifest says which arrays lie beside it.
_CONTENT_FIELDS = ("fingerprint", "dtype", "splits", "sha256", "end_of_text_id", "tokenizer")


class TokenCacheReader:
    """A finished token cache.

    Attributes:
      cache_dir: Where it is.
      fingerprint: Hash of everything that decided on its content.
      fingerprint_parts: That everything.
      splits: For each split `num_documents`, `num_tokens` and `num_bytes` (of text), and in newer
        caches `largest_id`.
      sha256: Of each array's file, and of `config.json` if there is one.
      dtype: Of the tokens.
      end_of_text_id: With which each document ends; None if they end with none.
      tokenizer: What the manifest says of the tokenizer whose files lie in the cache; None if
        there are none.
      encoder: How the text was encoded; None if the manifest does not say.
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
        fields = self._read_manifest()
        self._check_fields(fields)
        self._content = {name: fields.get(name) for name in _CONTENT_FIELDS}
        self.fingerprint: str = fields["fingerprint"]
        self.fingerprint_parts: dict[str, Any] = fields["fingerprint_parts"]
        self.splits: dict[str, dict[str, int]] = fields["splits"]
        self.dtype = np.dtype(fields["dtype"]).newbyteorder("<")
        self.sha256: dict[str, str] = fields["sha256"]
        self.end_of_text_id: int | None = fields.get("end_of_text_id")
        self.tokenizer: dict[str, Any] | None = fields.get("tokenizer")
        self.encoder: dict[str, Any] | None = fields.get("encoder")

    def _read_manifest(self) -> dict[str, Any]:
        return manifest.read_manifest(
            self.cache_dir, format_name=layout.FORMAT_NAME, format_version=layout.FORMAT_VERSION
        )

    def _check_fields(self, fields: dict[str, Any]) -> None:
        parts, splits = fields.get("fingerprint_parts"), fields.get("splits")
        dtypes = (layout.SMALL_DTYPE.name, layout.LARGE_DTYPE.name)
        checks = {
            "fingerprint": fields.get("fingerprint") == fingerprints.hash_json(parts),
            "fingerprint_parts": isinstance(parts, dict),
            "dtype": fields.get("dtype") in dtypes,
            "splits": isinstance(splits, dict) and all(map(_is_split, splits.items())),
            "sha256": _are_checksums(fields.get("sha256"), splits=splits),
            "end_of_text_id": _is_id(fields.get("end_of_text_id")),
            "tokenizer": _is_tokenizer(fields.get("tokenizer")),
            "encoder": isinstance(fields.get("encoder", {}), dict),
        }
        wrong = [name for name, is_right in checks.items() if not is_right]
        if wrong:
            raise self._damaged(manifest.MANIFEST_NAME, f"has no usable {', '.join(wrong)}")

    def _damaged(self, name: str, found: str) -> errors.ArtifactError:
        return damaged(self.cache_dir / name, found)

    @contextlib.contextmanager
    def _still_the_same(self) -> Iterator[None]:
        """Refuses what was opened meanwhile unless it is all of the cache that this one read.

        A cache is put in the place of another by renaming its directory. So if the directory is the
        same before and after, all that was opened by its path between lies in it.
        """
        try:
            directory = os.open(self.cache_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._replaced() from error
        try:
            fields = self._read_manifest()
            if any(fields.get(name) != value for name, value in self._content.items()):
                raise self._replaced()
            yield
            if not self._is_at_its_path(directory):
                raise self._replaced()
        except errors.ArtifactError as error:
            if self._is_at_its_path(directory):
                raise
            raise self._replaced() from error
        finally:
            os.close(directory)

    def _is_at_its_path(self, directory: int) -> bool:
        try:
            return os.path.samestat(os.fstat(directory), os.stat(self.cache_dir))
        except OSError:
            return False

    def _replaced(self) -> errors.ArtifactError:
        return errors.ArtifactError(
            f"the token cache {self.cache_dir} was removed or made anew since it was opened as "
            f"{self.fingerprint}; wanted the same; open it again"
        )

    @property
    def config(self) -> dict[str, Any]:
        """What was asked for, by the names of the arguments; empty in caches that do not say.

        Raises:
          ArtifactError: `config.json` is missing or not the one that was written.
        """
        sha256 = self.sha256.get(layout.CONFIG_NAME)
        if sha256 is None:
            return {}
        path = self.cache_dir / layout.CONFIG_NAME
        if path.exists() and not path.is_file():
            raise self._damaged(layout.CONFIG_NAME, "is no file")
        content = fingerprints.read_checked_file(
            path, sha256=sha256, role="what the cache was asked for"
        )
        config: dict[str, Any] = json.loads(content)
        return config

    def split(self, name: str) -> TokenSplit:
        """Opens one split.

        Args:
          name: Of the split.

        Returns:
          Its arrays; nothing of them is read but where the first document begins and the last ends.

        Raises:
          InputError: There is no such split.
          ArtifactError: A file is missing, cut short or not what the manifest says, or another
            cache has been put in the place of this one since it was opened.
        """
        if name not in self.splits:
            raise errors.InputError(
                f"the token cache {self.cache_dir} has no split {name!r}; wanted one of "
                f"{', '.join(sorted(self.splits))}; name one of these"
            )
        with self._still_the_same():
            return self._open_split(name)

    def _open_split(self, name: str) -> TokenSplit:
        counts = self.splits[name]
        num_documents, num_tokens = counts["num_documents"], counts["num_tokens"]
        maps = {
            array: self._open(name, array, length=length)
            for array, length in (
                (layout.TOKENS, num_tokens),
                (layout.OFFSETS, num_documents + 1),
                (layout.SIZES, num_documents),
                (layout.NAMES_OFFSETS, num_documents + 1),
            )
        }
        names_bytes = int(maps[layout.NAMES_OFFSETS].array[-1])
        for array, last in ((layout.OFFSETS, num_tokens), (layout.NAMES_OFFSETS, names_bytes)):
            ends = maps[array].array
            if ends[0] != 0 or ends[-1] != last or last < 0:
                raise self._damaged(
                    layout.array_name(name, array), f"goes from {ends[0]} to {ends[-1]}"
                )
        maps[layout.NAMES] = self._open(name, layout.NAMES, length=names_bytes)
        return TokenSplit(
            tokens=maps[layout.TOKENS].array,
            offsets=maps[layout.OFFSETS].array,
            sizes=maps[layout.SIZES].array,
            name_bytes=maps[layout.NAMES].array,
            name_offsets=maps[layout.NAMES_OFFSETS].array,
            split_name=name,
            cache_dir=self.cache_dir,
            fingerprint=self.fingerprint,
            maps=maps,
        )

    def _open(self, split: str, array: str, *, length: int) -> memory_maps.MappedArray:
        file_name = layout.array_name(split, array)
        try:
            mapped = memory_maps.MappedArray(self.cache_dir / file_name)
        except FileNotFoundError as error:
            raise self._damaged(file_name, "is missing") from error
        except (OSError, ValueError, EOFError) as error:
            reason = " ".join(str(error).split())
            raise self._damaged(file_name, f"cannot be opened ({reason})") from error
        wanted = layout.ARRAYS[array] or self.dtype
        found = mapped.array
        if found.dtype != wanted or found.shape != (length,):
            raise self._damaged(
                file_name,
                f"holds {found.dtype.name} {list(found.shape)} where the manifest says "
                f"{wanted.name} [{length}]",
            )
        if mapped.extra_bytes:
            raise self._damaged(file_name, f"has {mapped.extra_bytes} bytes too many")
        return mapped

    def _checksums(self) -> Iterator[tuple[str, str | None]]:
        """Yields the path in the cache of each file, and what it must hash to."""
        names = [layout.array_name(split, a) for split in self.splits for a in layout.ARRAYS]
        for name in dict.fromkeys([*names, *self.sha256]):
            yield name, self.sha256.get(name)
        for name, sha256 in (self.tokenizer or {}).get("files", {}).items():
            yield f"{layout.TOKENIZER_NAME}/{name}", sha256

    def verify(self) -> None:
        """Reads every file, compares its checksum, and checks that documents lie in order.

        Raises:
          ArtifactError: A file is missing or not the one that was written.
        """
        checksums = list(self._checksums())
        bar = progress.progress_bar(description="checking", unit="file", total=len(checksums))
        with bar:
            for name, wanted in checksums:
                path = self.cache_dir / name
                if not path.is_file():
                    raise self._damaged(name, "is missing or no file")
                found = fingerprints.hash_file(path)
                if found != wanted:
                    raise self._damaged(name, f"has SHA-256 {found}")
                bar.update(1)
        for split in self.splits:
            self.split(split).check_offsets()


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _are_checksums(value: object, *, splits: Any) -> bool:
    """Says whether this is of files that lie in a cache, and of no other."""
    if not isinstance(value, dict) or not isinstance(splits, dict):
        return False
    arrays = [f"{split}{array}.npy" for split in splits for array in layout.ARRAYS]
    return set(value).issubset([*arrays, layout.CONFIG_NAME]) and all(
        isinstance(sha256, str) for sha256 in value.values()
    )


def _is_split(item: tuple[str, Any]) -> bool:
    split, value = item
    names = ("num_documents", "num_tokens", "num_bytes")
    return (
        layout.is_split_name(split)
        and isinstance(value, dict)
        and all(_is_count(value.get(name)) for name in names)
        # -1 in a split without tokens.
        and type(value.get("largest_id", -1)) is int
    )


def _is_id(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value <= np.iinfo(layout.LARGE_DTYPE).max)


def _stays_in_folder(name: str) -> bool:
    parts = pathlib.PurePath(name).parts
    return bool(parts) and ".." not in parts and not os.path.isabs(name) and "\0" not in name


def _is_tokenizer(value: object) -> bool:
    """Says whether this is None, or describes files whose names stay in their folder."""
    if not isinstance(value, dict):
        return value is None
    files = value.get("files")
    return (
        isinstance(value.get("kind"), str)
        and _is_count(value.get("vocab_size"))
        and isinstance(files, dict)
        and all(isinstance(sha256, str) for sha256 in files.values())
        and all(map(_stays_in_folder, files))
    )
