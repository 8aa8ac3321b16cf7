"""Builds a data set on more than one machine: `preprocessing.build` on an Apache Beam runner.

    python -m preprocessing.beam_build --input_dir DIR --data_dir DATA_DIR --name NAME \
        --pipeline_options "--runner=DaskRunner --dask_client_address=tcp://HOST:8786"

The flags are those of `preprocessing.build`, which stays the way to build on one machine and needs
no Beam; `--num_workers` does nothing here. Shards, ledger and report are the same, byte for byte.
The input and the data directory must have the same path on every worker. `docs/beam.md` says what
runs where, and which options each runner needs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, cast

from absl import flags

from code_t5 import command_line, parallel
from preprocessing import build, build_flags, unit_store
from preprocessing.beam import beam_near, beam_pool, beam_runner
from preprocessing.build_config import BuildConfig

# They say of each worker that it started, of annotations that they are text, of clouds that they
# are not there.
_NOISY_LOGGERS = (
    "apache_beam.runners.portability.local_job_service",
    "apache_beam.typehints.native_type_compatibility",
    "apache_beam.io.gcp.bigquery",
)


def with_absolute_paths(config: BuildConfig) -> BuildConfig:
    """Returns the options with paths that mean the same in a worker, wherever that was started.

    Args:
      config: What to build.
    """
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


def beam_workers(config: BuildConfig, *, pipeline_options: str) -> build.Workers:
    """Returns the workers of a Beam runner.

    Args:
      config: What to build.
      pipeline_options: Of Beam and the runner, as on a command line.
    """
    beam_runner.require_beam()

    @contextlib.contextmanager
    def open_pool(work_dir: pathlib.Path) -> Iterator[parallel.WorkerPool]:
        with beam_runner.StepRunner(pipeline_options) as runner:
            yield beam_pool.BeamPool(runner, work_dir / "beam")

    def prepare(
        pool: parallel.WorkerPool, totals: unit_store.ScanTotals, work_dir: pathlib.Path
    ) -> None:
        beam_near.prepare_near_duplicates(
            cast(beam_pool.BeamPool, pool),
            work_dir=str(work_dir),
            num_units=totals.num_units,
            num_candidates=totals.num_candidates,
            config=config.near_duplicates,
        )

    return build.Workers(open_pool, prepare)


def build_dataset(
    config: BuildConfig, *, pipeline_options: str, clock: build.StageClock
) -> dict[str, Any]:
    """Builds a data set on a Beam runner, or finds it built; see `build.build_dataset`.

    Args:
      config: What to build.
      pipeline_options: Of Beam and the runner, as on a command line.
      clock: Gets the seconds of each stage.

    Returns:
      The report, as `report.json` holds it.
    """
    config = with_absolute_paths(config)
    workers = beam_workers(config, pipeline_options=pipeline_options)
    return build.build_dataset(config, clock=clock, workers=workers)


def main(argv: Sequence[str]) -> None:
    """Builds what the flags say and prints the report.

    Args:
      argv: The program's name, and further files of `--benchmark`.
    """
    # Dask sets its level when it is imported, from its configuration.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    config = with_absolute_paths(build_flags.config_from_flags(argv[1:]))
    workers = beam_workers(config, pipeline_options=flags.FLAGS.pipeline_options)
    build.run_build(config, workers=workers)


if __name__ == "__main__":
    build_flags.define_flags()
    flags.DEFINE_string(
        "pipeline_options", "--runner=DirectRunner", "Options of Beam and of its runner."
    )
    # Else --help would not list those of the build.
    flags.adopt_module_key_flags(build_flags)
    command_line.run(main)
