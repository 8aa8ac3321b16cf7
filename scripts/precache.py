r"""Fetches models, data sets and metrics while there is a network, for jobs that have none.

    python scripts/precache.py --cache_dir /scratch/me/hf-cache --wikiann_langs en de
    python scripts/precache.py --cache_dir /scratch/me/hf-cache --spec artefacts.yaml --dry_run
    source /scratch/me/hf-cache/env.sh

The same command goes on where an interrupted one stopped. `docs/hf_artifacts.md` says more.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import app, flags

from code_t5 import command_line
from code_t5.hf_artifacts import precache, precache_flags


def main(argv: Sequence[str]) -> int:
    """Fetches, or says what would be fetched.

    Args:
      argv: Nothing but the program's name.

    Returns:
      The exit status: 1 if something was not fetched.

    Raises:
      UsageError: There is more.
    """
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!a} is no flag; wanted --NAME=VALUE")
    config = precache_flags.read_flags()
    outcomes = precache.precache(config)
    print("\n".join(precache.describe(outcomes, config=config)))
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


if __name__ == "__main__":
    precache_flags.define_flags()
    # Makes `--help` list them.
    flags.adopt_module_key_flags(precache_flags)
    command_line.run(main, list_flags=precache_flags.LIST_FLAGS)
