"""What is shipped, and what the lock holds."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import house_rules

PYTHONS = ("3.9", "3.10", "3.11")
# Ships only what is in the source tree: no leftovers of an earlier build.
_SHIPPED = ("code_t5", "preprocessing", "gin_configs", "scripts", "setup.py", "pyproject.toml")
_BUILD = """
import sys
from setuptools import build_meta
dist = sys.argv[1]  # setuptools changes sys.argv
build_meta.build_wheel(dist)
build_meta.build_sdist(dist)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Returns the folder of a wheel and an sdist built from a copy of the sources."""
    copy, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in (*_SHIPPED, "MANIFEST.in", "requirements.lock"):
        source = house_rules.ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, copy / name, ignore=ignore, symlinks=True)
        else:
            shutil.copy(source, copy / name)
    # What an install or a test run may leave in a data folder must not be shipped.
    leftover = copy / "preprocessing/dev_dataset/v3/__pycache__/left.cpython-311.pyc"
    leftover.parent.mkdir()
    leftover.write_bytes(b"")
    program = [sys.executable, "-c", _BUILD, str(dist)]
    result = subprocess.run(program, cwd=copy, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return dist


@pytest.fixture(scope="module")
def wheel_names(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        return email.message_from_bytes(wheel.read(name))


@pytest.fixture(scope="module")
def requirements(metadata):
    """Returns the wheel's requirements by extra; those of the base install under ''."""
    found = {"": [], **{extra: [] for extra in metadata.get_all("Provides-Extra")}}
    for requirement in map(Requirement, metadata.get_all("Requires-Dist")):
        for extra in found:
            base = "extra" not in str(requirement.marker or "")
            applies = [_applies(requirement, python=python, extra=extra) for python in PYTHONS]
            if base == (extra == "") and any(applies):
                found[extra].append(requirement)
    return found


def _applies(requirement, *, python, extra=""):
    if requirement.marker is None:
        return True
    return requirement.marker.evaluate(
        {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}
    )


def _data_files(*folders):
    for folder in folders:
        for path in (house_rules.ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(house_rules.ROOT).as_posix()


def test_wheel_holds_every_file_of_the_dev_data_set(wheel_names):
    expected = set(_data_files("preprocessing/dev_dataset", "preprocessing/flcc"))
    assert {"preprocessing/dev_dataset/oddities.json"} < expected
    assert any("/v3/languages/Python/.py/" in name for name in expected)
    assert expected <= wheel_names


def test_wheel_holds_both_packages_and_the_gin_files(wheel_names):
    assert set(house_rules.source_paths("code_t5", "preprocessing")) <= wheel_names
    shipped = {name.split(".data/data/share/code_t5/")[-1] for name in wheel_names}
    assert set(_data_files("gin_configs")) <= shipped


def test_wheel_holds_nothing_else(wheel_names):
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top.split("-")[0] for top in tops} == {"code_t5", "preprocessing"}
    assert not [name for name in wheel_names if "__pycache__" in name or name.endswith(".pyc")]


def test_sdist_holds_what_the_wheel_and_the_lock_need(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = set(_data_files("preprocessing/dev_dataset", "gin_configs", "code_t5", "scripts"))
    assert expected | {"requirements.lock", "setup.py", "pyproject.toml"} <= names
    assert not [name for name in names if name.endswith(".pyc")]


def test_base_install_asks_for_no_framework(requirements):
    names = {requirement.name for requirement in requirements[""]}
    assert {"numpy", "pyarrow", "sentencepiece"} <= names
    assert not {name.replace("-", "_") for name in names} & house_rules.HEAVY
    assert {"train", "hf", "fast", "gpu", "dev"} <= set(requirements)


def _locked(python):
    """Returns the version of each distribution that the lock gives one Python."""
    versions = {}
    for line in (house_rules.ROOT / "requirements.lock").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            (pin,) = requirement.specifier
            assert pin.operator == "==" and not requirement.url, line
            if _applies(requirement, python=python):
                assert requirement.name not in versions, f"{line}: twice for Python {python}"
                versions[requirement.name] = pin.version
    return versions


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_holds_what_setup_asks_for(requirements, python):
    versions = _locked(python)
    for extra in ("", "train", "hf", "serve", "fast", "beam", "dev"):
        for requirement in requirements[extra]:
            if _applies(requirement, python=python, extra=extra):
                version = versions[requirement.name]
                assert requirement.specifier.contains(version, prereleases=True), requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_the_two_tfds_distributions_are_of_one_release(python):
    versions = _locked(python)
    release = versions["tensorflow-datasets"]
    assert versions["tfds-nightly"].startswith(f"{release}.dev")


def test_lock_names_no_index_and_no_place():
    for line in (house_rules.ROOT / "requirements.lock").read_text().splitlines():
        assert line.startswith("#") or ("/" not in line and not line.startswith("-")), line


def test_ci_runs_the_test_command_of_make():
    makefile = (house_rules.ROOT / "Makefile").read_text()
    (tests,) = [line for line in makefile.splitlines() if line.startswith("TESTS := ")]
    assert "python -m pytest $(TESTS)\n" in makefile
    command = "python -m pytest " + tests[len("TESTS := ") :]
    assert command in (house_rules.ROOT / ".ci/run").read_text().splitlines()


def test_setup_supports_the_pythons_of_the_lock(metadata):
    supported = SpecifierSet(metadata["Requires-Python"])
    assert [minor for minor in range(6, 15) if f"3.{minor}.1" in supported] == [9, 10, 11]
