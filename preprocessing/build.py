"""Builds a data set: FLCC folders in, TFDS records out.

    python -m preprocessing.build --input_dir DIR --data_dir DATA_DIR --name NAME

Stages: *scan* (read each file once, decide on it alone), *compare* (exact duplicates, splits),
*records* (shards and ledger), *vocabulary* (trained if the data directory has none), *lossless*
(every file encoded, decoded, compared), *publish* (one rename). What was done is kept in
`DATA_DIR/.building/NAME` until then, so that the same command goes on where it stopped. Nothing is
written to the input, and what was built before stays until the rename.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from code_t5 import command_line
from code_t5.data import prepared
from code_t5.storage import atomic, fingerprints, manifest
from preprocessing import (
    filters,
    flcc_layout,
    ledger,
    lossless,
    parallel,
    publish,
    records,
    report,
    splits,
    stages,
)
from preprocessing.build_config import (
    BuildConfig,
    VocabularyConfig,
    check_config,
    dataset_dir,
    vocabulary_dir,
)


class StageClock:
    """Seconds spent in each stage, in order."""

    def __init__(self) -> None:
        """Starts with no stage."""
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times one stage.

        Args:
          name: Of the stage.

        Yields:
          Nothing.
        """
        start = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start


def _prepare_work_dir(config: BuildConfig, work_dir: pathlib.Path) -> None:
    """Keeps what an interrupted run with the same options did, and nothing else."""
    options = fingerprints.hash_json(
        [config.options(), os.path.abspath(config.input_dir), prepared.FORMAT_VERSION]
    )
    marker = work_dir / "options"
    try:
        same = marker.read_text() == options
    except OSError:
        same = False
    if not same:
        shutil.rmtree(work_dir, ignore_errors=True)
        work_dir.mkdir(parents=True)
        atomic.write_file(marker, options.encode("ascii"))


def build_dataset(config: BuildConfig, clock: StageClock) -> dict[str, Any]:
    """Builds a data set, or finds it built.

    Args:
      config: What to build.
      clock: Gets the seconds of each stage.

    Returns:
      The report, as `report.json` holds it.

    Raises:
      InputError: The input, the name or an option is not usable.
      ArtifactError: The data set or the vocabulary on disk is damaged, or counts do not add up.
      VocabularyMismatchError: The vocabulary is not the one wanted, or loses something.
      BusyError: Another process builds the same.
    """
    check_config(config)
    final_dir = dataset_dir(config.data_dir, config.name)
    work_dir = pathlib.Path(config.data_dir, ".building", config.name)
    lock_path = work_dir.with_name(f"{config.name}.lock")
    with atomic.lock(lock_path, purpose=f"building {config.name}"):
        if manifest.is_complete(final_dir) and not config.overwrite:
            return publish.read_built(config, final_dir)
        root = flcc_layout.find_v3_root(config.input_dir)
        _prepare_work_dir(config, work_dir)
        with parallel.WorkerPool(config.num_workers or parallel.default_num_workers()) as pool:
            result = _build(config, root=root, work_dir=work_dir, pool=pool, clock=clock)
        shutil.rmtree(work_dir, ignore_errors=True)
    return result


def _build(
    config: BuildConfig,
    *,
    root: pathlib.Path,
    work_dir: pathlib.Path,
    pool: parallel.WorkerPool,
    clock: StageClock,
) -> dict[str, Any]:
    """Runs the stages one after the other."""
    with clock.stage("scan"):
        totals = stages.scan_input(config, root=root, work_dir=work_dir, pool=pool)
    with clock.stage("compare"):
        duplicates, assigned = stages.compare(config, totals=totals, work_dir=work_dir)
        plan = records.plan_fingerprint(duplicates, assigned)
    output_dir = work_dir / f"output-{plan[:16]}"
    output_dir.mkdir(exist_ok=True)
    with clock.stage("records"):
        plans = records.plan_shards(duplicates, assigned=assigned)
        written = stages.write_records(pool, plans=plans, work_dir=work_dir, output_dir=output_dir)
    with clock.stage("ledger"):
        records.write_tfds_metadata(output_dir, name=config.name, written=written)
        writer = stages.write_ledger(
            output_dir / ledger.LEDGER_NAME,
            work_dir=work_dir,
            totals=totals,
            duplicates=duplicates,
            assigned=assigned,
        )
        stages.check_counts(writer, totals=totals, written=written)
    with clock.stage("vocabulary"):
        vocabulary = stages.ensure_vocabulary(config, written=written, output_dir=output_dir)
    with clock.stage("lossless"):
        checked = lossless.check_lossless(
            pool,
            written=written,
            dataset_dir=output_dir,
            vocabulary_dir=vocabulary_dir(config.data_dir, config.vocabulary.name),
            work_dir=work_dir,
            fingerprint=fingerprints.hash_json([plan, vocabulary["fingerprint"]]),
        )
        lossless.require_lossless(checked)
    with clock.stage("publish"):
        result = publish.make_report(
            config,
            totals=totals,
            writer=writer,
            written=written,
            assigned=assigned,
            vocabulary=vocabulary,
            checked=checked,
        )
        publish.publish_dataset(config, result=result, written=written, output_dir=output_dir)
    return result


def _define_flags() -> None:
    limits, sizes, vocabulary = filters.FilterConfig(), splits.SplitConfig(), VocabularyConfig()
    flags.DEFINE_string("input_dir", None, "Folder in FLCC layout.", required=True)
    flags.DEFINE_string("data_dir", None, "Where TFDS data sets lie.", required=True)
    flags.DEFINE_string("name", None, "Name of the data set, and of its Task.", required=True)
    flags.DEFINE_list("language", ["Python"], "Language folders to read, or all.")
    flags.DEFINE_integer("num_workers", 0, "Processes; 0 for one per processor.", lower_bound=0)
    flags.DEFINE_bool("overwrite", False, "Replace a finished data set of this name.")
    flags.DEFINE_integer("max_file_bytes", limits.max_file_bytes, "Of a file as found.")
    flags.DEFINE_integer("max_line_length", limits.max_line_length, "In characters.")
    flags.DEFINE_float("max_mean_line_length", limits.max_mean_line_length, "In characters.")
    flags.DEFINE_float(
        "min_alphanumeric_fraction", limits.min_alphanumeric_fraction, "Of the characters."
    )
    flags.DEFINE_float("validation_fraction", sizes.validation_fraction, "Of the repositories.")
    flags.DEFINE_float("test_fraction", sizes.test_fraction, "Of the repositories.")
    flags.DEFINE_string("vocabulary", vocabulary.name, "Which vocabulary of the data directory.")
    flags.DEFINE_integer(
        "vocab_size", 0, "Pieces; 0 takes an existing vocabulary, or trains 32000.", lower_bound=0
    )
    flags.DEFINE_integer(
        "max_sample_bytes", vocabulary.max_sample_bytes, "Most bytes to train a vocabulary on."
    )


def _config_from_flags() -> BuildConfig:
    values = flags.FLAGS
    return BuildConfig(
        input_dir=values.input_dir,
        data_dir=os.path.expanduser(values.data_dir),
        name=values.name,
        languages=tuple(values.language),
        num_workers=values.num_workers,
        overwrite=values.overwrite,
        filters=filters.FilterConfig(
            max_file_bytes=values.max_file_bytes,
            max_line_length=values.max_line_length,
            max_mean_line_length=values.max_mean_line_length,
            min_alphanumeric_fraction=values.min_alphanumeric_fraction,
        ),
        splits=splits.SplitConfig(values.validation_fraction, values.test_fraction),
        vocabulary=VocabularyConfig(values.vocabulary, values.vocab_size, values.max_sample_bytes),
    )


def main(argv: Sequence[str]) -> None:
    """Builds what the flags say and prints the report.

    Args:
      argv: The program's name; everything else is a flag.
    """
    del argv
    config = _config_from_flags()
    clock = StageClock()
    result = build_dataset(config, clock)
    folder = dataset_dir(config.data_dir, config.name)
    if not clock.seconds:
        print(f"{folder} is built already; its input was not read again (--overwrite does)")
    print(report.format_report(result))
    for problem in result["problems"]:
        print(f"warning: {problem}", file=sys.stderr)
    if clock.seconds:
        print("seconds: " + ", ".join(f"{k} {v:.1f}" for k, v in clock.seconds.items()))
    print(f"data set: {folder}")


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
