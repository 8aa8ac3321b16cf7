"""Shows what a Task or Mixture gives the model: examples, lengths, fill, and settings that fit.

    python scripts/preview_task.py NAME
    python scripts/preview_task.py --list

docs/preview.md says what is shown.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from code_t5 import command_line
from code_t5.data.preview import preview_flags, program


def main(argv: Sequence[str]) -> None:
    """Shows a Task or Mixture, or lists them."""
    config = preview_flags.read_config(argv[1:])
    if flags.FLAGS.list:
        program.show_list(config)
    else:
        program.show(config)


if __name__ == "__main__":
    if not any(word.startswith(("--help", "-h", "-?")) for word in sys.argv):
        program.load_tensorflow()
    preview_flags.define_flags()
    # So that --help lists them.
    flags.adopt_module_key_flags(preview_flags)
    command_line.run(main)
