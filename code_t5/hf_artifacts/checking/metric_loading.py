"""Loads a metric as a program does. Its script is run: only in a child, and behind the fence.

Where there is no network, `evaluate` runs the newest copy that it made of a script below `modules/`
of the root. So that nothing else is run, every copy must be the script that was fetched.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking.load_target import LoadTarget
from code_t5.hf_artifacts.checking.verdicts import NothingToLoadError, Verdicts

_CANONICAL = "evaluate-"
_COPIES = pathlib.PurePosixPath("modules/evaluate_modules/metrics")
_MAX_SCRIPT_BYTES = 1 << 20


def check_metric(
    root: CacheRoot, *, target: LoadTarget, files: Mapping[str, pathlib.Path]
) -> Verdicts:
    """Loads a metric by its name, without computing anything.

    Args:
      root: Where it is.
      target: Which.
      files: Where each of its files lies, by its path in the repository.
    """
    verdicts = Verdicts()
    verdicts.try_part("metric", lambda: _load(root, target, files))
    return verdicts


def _load(root: CacheRoot, target: LoadTarget, files: Mapping[str, pathlib.Path]) -> str | None:
    """Loads it.

    Raises:
      NothingToLoadError: It may not be run, or is none.
    """
    owner, _, name = target.request.name.rpartition("/")
    script = files.get(script_name(target.request.name))
    if script is None:
        raise NothingToLoadError(f"it has no {script_name(target.request.name)}")
    if not target.may_run:
        raise NothingToLoadError("its script is not run unless asked for; --run_metrics runs it")
    _check_copies(root, target.request.name, script=script)
    import evaluate

    # `evaluate-metric/accuracy` is asked for as `accuracy`.
    evaluate.load(name if owner.startswith(_CANONICAL) else target.request.name)
    return None


def _check_copies(root: CacheRoot, name: str, *, script: pathlib.Path) -> None:
    """Compares what `evaluate` would run with what was fetched.

    Raises:
      InputError: It is something else.
    """
    wanted = _read(script)
    folder = root.path / _COPIES / name.replace("/", "--")
    for copy in sorted(folder.glob(f"*/{script_name(name)}")):
        if _read(copy) != wanted:
            raise errors.InputError(
                f"{copy.relative_to(root.path)} is not the script that was fetched; wanted a copy "
                f"of it; remove {folder.relative_to(root.path)} and fetch {name} again"
            )


def script_name(name: str) -> str:
    """Returns what a metric's script is called.

    Args:
      name: The metric's repository.

    >>> script_name("evaluate-metric/accuracy")
    'accuracy.py'
    """
    return f"{name.rpartition('/')[2]}.py"


def _read(path: pathlib.Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_MAX_SCRIPT_BYTES)
