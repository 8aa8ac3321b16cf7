"""Which Python distributions training needs, which are there, and which clash.

The requirements are code_t5's own, as pip recorded them from setup.py (or as that file says, where
code_t5 is not installed), and those of the distributions that these bring. Nothing is imported: all
is read from what pip wrote. Beside what `pip check` knows, some distributions clash without saying
so: two that install the same folder, or versions that only fail when they are imported.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement

from code_t5.training.devices import cuda_libraries, own_requirements
from code_t5.training.devices.findings import NOTE, OK, PROBLEM, Finding

ROOT = own_requirements.NAME
NEEDED_EXTRAS = ("train",)
# The optional ones, and what each is for.
OPTIONAL_EXTRAS = {
    "hf": "Hugging Face models and data sets",
    "serve": "serving a model",
    "gpu": "CUDA libraries for TensorFlow",
    "fast": "a quicker tokenizer",
    "beam": "building on a cluster",
    "dev": "the tests",
}
OLDEST_PYTHON, NEWEST_PYTHON = (3, 9), (3, 11)
# What is said beside a version that does not do.
_WHY = {
    "setuptools": "t5 and mesh-tensorflow import pkg_resources, which 82 removed",
    "protobuf": "TensorFlow 2.12 cannot be imported beside another",
    "typing-extensions": "TensorFlow 2.12 holds it below 4.6",
    "keras": "TensorFlow takes the one of its own minor version",
    "tensorflow": "the newest under which mesh-tensorflow's last release can be imported",
    "tensorflow-text": "it must have TensorFlow's minor version",
    "torch": "the next wants a newer typing-extensions than TensorFlow",
    "tensorflow-datasets": "it and tfds-nightly install the same folder: hold both at one release",
    "tfds-nightly": "it and tensorflow-datasets install the same folder: hold both at one release",
    "numpy": "TensorFlow 2.12 is compiled for numpy 1",
    "sentencepiece": "later ones give other ids for the same model",
}
# Distributions that install the same folder as another: other -> the one that is wanted.
_SAME_FOLDER = {
    "seqio-nightly": "seqio",
    "tf-nightly": "tensorflow",
    "tensorflow-cpu": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-intel": "tensorflow",
    "tensorflow-text-nightly": "tensorflow-text",
    "keras-nightly": "keras",
}
_SHOWN = ("tensorflow", "t5", "seqio", "mesh-tensorflow", "tensorflow-datasets", "torch", "numpy")


@dataclasses.dataclass(frozen=True)
class Installed:
    """One distribution that pip installed.

    Attributes:
      name: Its name as packaging tools compare it.
      version: Its version.
      requires: What it asks for, as it says so.
      distribution: All that pip wrote of it; None in tests.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    distribution: importlib.metadata.Distribution | None = None


def read_installed(path: list[str] | None = None) -> dict[str, list[Installed]]:
    """Returns all distributions by name; a name with several is installed several times.

    Args:
      path: Folders to look in; by default, those of this process.
    """
    folders = list(sys.path) if path is None else path
    found: dict[str, list[Installed]] = {}
    for one in importlib.metadata.distributions(path=folders):
        given = one.metadata["Name"]
        if not given:
            continue
        name = cuda_libraries.normal_name(given)
        requires = tuple(one.requires or ())
        found.setdefault(name, []).append(Installed(name, one.version or "0", requires, one))
    return found


def examine(
    installed: Mapping[str, list[Installed]],
    *,
    setup_file: pathlib.Path = own_requirements.SETUP_FILE,
) -> list[Finding]:
    """Returns what is the case with the distributions, problems with the command that mends them.

    Args:
      installed: What is there, by name.
      setup_file: Says what code_t5 needs where pip has not installed it.
    """
    first = {name: found[0] for name, found in installed.items()}
    root = cuda_libraries.normal_name(ROOT)
    not_installed = []
    if root not in first:
        said = own_requirements.read(setup_file)
        not_installed = [_not_installed(is_known=said is not None)]
        if said is None:
            return not_installed
        first[root] = Installed(root, said.version, said.requires)
    problems = [
        *_missing_or_wrong(first),
        *_twice(installed),
        *_same_folder(first),
        *_unlike_releases(first),
        *_unlike_minors(first),
        *_overwritten(first),
    ]
    wrong = {finding.name for finding in problems}
    shown = [
        Finding(name, first[name].version) for name in _SHOWN if name in first and name not in wrong
    ]
    return [*not_installed, *shown, *problems, *_optional(first)]


def _not_installed(*, is_known: bool) -> Finding:
    mend = f"from the repository's root: pip install -e '.[{','.join(NEEDED_EXTRAS)}]'"
    if not is_known:
        return Finding(ROOT, "is not installed, so it is not known what it needs", PROBLEM, mend)
    said = "is not installed and runs from its checkout, as long as PYTHONPATH names that"
    return Finding(ROOT, said, NOTE, mend)


def examine_python(version: tuple[int, int] | None = None) -> Finding:
    """Returns whether this Python is one that TensorFlow 2.12 has wheels for.

    Args:
      version: Of Python; by default, of the one that runs.
    """
    found = sys.version_info[:2] if version is None else version
    shown = ".".join(map(str, found))
    if OLDEST_PYTHON <= found <= NEWEST_PYTHON:
        return Finding("Python", shown)
    return Finding(
        "Python",
        f"{shown}; wanted 3.9, 3.10 or 3.11: TensorFlow 2.12 has no other wheels",
        PROBLEM,
        "make environment PYTHON=python3.11",
    )


def _requirements(texts: Iterable[str], extras: Iterable[str] = ()) -> Iterator[Requirement]:
    """Yields what counts on this machine, with these extras asked for."""
    wanted = ["", *extras]
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in wanted):
            yield requirement


def _missing_or_wrong(first: Mapping[str, Installed]) -> list[Finding]:
    """Walks through what is needed, from code_t5 on, as `pip check` does."""
    found: dict[str, Finding] = {}
    start = (cuda_libraries.normal_name(ROOT), tuple(NEEDED_EXTRAS))
    todo, seen = [start], {start}
    while todo:
        name, extras = todo.pop()
        for requirement in _requirements(first[name].requires, extras):
            needed = cuda_libraries.normal_name(requirement.name)
            finding = _compare(requirement, first.get(needed), asked_by=first[name])
            if finding is not None:
                found.setdefault(needed, finding)
            step = (needed, tuple(sorted(requirement.extras)))
            if needed in first and step not in seen:
                seen.add(step)
                todo.append(step)
    return [found[name] for name in sorted(found)]


def _compare(
    requirement: Requirement, has: Installed | None, *, asked_by: Installed
) -> Finding | None:
    name, wanted = cuda_libraries.normal_name(requirement.name), str(requirement.specifier)
    command = f"pip install '{requirement.name}{wanted}'"
    by = f"{asked_by.name} {asked_by.version}"
    if has is None:
        return Finding(name, f"is missing; {by} wants it", PROBLEM, command)
    if requirement.specifier.contains(has.version, prereleases=True):
        return None
    why = f" ({_WHY[name]})" if name in _WHY else ""
    return Finding(name, f"{has.version}; {by} wants {wanted}{why}", PROBLEM, command)


def _twice(installed: Mapping[str, list[Installed]]) -> list[Finding]:
    found = []
    for name, copies in sorted(installed.items()):
        versions = sorted({one.version for one in copies})
        if len(versions) > 1 and name != cuda_libraries.normal_name(ROOT):
            found.append(
                Finding(
                    name,
                    f"is installed {len(copies)} times: {', '.join(versions)}",
                    PROBLEM,
                    f"pip uninstall -y {name}, until it says that it is not installed; then "
                    f"pip install {name}=={copies[0].version}",
                )
            )
    return found


def _same_folder(first: Mapping[str, Installed]) -> list[Finding]:
    return [
        Finding(
            other,
            f"{first[other].version} installs the same folder as {wanted}: the last one installed "
            "wins",
            PROBLEM,
            f"pip uninstall -y {other} {wanted}; pip install "
            f"{wanted}{'==' + first[wanted].version if wanted in first else ''}",
        )
        for other, wanted in _SAME_FOLDER.items()
        if other in first
    ]


def _unlike_releases(first: Mapping[str, Installed]) -> list[Finding]:
    stable, nightly = first.get("tensorflow-datasets"), first.get("tfds-nightly")
    if stable is None or nightly is None:
        return []
    releases = [cuda_libraries.version_numbers(one.version, 3) for one in (stable, nightly)]
    if releases[0] == releases[1]:
        return []
    pair = "tensorflow-datasets==4.9.9 tfds-nightly==4.9.9.dev202510250044"
    if sys.version_info < (3, 10):
        pair = "tensorflow-datasets==4.9.3 tfds-nightly==4.9.3.dev202309090112"
    return [
        Finding(
            "tensorflow-datasets and tfds-nightly",
            f"{stable.version} and {nightly.version} are of unlike releases and install the same "
            "folder: the last one installed wins",
            PROBLEM,
            f"pip install --force-reinstall --no-deps {pair}",
        )
    ]


def _unlike_minors(first: Mapping[str, Installed]) -> list[Finding]:
    found = []
    tensorflow = first.get("tensorflow")
    for name in ("tensorflow-text", "keras", "tensorflow-estimator"):
        other = first.get(name)
        if tensorflow is None or other is None:
            continue
        wanted = cuda_libraries.version_numbers(tensorflow.version)
        if cuda_libraries.version_numbers(other.version) != wanted:
            minor = ".".join(map(str, wanted))
            found.append(
                Finding(
                    f"{name} and tensorflow",
                    f"{other.version} and {tensorflow.version} have unlike minor versions; wanted "
                    f"{name} {minor}",
                    PROBLEM,
                    f"pip install '{name}=={minor}.*'",
                )
            )
    return found


def _overwritten(first: Mapping[str, Installed]) -> list[Finding]:
    """Finds libraries of torch's CUDA that another distribution wrote over."""
    found = []
    for name, one in sorted(first.items()):
        distribution = one.distribution
        if distribution is None or not (name.startswith("nvidia-") and name.endswith("-cu12")):
            continue
        for relative, size in cuda_libraries.recorded_sizes(distribution).items():
            path = distribution.locate_file(relative)
            if ".so" not in relative or size == _size(str(path)):
                continue
            found.append(
                Finding(
                    name,
                    f"{path} is missing or not its own: an nvidia-*-cu11 wrote over it, or was "
                    "removed again",
                    PROBLEM,
                    f"pip install --force-reinstall --no-deps {name}=={one.version}; for CUDA 11 "
                    f"a folder of its own: {cuda_libraries.install_command()}",
                )
            )
            break
    return found


def _size(path: str) -> int | None:
    try:
        return os.path.getsize(path)
    except OSError:
        return None


def _optional(first: Mapping[str, Installed]) -> list[Finding]:
    """Says which extras are there in full; a wrong version in one that is there is a problem."""
    found = []
    root = first[cuda_libraries.normal_name(ROOT)]
    base = {str(one) for one in _requirements(root.requires)}
    for extra, purpose in OPTIONAL_EXTRAS.items():
        asked = [one for one in _requirements(root.requires, [extra]) if str(one) not in base]
        asked = [one for one in asked if "extra" in str(one.marker)]
        has = {one.name: first.get(cuda_libraries.normal_name(one.name)) for one in asked}
        missing = [name for name, one in has.items() if one is None]
        wrong = [_compare(one, has[one.name], asked_by=root) for one in asked if has[one.name]]
        found += [one for one in wrong if one is not None]
        # The CUDA libraries may lie in a folder of their own; they are looked at elsewhere.
        if not asked or extra == "gpu":
            continue
        mend = f"pip install -e '.[{extra}]'"
        if missing:
            said = f"not in full ({purpose}): {', '.join(missing)} missing"
            found.append(Finding(f"extra {extra}", said, NOTE, mend))
        else:
            found.append(Finding(f"extra {extra}", f"there ({purpose})", OK))
    return found
