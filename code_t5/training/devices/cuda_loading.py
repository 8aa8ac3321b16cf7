"""Loads TensorFlow's CUDA libraries from where pip has put them, and says what is missing.

Once a library is loaded by its full path, whoever asks for it by name gets that one, so no
`LD_LIBRARY_PATH` is needed. TensorFlow opens the CUDA runtime when it is imported and never tries
again, so load before that. A library is *mapped* when this process has loaded it.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence

from code_t5 import errors
from code_t5.training.devices import cuda_libraries
from code_t5.training.devices.cuda_libraries import (
    DIR_VARIABLE,
    DISTRIBUTIONS,
    LIBRARIES,
    install_command,
)

_LEAST_CUDNN = cuda_libraries.version_numbers(DISTRIBUTIONS["nvidia-cudnn-cu11"])


def mapped_paths(maps: pathlib.Path = pathlib.Path("/proc/self/maps")) -> set[str]:
    """Returns the paths of the files that this process has mapped, libraries among them.

    Args:
      maps: Where the kernel lists what a process has mapped.
    """
    try:
        lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    found = (line.split(maxsplit=5) for line in lines)
    return {fields[5] for fields in found if len(fields) == 6}


def mapped_libraries() -> set[str]:
    """Returns the file names of the libraries that this process has loaded, by any name."""
    return {os.path.basename(path) for path in mapped_paths()}


def is_mapped(name: str, mapped: Iterable[str] | None = None) -> bool:
    """Returns whether a library is loaded; its file may have a longer name than it is asked by.

    Args:
      name: By which it is asked for.
      mapped: File names that are mapped; by default, this process's.
    """
    known = mapped_libraries() if mapped is None else mapped
    stem = re.sub(r"(\.so\.\d+)(?:\.\d+)*$", r"\1", name)
    return any(one == name or one == stem or one.startswith(stem + ".") for one in known)


def load(paths: Mapping[str, pathlib.Path]) -> list[str]:
    """Loads libraries so that whoever asks for them by name gets these.

    Args:
      paths: Of the libraries, by name.

    Returns:
      The names of those loaded, in order.

    Raises:
      ArtifactError: One cannot be loaded.
    """
    done = []
    for library in LIBRARIES:
        path = paths.get(library.name)
        if path is None:
            continue
        try:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            reason = " ".join(str(error).split())
            raise errors.ArtifactError(
                f"the CUDA library {path} cannot be loaded ({reason}); wanted that of "
                f"{library.distribution}; run: {install_command()}"
            ) from error
        done.append(library.name)
    return done


def loadable_by_name(names: Iterable[str]) -> list[str]:
    """Returns which libraries the dynamic loader finds by itself, and loads them.

    Args:
      names: By which they are asked for, in an order in which they can be loaded.
    """
    found = []
    for name in names:
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        found.append(name)
    return found


def load_installed(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Loads what pip installed of the libraries; to be called before TensorFlow is imported.

    Args:
      environ: The process's environment.

    Returns:
      The names of those loaded; none where they are not installed.

    Raises:
      InputError: The folder that the environment names is not there.
      ArtifactError: A library cannot be loaded.
    """
    return load(cuda_libraries.find_installed(cuda_libraries.search_folders(environ)).paths)


def cudnn_version() -> tuple[int, int] | None:
    """Returns the version of the cuDNN that this process would use; None without one."""
    try:
        cudnn = ctypes.CDLL("libcudnn.so.8")
        cudnn.cudnnGetVersion.restype = ctypes.c_size_t
        number = int(cudnn.cudnnGetVersion())
    except (OSError, AttributeError):
        return None
    return number // 1000, number % 1000 // 100


def _shortened(names: Sequence[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def whats_missing(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Returns what of the libraries is missing, damaged or of the wrong version, a line each.

    Libraries that the dynamic loader finds by itself (a toolkit of the machine's) will do too. They
    are loaded to see that.

    Args:
      environ: The process's environment.

    Raises:
      InputError: The folder that the environment names is not there.
    """
    installed = cuda_libraries.find_installed(cuda_libraries.search_folders(environ))
    if installed.problems:
        return list(installed.problems)
    mapped = mapped_libraries()
    absent = [name for name in installed.missing if not is_mapped(name, mapped)]
    found = set(loadable_by_name(absent))
    absent = [name for name in absent if name not in found]
    if absent:
        return [
            f"TensorFlow's CUDA libraries {_shortened(absent)} are missing; wanted CUDA 11.8 and "
            f"cuDNN 8.6; set {DIR_VARIABLE} to a new folder and run: {install_command()}"
        ]
    return _old_cudnn(installed)


def wrong_versions(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Returns what is of the wrong version of the libraries that TensorFlow took, a line each.

    A distribution of the wrong version does no harm where its libraries are mapped from elsewhere,
    as those of a toolkit of the machine's are.

    Args:
      environ: The process's environment.

    Raises:
      InputError: The folder that the environment names is not there.
    """
    installed = cuda_libraries.find_installed(cuda_libraries.search_folders(environ))
    mapped = mapped_paths()
    taken = [
        problem
        for distribution, problem in installed.wrong_versions.items()
        if not _is_from_elsewhere(distribution, mapped)
    ]
    return taken or _old_cudnn(installed)


def _is_from_elsewhere(distribution: str, mapped: Iterable[str]) -> bool:
    """Returns whether libraries of a distribution's names are mapped, and all from elsewhere."""
    own = [library for library in LIBRARIES if library.distribution == distribution]
    paths = [
        path
        for path in mapped
        if any(is_mapped(library.name, [os.path.basename(path)]) for library in own)
    ]
    return bool(paths) and not any(f"/{own[0].folder}/" in path for path in paths)


def _old_cudnn(installed: cuda_libraries.Installed) -> list[str]:
    """Asks a cuDNN that pip has not installed for its version."""
    version = cudnn_version() if "libcudnn.so.8" in installed.missing else None
    if version is not None and version < _LEAST_CUDNN:
        shown = ".".join(map(str, version))
        return [f"cuDNN is {shown}; wanted 8.6 or a later 8; run: {install_command()}"]
    return []
