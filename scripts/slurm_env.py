r"""Prints the lines that set up a job which reads a cache that precache.py filled.

    python scripts/slurm_env.py --format sbatch --modules cuda/12.1 gcc/12 --venv .venv
    python scripts/slurm_env.py --format yaml --cache_dir /scratch/me/hf-cache
    python scripts/slurm_env.py --format dotenv > .env

For sbatch files, for configurations in YAML (`setup`, a list of commands, and `env`), and for .env
files. With --online the job may ask the Hub.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from absl import app, flags

from code_t5 import command_line
from code_t5.hf_artifacts import cache_root, slurm_setup

flags.DEFINE_enum("format", "sbatch", slurm_setup.FORMATS, "What the lines are for.")
flags.DEFINE_string("cache_dir", None, "The cache; by default HF_HOME, or ~/hf-cache.")
flags.DEFINE_list("modules", [], "Names for `module load`.")
flags.DEFINE_string("venv", None, "Virtual environment, a folder with bin/activate.")
flags.DEFINE_multi_string("export", [], "One more variable, as NAME=VALUE; may be repeated.")
flags.DEFINE_boolean("online", False, "Whether the job may ask the Hub.")


def main(argv: Sequence[str]) -> None:
    """Prints the lines.

    Args:
      argv: Nothing but the program's name.

    Raises:
      UsageError: There is more.
    """
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!a} is no flag; wanted --NAME=VALUE")
    given = flags.FLAGS
    setup = slurm_setup.SlurmSetup(
        root=cache_root.root_of_flag(given.cache_dir),
        modules=tuple(given.modules),
        venv=given.venv,
        is_online=given.online,
        variables=slurm_setup.read_variables(given.export),
        token_path=slurm_setup.find_token(os.environ),
    )
    print(slurm_setup.setup_text(setup, format_name=given.format), end="")


if __name__ == "__main__":
    command_line.run(main, list_flags=("modules",))
