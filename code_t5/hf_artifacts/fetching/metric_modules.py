"""Puts the scripts of a metric where `evaluate` looks for them when it is offline.

`evaluate` reads no snapshots: it imports `evaluate_modules/metrics/OWNER--NAME/HASH/NAME.py` below
its modules' folder. It would copy them there itself, with absolute paths beside them, and run them.
Here they are copied only: nobody's code runs before somebody asks for it.
"""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Mapping

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.requests import ArtefactRequest
from code_t5.storage import atomic, fingerprints


def modules_dir(root: CacheRoot) -> pathlib.Path:
    """Returns the folder that HF_MODULES_CACHE names; by default it lies in HF_HOME.

    Args:
      root: Which is HF_HOME.
    """
    return root.modules_dir


def install(root: CacheRoot, *, request: ArtefactRequest, snapshot_dir: pathlib.Path) -> bool:
    """Copies a metric's scripts; those of another commit that lie there are replaced.

    Args:
      root: Where to.
      request: Has the repository's name.
      snapshot_dir: Where the repository's files lie.

    Returns:
      Whether something was missing, or was not the same.

    Raises:
      InputError: The repository has no script of its own name.
    """
    name = request.name.rpartition("/")[2]
    scripts = sorted(snapshot_dir.glob("*.py"))
    if f"{name}.py" not in {path.name for path in scripts}:
        raise errors.InputError(
            f"{request.where} has no {name}.py; wanted the script that `evaluate` runs; mend the "
            "request (name, patterns)"
        )
    # `evaluate` makes what is missing of these, which fails where the root may only be read.
    packages = (
        modules_dir(root),
        modules_dir(root) / "evaluate_modules",
        modules_dir(root) / "evaluate_modules/metrics",
    )
    for package in packages:
        package.mkdir(parents=True, exist_ok=True)
        if not (package / "__init__.py").exists():
            atomic.write_file(package / "__init__.py", b"")
    # 64 digits, as `evaluate` has them; it takes the newest folder, so there is only one.
    content = {path.name: fingerprints.hash_file(path) for path in scripts}
    digest = fingerprints.hash_json(list(content.items()))
    target = packages[-1] / request.name.replace("/", "--")
    if _is_installed(target, digest=digest, content=content):
        return False
    with atomic.directory(target) as folder:
        (folder / "__init__.py").touch()
        (folder / digest).mkdir()
        (folder / digest / "__init__.py").touch()
        for path in scripts:
            shutil.copyfile(path, folder / digest / path.name)
    return True


def _is_installed(target: pathlib.Path, *, digest: str, content: Mapping[str, str]) -> bool:
    """Says whether these scripts, by their hashes, lie there and no others."""
    kept = {"__init__.py", "__pycache__", digest}
    inits = [target / "__init__.py", target / digest / "__init__.py"]
    copies = {target / digest / name: wanted for name, wanted in content.items()}
    if not all(path.is_file() for path in [*inits, *copies]):
        return False
    if any(name not in kept for name in os.listdir(target)):
        return False
    return all(fingerprints.hash_file(path) == wanted for path, wanted in copies.items())
