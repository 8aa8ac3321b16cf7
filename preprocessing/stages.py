"""The stages of a build, each from what the one before left in the work directory."""

from __future__ import annotations

import collections
import functools
import os
import pathlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from code_t5 import errors, parallel, progress
from code_t5.encoding import piece_model, token_model
from code_t5.storage import atomic, manifest
from preprocessing import (
    compare,
    filters,
    flcc_layout,
    ledger,
    records,
    splits,
    unit_store,
    vocabulary_training,
)
from preprocessing.build_config import BuildConfig, vocabulary_dir


def add_up(
    config: BuildConfig, *, root: pathlib.Path, summaries: Iterable[unit_store.UnitSummary]
) -> unit_store.ScanTotals:
    """Adds up what the units say of themselves.

    Args:
      config: What to build.
      root: The `v3` folder.
      summaries: Of all units, in order.

    Returns:
      The sums.

    Raises:
      InputError: There is no file to read.
    """
    sums: Counter[str] = collections.Counter()
    problems: list[str] = []
    for summary in summaries:
        sums["units"] += 1
        sums["files"] += summary.num_files
        sums["bytes"] += summary.size_bytes
        sums["candidates"] += summary.num_candidates
        problems.extend(line.replace(f"{root}{os.sep}", "") for line in summary.problems)
    if not sums["files"]:
        raise errors.InputError(
            f"{root} holds no files of {', '.join(config.languages)}; wanted "
            "languages/<Language>/.<ext>/<org>/<repository>/<branch>/<file>; check --language"
        )
    return unit_store.ScanTotals(
        sums["units"], sums["files"], sums["bytes"], sums["candidates"], tuple(problems)
    )


def scan_input(
    config: BuildConfig, *, root: pathlib.Path, work_dir: pathlib.Path, pool: parallel.WorkerPool
) -> unit_store.ScanTotals:
    """Scans every work unit of the input.

    Args:
      config: What to build.
      root: The `v3` folder.
      work_dir: The work directory.
      pool: Workers.

    Returns:
      Sums over the units.
    """
    languages = flcc_layout.select_languages(root, config.languages)

    def units() -> Iterator[flcc_layout.WorkUnit]:
        return flcc_layout.work_units(flcc_layout.list_branches(root, languages))

    def summaries() -> Iterator[unit_store.UnitSummary]:
        for summary in pool.map(scan_fn, units()):
            bar.update(summary.size_bytes)
            yield summary

    total_bytes = sum(unit.size_bytes for unit in units())
    scan_fn = functools.partial(
        unit_store.scan_and_keep, config=config.scan_config(), work_dir=str(work_dir)
    )
    with progress.progress_bar(
        description="reading", unit="B", total=total_bytes, unit_scale=True
    ) as bar:
        return add_up(config, root=root, summaries=summaries())


def write_records(
    pool: parallel.WorkerPool,
    *,
    plans: Iterable[records.ShardPlan],
    work_dir: pathlib.Path,
    output_dir: pathlib.Path,
) -> list[records.Shard]:
    """Writes the shards of all splits.

    Args:
      pool: Workers.
      plans: What goes into which shard.
      work_dir: The work directory.
      output_dir: Where the shards go.

    Returns:
      The shards, in order.
    """
    write_fn = functools.partial(
        records.write_shard, work_dir=str(work_dir), output_dir=str(output_dir)
    )
    written = []
    with progress.progress_bar(description="writing records", unit="file") as bar:
        for shard in pool.map(write_fn, plans):
            written.append(shard)
            bar.update(shard.num_examples)
    return written


def write_ledger(
    path: pathlib.Path,
    *,
    work_dir: pathlib.Path,
    num_units: int,
    compared: compare.Comparison,
) -> ledger.LedgerWriter:
    """Joins the units' pieces of the ledger and fills in what was decided by comparing.

    Args:
      path: The ledger.
      work_dir: The work directory.
      num_units: Number of scanned units.
      compared: What was decided.

    Returns:
      The closed writer, for its counts.
    """
    with ledger.LedgerWriter(path) as writer:
        for unit_index in range(num_units):
            piece = unit_store.unit_path(str(work_dir), unit_index=unit_index, suffix="parquet")
            table = ledger.apply_decisions(
                ledger.read_table(piece),
                decided=compared.decided,
                split_fn=lambda name: compared.assigned[splits.split_key(name)],
            )
            writer.write(table)
    return writer


def check_counts(
    writer: ledger.LedgerWriter, *, totals: unit_store.ScanTotals, written: Sequence[records.Shard]
) -> None:
    """Checks that ledger, input and records add up.

    Args:
      writer: Of the ledger, closed.
      totals: Of the scan.
      written: The shards.

    Raises:
      ArtifactError: They do not.
    """
    found, kept = sum(writer.files.values()), writer.files[filters.KEPT]
    num_examples = sum(shard.num_examples for shard in written)
    if found != totals.num_files or kept != num_examples:
        raise errors.ArtifactError(
            f"the ledger holds {found} files, {kept} of them kept; wanted {totals.num_files} and "
            f"{num_examples} records; this is a defect of code_t5: nothing was published"
        )


def ensure_vocabulary(
    config: BuildConfig, *, written: Sequence[records.Shard], output_dir: pathlib.Path
) -> dict[str, Any]:
    """Trains the vocabulary on the train split if the data directory has none of that name.

    Args:
      config: What to build.
      written: The shards.
      output_dir: Where they are.

    Returns:
      The vocabulary's manifest.

    Raises:
      VocabularyMismatchError: It is of another size or kind than the one asked for.
    """
    wanted = config.vocabulary
    folder = vocabulary_dir(config.data_dir, wanted.name)
    with atomic.lock(folder.with_name(f".{folder.name}.lock"), purpose="training a vocabulary"):
        if not manifest.is_complete(folder):
            train = [shard.name for shard in written if shard.split == splits.TRAIN]
            vocabulary_training.train_vocabulary(
                records.read_texts(output_dir, train),
                output_dir=folder,
                vocab_size=wanted.vocab_size or vocabulary_training.DEFAULT_VOCAB_SIZE,
                max_sample_bytes=wanted.max_sample_bytes,
                kind=wanted.kind or token_model.SENTENCEPIECE,
            )
    return check_vocabulary(config)


def check_vocabulary(config: BuildConfig) -> dict[str, Any]:
    """Checks that the vocabulary is the one that was asked for.

    Args:
      config: What to build.

    Returns:
      The vocabulary's manifest.

    Raises:
      NotBuiltError: There is none.
      ArtifactError: It is damaged.
      VocabularyMismatchError: It is of another size or kind.
    """
    wanted = config.vocabulary
    folder = vocabulary_dir(config.data_dir, wanted.name)
    found = piece_model.read_vocabulary_manifest(folder)
    is_that = f"the vocabulary {folder} (fingerprint {found['fingerprint'][:16]})"
    if wanted.vocab_size and wanted.vocab_size != found["requested_vocab_size"]:
        raise errors.VocabularyMismatchError(
            f"{is_that} was trained for {found['requested_vocab_size']} pieces; wanted "
            f"--vocab_size={wanted.vocab_size}; all data sets of a data directory share one "
            "vocabulary: leave --vocab_size out, or name another with --vocabulary"
        )
    if wanted.kind and wanted.kind != found["kind"]:
        raise errors.VocabularyMismatchError(
            f"{is_that} is of the kind {found['kind']}; wanted --vocabulary_kind={wanted.kind}; "
            "all data sets of a data directory share one vocabulary: leave --vocabulary_kind out, "
            "or name another with --vocabulary"
        )
    return found
