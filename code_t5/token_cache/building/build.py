"""Builds a token cache: plans, encodes in several processes, joins, publishes.

    with_tokenizer = tokenizer_files.store_tokenizer(None, tokenizer_name="gpt2", folder=folder)
    reader = build_cache(source, tokenizer=with_tokenizer, config=BuildConfig("cache/sst2"))

Each unit of the source becomes one part, whichever worker writes it, so the number of workers never
changes a byte. The cache appears by one rename; the same command goes on where an interrupted one
stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Union

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.token_cache import layout, reader, writer
from code_t5.token_cache.building import build_plan, encode_units, part_jobs
from code_t5.token_cache.building.encode_units import UnitEncoding
from code_t5.token_cache.building.part_jobs import PartJob, Place, Written
from code_t5.token_cache.building.staging import Staging, staging_of
from code_t5.token_cache.sources.documents import DocumentSource
from code_t5.token_cache.tokenizing.encoder_proof import EngineChoice
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

PathLike = Union[str, "os.PathLike[str]"]


@dataclasses.dataclass(frozen=True)
class BuildConfig:
    """How to build a cache.

    Attributes:
      cache_dir: The cache.
      use_eos_token: Whether each document ends with the tokenizer's end of text.
      num_workers: Processes; 0 for one per processor. Never changes what is written.
      overwrite: Whether to replace a cache that is there, even an equal one.
      encoder: Name of the engine that turns text into ids; None for the quickest one that proves
        equal to the tokenizer.
    """

    cache_dir: PathLike
    use_eos_token: bool = True
    num_workers: int = 0
    overwrite: bool = False
    encoder: str | None = None

    @property
    def path(self) -> pathlib.Path:
        """The cache, links resolved: work is kept beside where it really lies.

        Raises:
          InputError: No directory is named.
        """
        if not os.fspath(self.cache_dir):
            raise errors.InputError("cache_dir is empty; wanted a directory's name; give one")
        return pathlib.Path(os.path.realpath(os.path.expanduser(os.fspath(self.cache_dir))))


def build_cache(
    source: DocumentSource, *, tokenizer: StoredTokenizer, config: BuildConfig
) -> reader.TokenCacheReader:
    """Builds a cache, or opens the one of the same content that is there.

    Args:
      source: Of the documents.
      tokenizer: What to encode them with.
      config: Where to, and how.

    Returns:
      The cache.

    Raises:
      InputError: A split is empty, the tokenizer has no end of text, or something is in the way.
      ArtifactError: Another cache is there, or the tokenizer is damaged.
      BusyError: Another process builds the same cache.
      CodeT5Error: The disk is full, or the source cannot be read.
    """
    end_of_text_id = tokenizer.require_eos_id() if config.use_eos_token else None
    parts = build_plan.fingerprint_parts(
        source, tokenizer=tokenizer, use_eos_token=config.use_eos_token
    )
    if config.overwrite:
        build_plan.check_replaceable(config.path)
    else:
        present = build_plan.open_present(config.path, parts=parts)
        if present is not None:
            return present
    _check_splits(source)
    with _clear_disk_errors(config.path), staging_of(config.path) as staging:
        # Another process may have finished meanwhile.
        present = None if config.overwrite else build_plan.open_present(config.path, parts=parts)
        if present is None:
            build = _Build(source, tokenizer, config, staging, parts, end_of_text_id)
            build.run()
        staging.remove()
    return present or reader.TokenCacheReader(config.path)


def _check_splits(source: DocumentSource) -> None:
    if not source.splits:
        raise errors.InputError("the source has no split; wanted one at least; name some data")
    for split in source.splits:
        # Refuses what cannot be part of a file's name.
        layout.array_name(split, layout.TOKENS)
        if source.num_documents(split) == 0:
            raise encode_units.empty_split(split, "no documents")


@contextlib.contextmanager
def _clear_disk_errors(cache_dir: pathlib.Path) -> Iterator[None]:
    """Turns the disk's errors into the project's."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise errors.CodeT5Error(
                f"no room on the disk while building {cache_dir} ({error.strerror}); wanted about "
                "twice the size of the tokens; free some, or give another cache_dir, then run the "
                "same command again: it goes on"
            ) from error
        if isinstance(error, PermissionError):
            raise errors.InputError(
                f"no permission for {error.filename} while building {cache_dir}; wanted to read "
                "and write it; change its permissions, or give another cache_dir"
            ) from error
        raise


@dataclasses.dataclass(frozen=True)
class _Build:
    """One run of a build, its staging locked."""

    source: DocumentSource
    tokenizer: StoredTokenizer
    config: BuildConfig
    staging: Staging
    parts: Mapping[str, Any]
    end_of_text_id: int | None

    def run(self) -> None:
        """Encodes and publishes."""
        plan = build_plan.plan_hash(self.parts, encoder=self.config.encoder)
        encoder = self.staging.prepare(plan)
        units = UnitEncoding(self.source, self.config.num_workers)
        if encoder:
            written = units.run(self._place(encoder["engine"]))
        else:

            def take(choice: EngineChoice) -> None:
                encoder.update(choice.manifest_fields)
                self.staging.write_plan(plan, encoder=encoder)

            written = units.prove_and_run(
                self._place,
                tokenizer=self.tokenizer,
                encoder=self.config.encoder,
                restart_fn=self.staging.start_afresh,
                proved_fn=take,
            )
        self._publish(written, encoder=encoder)

    def _place(self, engine: str) -> Place:
        return Place(
            parts_dir=os.fspath(self.staging.parts_dir),
            markers_dir=os.fspath(self.staging.markers_dir),
            tokenizer=self.tokenizer,
            encoder=engine,
            end_of_text_id=self.end_of_text_id,
        )

    def _publish(
        self, written: Mapping[str, Sequence[Written]], *, encoder: dict[str, Any]
    ) -> None:
        config = {**self.source.config, "use_eos_token": self.config.use_eos_token}
        files: dict[str, bytes | pathlib.Path] = {
            layout.CONFIG_NAME: (json.dumps(config, indent=2) + "\n").encode("ascii"),
        }
        self.tokenizer.check_files()
        for name in self.tokenizer.files:
            files[f"{layout.TOKENIZER_NAME}/{name}"] = self.tokenizer.path / name
        extras = writer.Extras(
            files=files,
            fields={
                "end_of_text_id": self.end_of_text_id,
                "tokenizer": self.tokenizer.manifest_fields,
                "encoder": encoder,
            },
            split_fields={
                split: {"largest_id": part_jobs.sums(of_split)["largest_id"]}
                for split, of_split in written.items()
            },
        )
        atomic.remove_leftovers(self.config.path)
        writer.join_parts(
            self.config.path,
            parts={
                split: [
                    self.staging.parts_dir / PartJob.name_of(split, number)
                    for number in range(len(of_split))
                ]
                for split, of_split in written.items()
            },
            fingerprint_parts=self.parts,
            extras=extras,
        )


def describe(cache: reader.TokenCacheReader) -> list[str]:
    """Returns some lines about a cache.

    Args:
      cache: The cache.
    """
    lines = [
        f"{name}: {counts['num_documents']:,} documents, {counts['num_bytes'] / 1e6:,.1f} MB of "
        f"text, {counts['num_tokens']:,} tokens"
        for name, counts in cache.splits.items()
    ]
    return [*lines, f"{cache.cache_dir}: finished"]
