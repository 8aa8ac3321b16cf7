"""Writes the task caches that seqio reads (`use_cached=True`), without Beam and TensorFlow.

    python scripts/cache_tasks.py --tasks NAME… --output_cache_dir DIR --data_dir DATA_DIR

The trainer reads them with `--additional_task_cache_dirs=DIR`. The same command goes on where an
interrupted one stopped. `docs/task_cache.md` says more.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from code_t5 import command_line
from code_t5.data import prepared
from code_t5.data.task_cache import build

_TASKS = flags.DEFINE_list("tasks", [], "Tasks, by commas or spaces.")
_OUTPUT_CACHE_DIR = flags.DEFINE_string(
    "output_cache_dir", None, "Gets a directory per Task.", required=True
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where data sets lie; see README.md.")
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers", 0, "Processes; 0 for one per processor.", lower_bound=0
)
_MIN_SHARDS = flags.DEFINE_integer("min_shards", 64, "Fewest shards of a split.", lower_bound=1)
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replaces caches that are there.")


def main(argv: Sequence[str]) -> None:
    """Writes the caches and prints what became of each Task."""
    config = build.CacheConfig(
        tasks=(*_TASKS.value, *argv[1:]),
        output_cache_dir=_OUTPUT_CACHE_DIR.value,
        data_dir=_DATA_DIR.value or prepared.find_data_dir(),
        num_workers=_NUM_WORKERS.value,
        min_shards=_MIN_SHARDS.value,
        overwrite=_OVERWRITE.value,
    )
    for outcome in build.cache_tasks(config):
        print(build.describe(outcome))


if __name__ == "__main__":
    command_line.run(main)
