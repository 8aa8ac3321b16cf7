"""Starts the trainer anew with the CUDA libraries loaded, once, where it could not find them.

t5's program imports TensorFlow before anything of ours, and TensorFlow opens the CUDA runtime while
it is imported and never again. Where it was not found then, but pip has installed it, the trainer
is replaced by itself, in the same process, with the libraries loaded first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from absl import logging

from code_t5.training.devices import cuda_libraries, cuda_loading, gpus

# Holds the process's number, so that programs that the trainer starts are not taken for it.
DONE_VARIABLE = "CODE_T5_CUDA_RESTARTED"
_TRAINER = "t5.models.mesh_transformer_main"
_CONSOLE_SCRIPT = "t5_mesh_transformer"
_RUNNER = "code_t5.training.devices.run_with_cuda"


def is_needed(
    *,
    driver: gpus.Driver,
    installed: cuda_libraries.Installed,
    mapped: set[str],
    environ: Mapping[str, str],
) -> bool:
    """Returns whether a new start would let TensorFlow use a GPU that it cannot use now.

    Args:
      driver: What the machine has.
      installed: What pip has installed.
      mapped: File names of the libraries that the process has loaded.
      environ: Its environment.
    """
    if environ.get(DONE_VARIABLE) == str(os.getpid()):
        return False
    if not gpus.visible_gpus(driver, environ):
        return False
    if cuda_libraries.RUNTIME not in installed.paths:
        return False
    return not cuda_loading.is_mapped(cuda_libraries.RUNTIME, mapped)


def command(argv: Sequence[str]) -> list[str] | None:
    """Returns the command that replaces this process.

    Args:
      argv: As Python gives it to programs.

    Returns:
      None where the process is not the trainer's own program.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    name = getattr(spec, "name", None) or os.path.basename(argv[0])
    if name not in (_TRAINER, _CONSOLE_SCRIPT):
        return None
    # What `multiprocessing` too starts Python with: -O, -X and their kin.
    options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *options, "-m", _RUNNER, _TRAINER, *argv[1:]]


def restart_if_needed() -> None:
    """Replaces the trainer by itself with the CUDA libraries loaded, or returns.

    Raises:
      InputError: CODE_T5_CUDA_DIR names no folder.
    """
    if os.environ.get(DONE_VARIABLE) == str(os.getpid()):
        return
    driver = gpus.read_driver()
    if not gpus.visible_gpus(driver):
        return
    installed = cuda_libraries.find_installed(cuda_libraries.search_folders())
    mapped = cuda_loading.mapped_libraries()
    if not is_needed(driver=driver, installed=installed, mapped=mapped, environ=os.environ):
        return
    words = command(sys.argv)
    if words is None:
        return
    logging.info("Starting anew with the CUDA libraries that pip installed")
    os.environ[DONE_VARIABLE] = str(os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)
