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
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.token_cache import layout, reader, writer
from code_t5.token_cache.building import (
    build_plan,
    cache_place,
    disk_room,
    encode_units,
    part_jobs,
)
from code_t5.token_cache.building.build_config import BuildConfig
from code_t5.token_cache.building.encode_units import UnitEncoding, WrittenBySplit
from code_t5.token_cache.building.part_jobs import PartJob, Place, Written
from code_t5.token_cache.building.staging import Staging, staging_of
from code_t5.token_cache.sources.documents import DocumentSource
from code_t5.token_cache.tokenizing import encoders
from code_t5.token_cache.tokenizing.encoder_proof import EngineChoice
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer


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
        cache_place.check_replaceable(config.path)
    else:
        present = build_plan.open_present(config.path, parts=parts)
        if present is not None:
            return present
    _check_splits(source)
    with contextlib.ExitStack() as stack:
        room = disk_room.Room(source, tokenizer=tokenizer, config=config)
        stack.enter_context(cache_place.clear_disk_errors(config.path, wanted_fn=room.describe))
        staging = stack.enter_context(staging_of(config.path))
        stack.enter_context(room.counted(staging))
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
        if "engine" in encoder:
            written = units.run(self._place(encoder["engine"]))
        else:
            encoder, written = self._prove_and_run(units, plan, begun_with=encoder.get("likely"))
        self._publish(written, encoder=encoder)

    def _prove_and_run(
        self, units: UnitEncoding, plan: str, *, begun_with: str | None
    ) -> tuple[dict[str, Any], WrittenBySplit]:
        """Encodes with an engine that proves equal; keeps what is done if it is stopped before."""
        likely = self.config.encoder or encoders.candidate_engines(self.tokenizer)[0]
        if begun_with != likely:
            self.staging.start_afresh()
        # Not proved yet: the next run proves it before anything else.
        self.staging.write_plan(plan, encoder={"likely": likely})
        encoder: dict[str, Any] = {}

        def take(choice: EngineChoice) -> None:
            encoder.update(choice.manifest_fields)
            self.staging.write_plan(plan, encoder=encoder)

        written = units.prove_and_run(
            self._place,
            tokenizer=self.tokenizer,
            likely=likely,
            encoder=self.config.encoder,
            restart_fn=self.staging.start_afresh,
            proved_fn=take,
        )
        return encoder, written

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
