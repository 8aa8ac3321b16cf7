"""Loads the CUDA libraries that pip installed, then runs a module as a program.

    python -m code_t5.training.devices.run_with_cuda t5.models.mesh_transformer_main FLAGS

The trainer starts itself so (`restarting.py`); started so by hand it spares the second start.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence

from code_t5 import errors, visible_text
from code_t5.training.devices import cuda_loading


def main(argv: Sequence[str]) -> None:
    """Loads, then runs the module that is named first.

    Args:
      argv: The program's name, the module, and what the module is given.

    Raises:
      SystemExit: No module is named, a library cannot be loaded, or as the module ends.
    """
    if len(argv) < 2:
        raise SystemExit("error: no module was named; wanted MODULE [ARGUMENT ...]; name one")
    try:
        cuda_loading.load_installed()
    except errors.CodeT5Error as error:
        raise SystemExit(f"error: {visible_text.one_line(str(error))}") from error
    sys.argv = list(argv[1:])
    # The module imports it anew, once seqio is there, to have its Tasks registered.
    for name in [name for name in sys.modules if name.partition(".")[0] == "code_t5"]:
        del sys.modules[name]
    runpy.run_module(argv[1], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv)
