"""`FastHfDatasetProvider`: a token cache by the name of its data set, ready for every framework.

    provider = FastHfDatasetProvider.from_hub(
        "glue", dataset_config_name="sst2", tokenizer_name="gpt2",
        mapping_column_name=["sentence"], cache_dir="cache/glue-sst2-gpt2")
    train = provider.get_train_dataset(seq_len=512)

A *provider* is an opened cache. What `from_hub` and its like are asked for decides on the content
of the cache; how it is read (`seq_len`, overlap, order) does not.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any, Union

from code_t5.token_cache import (
    archai_cache,
    cache_readers,
    provider_build,
    reader,
)
from code_t5.token_cache.sources import document_source, row_options
from code_t5.token_cache.sources.hub_source import DataFiles
from code_t5.token_cache.sources.row_choice import ValidationSplit
from code_t5.token_cache.sources.row_options import Columns, Split

PathLike = Union[str, "os.PathLike[str]"]

DEFAULT_CACHE_DIR = "cache"


class FastHfDatasetProvider(cache_readers.CacheReaders):
    """A token cache that is built, or opened, by the name of its data set.

    What reads it stands with `CacheReaders`: `get_train_dataset`, `windows`, `batches`,
    `torch_stream`, `tf_dataset`, `tokenizer`.
    """

    @classmethod
    def from_hub(
        cls,
        dataset_name: str,
        *,
        dataset_config_name: str | None = None,
        data_dir: str | None = None,
        data_files: DataFiles = None,
        split: Split = None,
        revision: str | None = None,
        tokenizer: Any = None,
        tokenizer_name: str | None = None,
        mapping_column_name: Columns = None,
        validation_split: ValidationSplit = None,
        seed: int = row_options.DEFAULT_SEED,
        num_workers: int = 0,
        use_eos_token: bool = True,
        use_shared_memory: bool = False,
        cache_dir: PathLike = DEFAULT_CACHE_DIR,
        overwrite: bool = False,
        encoder: str | None = None,
    ) -> FastHfDatasetProvider:
        """Encodes a data set of the Hugging Face Hub, or opens the cache of it that is there.

        Args:
          dataset_name: On the Hub, a folder of files, or a reader (`json`, `parquet`, `text`).
          dataset_config_name: One of its configurations.
          data_dir: A folder in it.
          data_files: Files in it, or of the reader.
          split: `train[:10%]` is used as train; or several; or a mapping of names to such.
          revision: Branch, tag or commit.
          tokenizer: A Hugging Face tokenizer.
          tokenizer_name: Its name on the Hub, or a folder, in its place.
          mapping_column_name: The columns of text; several are joined by a line end.
          validation_split: Share or number of train's rows, for a validation split that is missing.
          seed: Which rows those are.
          num_workers: Processes; 0 for one per processor.
          use_eos_token: Whether each document ends with the tokenizer's end of text.
          use_shared_memory: Whether to copy tokens into memory that processes share.
          cache_dir: The cache.
          overwrite: Whether to build anew what is there.
          encoder: Name of the engine; None for the quickest one that proves equal.

        Raises:
          CodeT5Error: The data set, the tokenizer or the cache is not what was asked for.
        """
        return cls._make("from_hub", locals())

    @classmethod
    def from_disk(
        cls,
        dataset_dir: PathLike,
        *,
        split: Split = None,
        tokenizer: Any = None,
        tokenizer_name: str | None = None,
        mapping_column_name: Columns = None,
        validation_split: ValidationSplit = None,
        seed: int = row_options.DEFAULT_SEED,
        num_workers: int = 0,
        use_eos_token: bool = True,
        use_shared_memory: bool = False,
        cache_dir: PathLike = DEFAULT_CACHE_DIR,
        overwrite: bool = False,
        encoder: str | None = None,
    ) -> FastHfDatasetProvider:
        """Encodes what `save_to_disk` of `datasets` wrote, or opens the cache of it that is there.

        Args:
          dataset_dir: A saved `Dataset`, which counts as train, or a `DatasetDict`.
          split: As for `from_hub`, like all that follow.
          tokenizer: A Hugging Face tokenizer.
          tokenizer_name: Its name on the Hub, or a folder, in its place.
          mapping_column_name: The columns of text.
          validation_split: For a validation split where there is none.
          seed: Which rows that gets.
          num_workers: Processes; 0 for one per processor.
          use_eos_token: Whether each document ends with the tokenizer's end of text.
          use_shared_memory: Whether to copy tokens into memory that processes share.
          cache_dir: The cache.
          overwrite: Whether to build anew what is there.
          encoder: Name of the engine; None for the quickest one that proves equal.

        Raises:
          CodeT5Error: The data set, the tokenizer or the cache is not what was asked for.
        """
        return cls._make("from_disk", locals())

    @classmethod
    def from_flcc(
        cls,
        data_dir: PathLike,
        name: str,
        *,
        tokenizer: Any = None,
        tokenizer_name: str | None = None,
        vocabulary: str | None = None,
        num_workers: int = 0,
        use_eos_token: bool = True,
        use_shared_memory: bool = False,
        cache_dir: PathLike = DEFAULT_CACHE_DIR,
        overwrite: bool = False,
        encoder: str | None = None,
    ) -> FastHfDatasetProvider:
        """Encodes the source files of a prepared data set, or opens the cache that is there.

        Args:
          data_dir: The data directory.
          name: Of the data set.
          tokenizer: A Hugging Face tokenizer; without any, the data set's own vocabulary encodes.
          tokenizer_name: Its name on the Hub, or a folder, in its place.
          vocabulary: Name of another vocabulary of the data directory.
          num_workers: Processes; 0 for one per processor.
          use_eos_token: Whether each document ends with the tokenizer's end of text.
          use_shared_memory: Whether to copy tokens into memory that processes share.
          cache_dir: The cache.
          overwrite: Whether to build anew what is there.
          encoder: Name of the engine; None for the quickest one that proves equal.

        Raises:
          CodeT5Error: The data set, the tokenizer or the cache is not what was asked for.
        """
        return cls._make("from_flcc", locals())

    @classmethod
    def from_documents(
        cls,
        documents: document_source.Documents,
        *,
        tokenizer: Any = None,
        tokenizer_name: str | None = None,
        validation_split: ValidationSplit = None,
        seed: int = row_options.DEFAULT_SEED,
        num_workers: int = 0,
        use_eos_token: bool = True,
        use_shared_memory: bool = False,
        cache_dir: PathLike = DEFAULT_CACHE_DIR,
        overwrite: bool = False,
        encoder: str | None = None,
    ) -> FastHfDatasetProvider:
        """Encodes documents that are at hand, or opens the cache of them that is there.

        Args:
          documents: str or UTF-8 bytes, walked once, which become train; or splits by name.
          tokenizer: A Hugging Face tokenizer.
          tokenizer_name: Its name on the Hub, or a folder, in its place.
          validation_split: For a validation split where there is none.
          seed: Which documents that gets.
          num_workers: Processes; 0 for one per processor.
          use_eos_token: Whether each document ends with the tokenizer's end of text.
          use_shared_memory: Whether to copy tokens into memory that processes share.
          cache_dir: The cache.
          overwrite: Whether to build anew what is there.
          encoder: Name of the engine; None for the quickest one that proves equal.

        Raises:
          CodeT5Error: The documents, the tokenizer or the cache is not what was asked for.
        """
        return cls._make("from_documents", locals())

    @classmethod
    def _make(cls, method: str, arguments: Mapping[str, Any]) -> FastHfDatasetProvider:
        """Opens or builds what one of the methods above was asked for."""
        request = provider_build.read_request(method, arguments)
        is_shared = provider_build.read_yes_or_no(
            arguments["use_shared_memory"], name="use_shared_memory"
        )
        return cls(provider_build.open_or_build(request), use_shared_memory=is_shared)

    @classmethod
    def from_cache(
        cls, cache_dir: PathLike, *, use_shared_memory: bool = False, trust_pickle: bool = False
    ) -> FastHfDatasetProvider:
        """Opens a cache; nothing is encoded, and no network is needed.

        Args:
          cache_dir: The cache, of code_t5 or of archai.
          use_shared_memory: Whether to copy tokens into memory that processes share.
          trust_pickle: Whether a cache of archai may be read, whose tokenizer is a pickle: that can
            run any code.

        Raises:
          NotBuiltError: There is no cache.
          ArtifactError: It is half-written, damaged or of another format.
          InputError: archai made it, and `trust_pickle` is not set.
        """
        folder = pathlib.Path(os.path.expanduser(os.fspath(cache_dir)))
        cache: cache_readers.Cache
        if archai_cache.is_archai_cache(folder):
            cache = archai_cache.ArchaiCache(folder, trust_pickle=trust_pickle)
        else:
            cache = reader.TokenCacheReader(folder)
        return cls(cache, use_shared_memory=use_shared_memory)
