"""Writes the task caches that seqio reads (`use_cached=True`), without Beam and TensorFlow.

    python scripts/cache_tasks.py --tasks NAME… --output_cache_dir DIR --data_dir DATA_DIR

The trainer reads them with `--additional_task_cache_dirs=DIR`. The same command goes on where an
interrupted one stopped. `docs/task_cache.md` says more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from absl import flags

from code_t5 import command_line
from code_t5.data.task_cache import build
from code_t5.storage import prepared

_TASKS = flags.DEFINE_multi_string(
    "tasks", [], "Tasks, by commas or spaces; may be given several times."
)
_OUTPUT_CACHE_DIR = flags.DEFINE_string(
    "output_cache_dir", None, "Gets a directory per Task.", required=True
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where data sets lie; see README.md.")
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers", 0, "Processes; 0 for one per processor.", lower_bound=0
)
_MIN_SHARDS = flags.DEFINE_integer("min_shards", 64, "Fewest shards of a split.", lower_bound=1)
# Define mixtures; the trainer's modules define the flags too, when a gin file imports them.
_GIN_FILE = flags.DEFINE_multi_string("gin_file", [], "Gin files.", allow_override=True)
_GIN_PARAM = flags.DEFINE_multi_string("gin_param", [], "Bindings.", allow_override=True)
_VERIFY = flags.DEFINE_boolean(
    "verify", False, "Writes nothing: reads every byte of the caches and checks it."
)
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replaces caches that are there.")


def main(argv: Sequence[str]) -> None:
    """Writes, or verifies, the caches and prints what became of each Task."""
    config = build.CacheConfig(
        tasks=tuple(" ".join([*_TASKS.value, *argv[1:]]).replace(",", " ").split()),
        output_cache_dir=os.path.expanduser(_OUTPUT_CACHE_DIR.value),
        data_dir=_DATA_DIR.value or prepared.find_data_dir(),
        num_workers=_NUM_WORKERS.value,
        min_shards=_MIN_SHARDS.value,
        overwrite=_OVERWRITE.value,
        gin_files=tuple(_GIN_FILE.value),
        gin_params=tuple(_GIN_PARAM.value),
    )
    for outcome in (build.verify_tasks if _VERIFY.value else build.cache_tasks)(config):
        print(build.describe(outcome))


if __name__ == "__main__":
    command_line.run(main)
