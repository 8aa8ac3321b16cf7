"""Reads the caches of archai's `FastHfDatasetProvider`.

    <cache>/train.npy ...   uint16 or int32 [num_tokens]: the ids of all documents in one
            config.json     what was asked for
            tokenizer.pkl   the tokenizer, pickled

Such a cache says neither where documents begin nor what its bytes should be: each split is read as
one document, and nothing can be checked but that the files are arrays of ids, none of them
negative. Reading a pickle can run any code, so the caller must say that he trusts it.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import pickle
from typing import Any, Union

import numpy as np

from code_t5 import errors
from code_t5.storage import fingerprints, manifest
from code_t5.token_cache import layout, memory_maps
from code_t5.token_cache.reading import batches
from code_t5.token_cache.token_split import TokenSplit

PathLike = Union[str, "os.PathLike[str]"]

TOKENIZER_NAME = "tokenizer.pkl"
_CHECKED_IDS = 1 << 22
_DTYPES = ("uint16", "int32", "uint32")


def is_archai_cache(cache_dir: PathLike) -> bool:
    """Says whether a directory is a cache of archai's: a pickled tokenizer, and no manifest.

    Args:
      cache_dir: The directory; it may be missing.
    """
    folder = pathlib.Path(cache_dir)
    has_pickle = (folder / TOKENIZER_NAME).is_file()
    return has_pickle and not (folder / manifest.MANIFEST_NAME).exists()


class ArchaiCache:
    """A cache of archai's, as far as it can be read as one of code_t5.

    Attributes:
      cache_dir: Where it is.
      config: What it was asked for.
      fingerprint: Hash of the names, sizes and times of its files, since it has no other.
      fingerprint_parts: What is hashed.
      splits: For each split `num_documents` (1), `num_tokens` and `num_bytes` (0: not known).
    """

    def __init__(self, cache_dir: PathLike, *, trust_pickle: bool, checks_ids: bool = True) -> None:
        """Opens a cache; the pickle is read when its tokenizer is asked for.

        Args:
          cache_dir: The cache.
          trust_pickle: Whether the caller trusts whoever made it.
          checks_ids: Whether to read all ids that could be negative.

        Raises:
          InputError: He does not say so.
          ArtifactError: There is no split, or a file is no array of ids.
        """
        self.cache_dir = pathlib.Path(cache_dir)
        if not trust_pickle:
            raise errors.InputError(
                f"{cache_dir} was made by archai and holds {TOKENIZER_NAME}, a pickle, which can "
                "run any code when it is read; wanted a cache of code_t5; pass trust_pickle=True "
                "if you trust who made it, or build the cache again with from_hub"
            )
        self.splits: dict[str, dict[str, int]] = {}
        files = {}
        for path in sorted(self.cache_dir.glob("*.npy")):
            if layout.is_split_name(path.stem):
                mapped = self._map(path.stem)
                num_tokens = len(mapped.array)
                if checks_ids and mapped.array.dtype.kind == "i":
                    self._check_ids(path.name, mapped)
                self.splits[path.stem] = {
                    "num_documents": 1,
                    "num_tokens": num_tokens,
                    "num_bytes": 0,
                }
                status = path.stat()
                files[path.name] = [status.st_size, status.st_mtime_ns]
        if not self.splits:
            raise self._damaged("", "holds no split")
        self.fingerprint_parts: dict[str, Any] = {"source": "archai", "files": files}
        self.fingerprint = fingerprints.hash_json(self.fingerprint_parts)
        self.config = self._read_config()

    def _damaged(self, name: str, found: str) -> errors.ArtifactError:
        return errors.ArtifactError(
            f"{self.cache_dir / name} {found}; wanted a cache as archai makes them; make it again"
        )

    def _read_config(self) -> dict[str, Any]:
        try:
            config = json.loads((self.cache_dir / layout.CONFIG_NAME).read_bytes())
        except (OSError, ValueError):
            return {}
        return config if isinstance(config, dict) else {}

    def _map(self, split: str) -> memory_maps.MappedArray:
        name = layout.array_name(split, layout.TOKENS)
        try:
            mapped = memory_maps.MappedArray(self.cache_dir / name)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(name, f"cannot be opened ({error})") from error
        found = mapped.array
        if found.ndim != 1 or found.dtype.name not in _DTYPES or not len(found):
            raise self._damaged(name, f"holds {found.dtype.name} {list(found.shape)}")
        return mapped

    def _check_ids(self, name: str, mapped: memory_maps.MappedArray) -> None:
        for start in range(0, len(mapped.array), _CHECKED_IDS):
            ids = mapped.array[start : start + _CHECKED_IDS]
            place = start + int(ids.argmin())
            if mapped.array[place] < 0:
                raise self._damaged(name, f"holds the id {mapped.array[place]} at {place:,}")
            mapped.give_back()

    def split(self, name: str) -> TokenSplit:
        """Opens one split as a single document.

        Args:
          name: Of the split.

        Returns:
          Its arrays; the document has no name and no size.

        Raises:
          InputError: There is no such split.
          ArtifactError: Its file is damaged.
        """
        if name not in self.splits:
            raise errors.InputError(
                f"the cache {self.cache_dir} has no split {name!r}; wanted one of "
                f"{', '.join(sorted(self.splits))}; name one of these"
            )
        mapped = self._map(name)
        tokens = mapped.array
        if tokens.dtype.kind == "i":
            tokens = tokens.view(layout.LARGE_DTYPE)
        return TokenSplit(
            tokens=tokens,
            offsets=np.array([0, len(tokens)], dtype=np.int64),
            sizes=np.zeros(1, dtype=np.int64),
            name_bytes=np.frombuffer(layout.NAME_SEPARATOR.encode("ascii"), dtype=np.uint8),
            name_offsets=np.array([0, len(layout.NAME_SEPARATOR)], dtype=np.int64),
            split_name=name,
            cache_dir=self.cache_dir,
            fingerprint=self.fingerprint,
            # The other arrays are no files.
            maps={layout.TOKENS: mapped, layout.OFFSETS: mapped},
        )

    def load_tokenizer(self) -> Any:
        """Reads the pickled tokenizer.

        Raises:
          ArtifactError: It cannot be read.
        """
        path = self.cache_dir / TOKENIZER_NAME
        try:
            with open(path, "rb") as file:
                return pickle.load(file)  # noqa: S301 - the caller said trust_pickle=True
        except Exception as error:  # Whatever the pickle's classes raise.
            found = " ".join(str(error).split())[:200] or type(error).__name__
            raise self._damaged(TOKENIZER_NAME, f"cannot be unpickled ({found})") from error

    def source(self, split: str, *, seq_len: int, **options: Any) -> batches.WindowSource:
        """Returns the windows of a split, as `batches.cache_source` does.

        Args:
          split: Name of the split.
          seq_len: Tokens of a window's inputs.
          **options: `overlap`, `cross_documents` and `pad_id`.

        Raises:
          InputError: There is no such split.
        """
        self.split(split)
        cache_dir = pathlib.Path(os.path.abspath(self.cache_dir))
        return batches.WindowSource(
            functools.partial(_open_split, cache_dir, split=split, fingerprint=self.fingerprint),
            seq_len=seq_len,
            **options,
        )


def _open_split(cache_dir: pathlib.Path, *, split: str, fingerprint: str) -> TokenSplit:
    """Opens a split of a cache that another process has open; its pickle is not read."""
    cache = ArchaiCache(cache_dir, trust_pickle=True, checks_ids=False)
    if cache.fingerprint != fingerprint:
        raise errors.ArtifactError(
            f"the cache {cache_dir} has changed since it was opened; wanted the same; start the "
            "program again"
        )
    return cache.split(split)
