"""Which CUDA 11.8 and cuDNN 8.6 libraries TensorFlow 2.12 opens, and what pip has put where.

They come from pip (the extra `gpu` in setup.py) and lie where the dynamic loader does not look;
`cuda_loading.py` loads them.

Words: a *library* is one shared object; a *distribution* is what pip installed it with; the
*folders* are those that pip installs into, the one that `CODE_T5_CUDA_DIR` names first.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib.metadata
import os
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from code_t5 import errors

DIR_VARIABLE = "CODE_T5_CUDA_DIR"
# As setup.py's extra `gpu` has them: distribution -> version.
DISTRIBUTIONS = {
    "nvidia-cublas-cu11": "11.11.3.6",
    "nvidia-cuda-cupti-cu11": "11.8.87",
    "nvidia-cuda-runtime-cu11": "11.8.89",
    "nvidia-cudnn-cu11": "8.6.0.163",
    "nvidia-cufft-cu11": "10.9.0.58",
    "nvidia-curand-cu11": "10.3.0.86",
    "nvidia-cusolver-cu11": "11.4.1.48",
    "nvidia-cusparse-cu11": "11.7.5.86",
}


@dataclasses.dataclass(frozen=True)
class Library:
    """A library that TensorFlow opens, or that one of these needs.

    Attributes:
      name: The name by which it is asked for.
      folder: Where it lies below a folder that pip installs into.
      distribution: What it comes with.
    """

    name: str
    folder: str
    distribution: str


def _of(distribution: str, *names: str) -> tuple[Library, ...]:
    part = distribution[len("nvidia-") : -len("-cu11")].replace("-", "_")
    return tuple(Library(name, f"nvidia/{part}/lib", distribution) for name in names)


_CUDNN_PARTS = ("ops_infer", "ops_train", "cnn_infer", "cnn_train", "adv_infer", "adv_train")
# In an order in which each comes after those that it needs.
LIBRARIES = (
    *_of("nvidia-cuda-runtime-cu11", "libcudart.so.11.0"),
    *_of("nvidia-cublas-cu11", "libcublasLt.so.11", "libcublas.so.11"),
    *_of("nvidia-cufft-cu11", "libcufft.so.10"),
    *_of("nvidia-curand-cu11", "libcurand.so.10"),
    *_of("nvidia-cusparse-cu11", "libcusparse.so.11"),
    *_of("nvidia-cusolver-cu11", "libcusolver.so.11"),
    *_of("nvidia-cudnn-cu11", *(f"libcudnn_{part}.so.8" for part in _CUDNN_PARTS)),
    *_of("nvidia-cudnn-cu11", "libcudnn.so.8"),
    *_of("nvidia-cuda-cupti-cu11", "libcupti.so.11.8"),
)
# The one that cannot be loaded once TensorFlow is imported.
RUNTIME = LIBRARIES[0].name


@dataclasses.dataclass(frozen=True)
class Installed:
    """What pip installed of the libraries.

    Attributes:
      paths: Of the libraries that are there, by name.
      versions: Of the distributions that are there.
      problems: What is wrong with them, one line each: found, wanted, what to do.
      wrong_versions: Those of them that are about a version, by distribution.
    """

    paths: Mapping[str, pathlib.Path]
    versions: Mapping[str, str]
    problems: tuple[str, ...]
    wrong_versions: Mapping[str, str]

    @property
    def missing(self) -> list[str]:
        """Names of the libraries that are not there."""
        return [library.name for library in LIBRARIES if library.name not in self.paths]


def install_command(folder: str | os.PathLike[str] | None = None) -> str:
    """Returns the command that installs all of them, beside torch's of another CUDA.

    All at once: pip replaces the folder `nvidia` of an earlier call by that of a later one.

    Args:
      folder: Where to; by default the shell's CODE_T5_CUDA_DIR.
    """
    wanted = " ".join(f"{name}=={version}" for name, version in DISTRIBUTIONS.items())
    target = f'"${DIR_VARIABLE}"' if folder is None else str(folder)
    return f"pip install --upgrade --no-deps --target {target} {wanted}"


def search_folders(
    environ: Mapping[str, str] = os.environ, *, path: Sequence[str] | None = None
) -> list[pathlib.Path]:
    """Returns where the libraries are looked for.

    Args:
      environ: The process's environment.
      path: Where Python looks for modules; by default, as it does now.

    Raises:
      InputError: The folder that the environment names is not there.
    """
    named = environ.get(DIR_VARIABLE)
    folders = [pathlib.Path(name) for name in (sys.path if path is None else path) if name]
    if not named:
        return _with_libraries(folders)
    if not os.path.isdir(named):
        raise errors.InputError(
            f"{DIR_VARIABLE} is {named}, and no folder is there; wanted the folder that the CUDA "
            f"libraries were installed into; install them: {install_command()}, or unset it"
        )
    return [pathlib.Path(named).absolute(), *_with_libraries(folders)]


def _with_libraries(folders: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    unique = dict.fromkeys(folder.absolute() for folder in folders)
    return [folder for folder in unique if (folder / "nvidia").is_dir()]


def find_installed(folders: Sequence[pathlib.Path]) -> Installed:
    """Returns what is there of the libraries, and whether it is what TensorFlow was made for.

    A library is taken from the first folder whose distribution owns it: torch brings others to the
    same paths.

    Args:
      folders: Where to look, in this order.
    """
    paths: dict[str, pathlib.Path] = {}
    versions: dict[str, str] = {}
    problems: list[str] = []
    wrong_versions: dict[str, str] = {}
    for folder in folders:
        found = _distributions(folder)
        for name, wanted in DISTRIBUTIONS.items():
            if name in versions or name not in found:
                continue
            versions[name] = found[name].version
            problem = _wrong_version(name, found=versions[name], wanted=wanted)
            if problem is None:
                problem = _add_paths(paths, folder, found[name])
            else:
                wrong_versions[name] = problem
            problems += [problem] if problem else []
    return Installed(paths, versions, tuple(problems), wrong_versions)


def _distributions(folder: pathlib.Path) -> dict[str, importlib.metadata.Distribution]:
    found = importlib.metadata.distributions(path=[str(folder)])
    named = {normal_name(one.metadata["Name"] or ""): one for one in found}
    return {name: one for name, one in named.items() if name in DISTRIBUTIONS}


def normal_name(name: str) -> str:
    """Returns a distribution's name as packaging tools compare it.

    >>> normal_name("Tensorflow_Text")
    'tensorflow-text'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def version_numbers(version: str, count: int = 2) -> tuple[int, ...]:
    """Returns the first numbers of a version.

    >>> version_numbers("8.6.0.163")
    (8, 6)
    """
    return tuple(int(number) for number in re.findall(r"\d+", version)[:count])


def _wrong_version(name: str, *, found: str, wanted: str) -> str | None:
    """Says what is wrong with a version: another main number, or older than TensorFlow's."""
    has, needs = version_numbers(found), version_numbers(wanted)
    if has[:1] == needs[:1] and has >= needs:
        return None
    return (
        f"{name} is {found}; wanted {wanted}, which TensorFlow 2.12 was made with; run: "
        f"{install_command()}"
    )


def _add_paths(
    paths: dict[str, pathlib.Path],
    folder: pathlib.Path,
    distribution: importlib.metadata.Distribution,
) -> str | None:
    """Adds a distribution's libraries; returns what is wrong with its files."""
    name = normal_name(distribution.metadata["Name"])
    recorded = recorded_sizes(distribution)
    for library in LIBRARIES:
        if library.distribution != name:
            continue
        relative = f"{library.folder}/{library.name}"
        path = folder / relative
        if not path.is_file():
            return f"{path} is missing, though {name} is installed; run: {install_command()}"
        wanted = recorded.get(relative)
        if wanted is not None and wanted != path.stat().st_size:
            return (
                f"{path} has {path.stat().st_size} bytes and is not that of {name}, {wanted} bytes:"
                " another distribution wrote over it, as torch's nvidia-*-cu12 do; install into a "
                f"folder of its own and set {DIR_VARIABLE} to it: {install_command()}"
            )
        paths[library.name] = path
    return None


def recorded_sizes(distribution: importlib.metadata.Distribution) -> dict[str, int]:
    """Returns the sizes in bytes of a distribution's files by their paths, as pip wrote them."""
    # `distribution.files` leaves out what is missing where importlib_metadata is installed too.
    rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) == 3 and row[2].isdigit()}
