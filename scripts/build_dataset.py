r"""Builds a data set below ./data once, so that training finds it there without a network.

    python scripts/build_dataset.py --dataset wikiann --splits train validation --subset 0.0
    python scripts/build_dataset.py --dataset wikiann --config en --subset 0.1 \
        --tokenizer_name bert-base-cased --text_columns tokens --label_column ner_tags
    python scripts/build_dataset.py --dataset wikiann --rebuild

Under HF_HUB_OFFLINE=1 it takes what is cached. The same command finds what is built and goes on
with what is not. `docs/hf_artifacts.md` says more.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import app, flags, logging

from code_t5 import command_line
from code_t5.hf_artifacts.built import build, build_flags


def main(argv: Sequence[str]) -> None:
    """Builds, and prints what there is.

    Args:
      argv: Nothing but the program's name.

    Raises:
      UsageError: There is more.
    """
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!a} is no flag; wanted --NAME=VALUE")
    # `datasets` says by this what else is installed.
    logging.set_verbosity(logging.WARNING)
    request, splits, options = build_flags.read_flags()
    build_flags.point_libraries()
    outcome = build.build_dataset(request, splits=splits, options=options)
    print("\n".join(build_flags.describe(outcome)))


if __name__ == "__main__":
    build_flags.define_flags()
    # Makes `--help` list them.
    flags.adopt_module_key_flags(build_flags)
    command_line.run(main, list_flags=build_flags.LIST_FLAGS)
