r"""Says what a cache of Hugging Face artefacts holds, whether it is whole, and whether it loads.

    python scripts/check_hf_cache.py --cache_dir "$HF_CACHE_ROOT"
    python scripts/check_hf_cache.py --cache_dir "$HF_CACHE_ROOT" --dataset NAME --loader \
        --batch_size 32

Nothing is asked of the network, and nothing is fetched. The exit status is 1 if anything is not as
it should be. `docs/hf_artifacts.md` says more.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import app, flags

from code_t5 import command_line
from code_t5.hf_artifacts.checking import check_flags, loader_check


def main(argv: Sequence[str]) -> int:
    """Checks, and prints what was found.

    Args:
      argv: Nothing but the program's name.

    Returns:
      The exit status.

    Raises:
      UsageError: There is more.
    """
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!a} is no flag; wanted --NAME=VALUE")
    return check_flags.run()


if __name__ == "__main__":
    check_flags.define_flags()
    # Makes `--help` list them.
    flags.adopt_module_key_flags(check_flags)
    flags.adopt_module_key_flags(loader_check)
    command_line.run(main, list_flags=check_flags.LIST_FLAGS)
