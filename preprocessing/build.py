"""Builds a data set: FLCC folders in, TFDS records out.

    python -m preprocessing.build --input_dir DIR --data_dir DATA_DIR --name NAME

Stages: *scan* (read each file once, decide on it alone), *compare* (exact and near-duplicates,
splits), *records* (shards, written again until nothing leaks from split to split), *ledger*,
*vocabulary* (trained if the data directory has none), *lossless* (every file encoded, decoded,
compared), *publish* (reports, one rename). What was done is kept in `DATA_DIR/.building/NAME`
until then, so that the same command goes on where it stopped. Nothing is written to the input, and
what was built before stays until the rename. `--dry_run` decides everything and writes nothing but
the ledger and the reports, to `DATA_DIR/dry_runs/NAME`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable

from absl import flags

from code_t5 import command_line, errors, parallel
from code_t5.storage import atomic, fingerprints, manifest, prepared
from preprocessing import (
    build_flags,
    compare,
    flcc_layout,
    ledger,
    lossless,
    publish,
    report,
    splits,
    stages,
    unit_store,
)
from preprocessing.build_config import (
    BuildConfig,
    check_config,
    dataset_dir,
    dry_run_dir,
    vocabulary_dir,
)
from preprocessing.leaks import removal


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


def prepare_work_dir(config: BuildConfig, work_dir: pathlib.Path) -> None:
    """Keeps what an interrupted run with the same options did, and nothing else.

    Args:
      config: What to build.
      work_dir: Made if it is not there, emptied if it belongs to other options.
    """
    options = fingerprints.hash_json(
        [
            config.options(),
            os.path.abspath(config.input_dir),
            prepared.FORMAT_VERSION,
            publish.library_versions(),
        ]
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


@dataclasses.dataclass(frozen=True)
class Workers:
    """Who does the work of a build.

    Attributes:
      open_pool: Given the work directory, returns the pool, as a context.
      prepare_fn: Runs between the scan and the comparison, if there is one: does part of the
        comparison on the workers and leaves it in the work directory.
    """

    open_pool: Callable[[pathlib.Path], contextlib.AbstractContextManager[parallel.WorkerPool]]
    prepare_fn: (
        Callable[[parallel.WorkerPool, unit_store.ScanTotals, pathlib.Path], None] | None
    ) = None


def _own_processes(config: BuildConfig) -> Workers:
    num_workers = config.num_workers or parallel.default_num_workers()
    return Workers(lambda work_dir: parallel.WorkerPool(num_workers))


def build_dataset(
    config: BuildConfig, *, clock: StageClock, workers: Workers | None = None
) -> dict[str, Any]:
    """Builds a data set, or finds it built; in a dry run, finds out what a build would do.

    Args:
      config: What to build.
      clock: Gets the seconds of each stage.
      workers: Who does it; processes of this machine if None.

    Returns:
      The report, as `report.json` holds it.

    Raises:
      InputError: The input, the name or an option is not usable.
      ArtifactError: The data set or the vocabulary on disk is damaged, or counts do not add up.
      VocabularyMismatchError: The vocabulary is not the one wanted, or loses something.
      NotBuiltError: The data set is finished and its vocabulary is gone.
      BusyError: Another process builds the same.
    """
    check_config(config)
    options = config.options()
    workers = workers or _own_processes(config)
    final_dir = dataset_dir(config.data_dir, config.name)
    # No name of a data set holds a dot.
    place = f"{config.name}.dry_run" if config.dry_run else config.name
    work_dir = pathlib.Path(config.data_dir, ".building", place)
    with atomic.lock(work_dir.with_name(f"{place}.lock"), purpose=f"building {config.name}"):
        if not config.dry_run and manifest.is_complete(final_dir) and not config.overwrite:
            shutil.rmtree(work_dir, ignore_errors=True)
            stages.check_vocabulary(config)
            return publish.read_built(config, final_dir)
        root = flcc_layout.find_v3_root(config.input_dir)
        prepare_work_dir(config, work_dir)
        with workers.open_pool(work_dir) as pool:
            with clock.stage("scan"):
                totals = stages.scan_input(config, root=root, work_dir=work_dir, pool=pool)
            if workers.prepare_fn:
                with clock.stage("prepare"):
                    workers.prepare_fn(pool, totals, work_dir)
            result = finish_build(
                config, options=options, totals=totals, work_dir=work_dir, pool=pool, clock=clock
            )
        shutil.rmtree(work_dir, ignore_errors=True)
    return result


def finish_build(
    config: BuildConfig,
    *,
    options: Mapping[str, Any],
    totals: unit_store.ScanTotals,
    work_dir: pathlib.Path,
    pool: parallel.WorkerPool,
    clock: StageClock,
) -> dict[str, Any]:
    """Runs the stages after the scan one after the other.

    Args:
      config: What to build.
      options: What `config.options()` was before the scan.
      totals: Of the scan, which left its units in `work_dir`.
      work_dir: The work directory.
      pool: Workers.
      clock: Gets the seconds of each stage.

    Returns:
      The report.

    Raises:
      InputError: A benchmark changed meanwhile, or a split that was asked for got no file.
    """
    with clock.stage("compare"):
        compared = compare.compare(config, totals=totals, work_dir=work_dir)
    with clock.stage("records"):
        written = removal.write_without_leaks(
            compared, threshold=config.near_duplicates.threshold, work_dir=work_dir, pool=pool
        )
        problems = [] if compared.problems else leak_problems(config, written)
    with clock.stage("ledger"):
        writer = stages.write_ledger(
            written.output_dir / ledger.LEDGER_NAME,
            work_dir=work_dir,
            num_units=totals.num_units,
            compared=compared,
        )
        stages.check_counts(writer, totals=totals, written=written.shards)
        result = publish.make_report(
            config,
            totals=totals,
            writer=writer,
            written=written,
            compared=compared,
            problems=problems,
        )
    if not config.dry_run:
        result |= _prove_lossless(
            config, written=written, work_dir=work_dir, pool=pool, clock=clock
        )
    with clock.stage("publish"):
        texts = unit_store.TextReader(str(work_dir), totals.num_units)
        publish.write_reports(result, output_dir=written.output_dir, read_text=texts.read)
        _check_unchanged(config, options)
        publish.publish(config, result=result, written=written)
    return result


def _check_unchanged(config: BuildConfig, options: Mapping[str, Any]) -> None:
    """Refuses to publish what was made with a benchmark that is another one by now."""
    if config.options() != options:
        raise errors.InputError(
            "a file of --benchmark or --benchmark_allow changed while it was used; wanted the "
            "same from beginning to end; nothing was published: run the same command again"
        )


def leak_problems(config: BuildConfig, written: removal.WrittenRecords) -> list[str]:
    """Checks that every split that was asked for has a file left.

    Args:
      config: What to build.
      written: The shards.

    Returns:
      A line for the user where not, in a dry run.

    Raises:
      InputError: One has none.
    """
    present = {shard.split for shard in written.shards}
    missing = [split for split in splits.wanted_splits(config.splits) if split not in present]
    if not missing:
        return []
    line = (
        f"no file is left for {', '.join(missing)} after {written.leaks['num_dropped']} files were "
        "dropped that have a copy in another split; wanted one at least; add repositories, leave "
        "--no_near_dup out, or set --validation_fraction=0 or --test_fraction=0"
    )
    if not config.dry_run:
        raise errors.InputError(line)
    return [f"a build would stop here: {line}"]


def _prove_lossless(
    config: BuildConfig,
    *,
    written: removal.WrittenRecords,
    work_dir: pathlib.Path,
    pool: parallel.WorkerPool,
    clock: StageClock,
) -> dict[str, Any]:
    """Makes sure of a vocabulary that loses nothing; returns what the report says of it."""
    with clock.stage("vocabulary"):
        vocabulary = stages.ensure_vocabulary(
            config, written=written.shards, output_dir=written.output_dir
        )
    with clock.stage("lossless"):
        checked = lossless.check_lossless(
            pool,
            written=written.shards,
            dataset_dir=written.output_dir,
            vocabulary_dir=vocabulary_dir(config.data_dir, config.vocabulary.name),
            work_dir=work_dir,
            fingerprint=fingerprints.hash_json(
                [written.output_dir.name, vocabulary["fingerprint"]]
            ),
        )
        lossless.require_lossless(checked)
    return publish.describe_vocabulary(config, vocabulary=vocabulary, checked=checked)


def run_build(config: BuildConfig, *, workers: Workers | None = None) -> None:
    """Builds, and prints the report and where everything is.

    Args:
      config: What to build.
      workers: Who does it; processes of this machine if None.
    """
    clock = StageClock()
    result = build_dataset(config, clock=clock, workers=workers)
    folder_fn = dry_run_dir if config.dry_run else dataset_dir
    folder = folder_fn(config.data_dir, config.name)
    if not clock.seconds:
        print(f"{folder} is built already; its input was not read again (--overwrite does)")
    print(report.format_report(result))
    for problem in result["problems"]:
        print(f"warning: {problem}", file=sys.stderr)
    if clock.seconds:
        print("seconds: " + ", ".join(f"{k} {v:.1f}" for k, v in clock.seconds.items()))
    print(f"report: {folder / publish.HTML_NAME}")
    print(f"{'dry run, nothing was built' if config.dry_run else 'data set'}: {folder}")


def main(argv: Sequence[str]) -> None:
    """Builds what the flags say and prints the report.

    Args:
      argv: The program's name, and further files of `--benchmark`.
    """
    run_build(build_flags.config_from_flags(argv[1:]))


if __name__ == "__main__":
    build_flags.define_flags()
    # Else --help would list no flag.
    flags.adopt_module_key_flags(build_flags)
    command_line.run(main)
