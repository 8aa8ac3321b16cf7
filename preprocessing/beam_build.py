"""Builds a data set on more than one machine: `preprocessing.build` on an Apache Beam runner.

    python -m preprocessing.beam_build --input_dir DIR --data_dir DATA_DIR --name NAME \
        --pipeline_options "--runner=DaskRunner --dask_client_address=tcp://HOST:8786"

The flags are those of `preprocessing.build`, which stays the way to build on one machine and needs
no Beam; `--num_workers` does nothing here. Shards, ledger and report are the same, byte for byte.
The input and the data directory must have the same path on every worker. `docs/beam.md` says what
runs where, and which options each runner needs.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from code_t5 import command_line
from code_t5.storage import atomic, manifest
from preprocessing import build, flcc_layout, publish, report, stages
from preprocessing.beam import beam_near, beam_pool, beam_runner
from preprocessing.build_config import BuildConfig, check_config, dataset_dir, dry_run_dir
from preprocessing.build_flags import config_from_flags, define_flags

# Says of each worker that it started.
_NOISY_LOGGER = "apache_beam.runners.portability.local_job_service"


def _with_absolute_paths(config: BuildConfig) -> BuildConfig:
    """Returns the options with paths that mean the same in a worker, wherever that was started."""
    benchmarks = config.decontamination
    return dataclasses.replace(
        config,
        input_dir=os.path.abspath(config.input_dir),
        data_dir=os.path.abspath(config.data_dir),
        decontamination=dataclasses.replace(
            benchmarks,
            benchmark_paths=tuple(map(os.path.abspath, benchmarks.benchmark_paths)),
            allow_list_paths=tuple(map(os.path.abspath, benchmarks.allow_list_paths)),
        ),
    )


def build_dataset(
    config: BuildConfig, *, pipeline_options: str, clock: build.StageClock
) -> dict[str, Any]:
    """Builds a data set on a Beam runner, or finds it built.

    Args:
      config: What to build.
      pipeline_options: Of Beam and the runner, as on a command line.
      clock: Gets the seconds of each stage.

    Returns:
      The report, as `report.json` holds it.

    Raises:
      InputError: The input, the name or an option is not usable, or Beam is not installed.
      ArtifactError: The data set or the vocabulary on disk is damaged, or counts do not add up.
      VocabularyMismatchError: The vocabulary is not the one wanted, or loses something.
      BusyError: Another process builds the same.
      CodeT5Error: A step failed on the runner.
    """
    config = _with_absolute_paths(config)
    check_config(config)
    final_dir = dataset_dir(config.data_dir, config.name)
    place = f"{config.name}.dry_run" if config.dry_run else config.name
    work_dir = pathlib.Path(config.data_dir, ".building", place)
    lock = atomic.lock(work_dir.with_name(f"{place}.lock"), purpose=f"building {config.name}")
    with beam_runner.StepRunner(pipeline_options) as runner, lock:
        if not config.dry_run and manifest.is_complete(final_dir) and not config.overwrite:
            return publish.read_built(config, final_dir)
        root = flcc_layout.find_v3_root(config.input_dir)
        build.prepare_work_dir(config, work_dir)
        pool = beam_pool.BeamPool(runner, work_dir / "beam")
        with clock.stage("scan"):
            totals = stages.scan_input(config, root=root, work_dir=work_dir, pool=pool)
        with clock.stage("near-duplicates"):
            beam_near.prepare_near_duplicates(
                pool,
                work_dir=str(work_dir),
                num_units=totals.num_units,
                num_candidates=totals.num_candidates,
                config=config.near_duplicates,
            )
        result = build.finish_build(
            config, totals=totals, work_dir=work_dir, pool=pool, clock=clock
        )
        shutil.rmtree(work_dir, ignore_errors=True)
    return result


def main(argv: Sequence[str]) -> None:
    """Builds what the flags say and prints the report.

    Args:
      argv: The program's name, and further files of `--benchmark`.
    """
    config = config_from_flags(argv[1:])
    logging.getLogger(_NOISY_LOGGER).setLevel(logging.ERROR)
    clock = build.StageClock()
    result = build_dataset(config, pipeline_options=flags.FLAGS.pipeline_options, clock=clock)
    folder_fn = dry_run_dir if config.dry_run else dataset_dir
    folder = folder_fn(config.data_dir, config.name)
    print(report.format_report(result))
    for problem in result["problems"]:
        print(f"warning: {problem}", file=sys.stderr)
    if clock.seconds:
        print("seconds: " + ", ".join(f"{k} {v:.1f}" for k, v in clock.seconds.items()))
    print(f"{'dry run, nothing was built' if config.dry_run else 'data set'}: {folder}")


if __name__ == "__main__":
    define_flags()
    flags.DEFINE_string(
        "pipeline_options", "--runner=DirectRunner", "Options of Beam and of its runner."
    )
    command_line.run(main)
