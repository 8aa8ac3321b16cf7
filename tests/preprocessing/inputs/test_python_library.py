"""Tests of preprocessing.inputs.python_library."""

from __future__ import annotations

import json
import sys

import pytest

from code_t5 import errors
from preprocessing import flcc_layout
from preprocessing.inputs import python_library

BRANCH = f"{sys.version_info.major}.{sys.version_info.minor}"


def _write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")


def _recorded_paths(root):
    """Returns the path in the repository of every file written."""
    found = {}
    for branch in flcc_layout.list_branches(flcc_layout.find_v3_root(root), ["Python"]):
        paths, _ = flcc_layout.read_paths(branch)
        for entry in flcc_layout.list_files(branch):
            path = paths[entry.name]
            assert (branch.files_dir / entry.name).read_text() == f"# {path}\n"
            found[path] = branch.full_name
    return found


def test_packages_and_modules_become_repositories_and_tests_stay_out(tmp_path):
    library, output = tmp_path / "lib", tmp_path / "out"
    output.mkdir()
    _write(
        library,
        "argparse.py",
        "json/__init__.py",
        "json/tool.py",
        "test/test_json.py",
        "json/tests/test_it.py",
        "idlelib/idle_test/test_it.py",
        "idlelib/run.py",
        "site-packages/numpy/__init__.py",
        "dist-packages/apt.py",
        "json/__pycache__/tool.py",
        "config-3.11-x86/python-config.py",
        "_sysconfigdata__linux.py",
        "LICENSE.txt",
    )
    (tmp_path / "outside.py").write_text("secret")
    (library / "sitecustomize.py").symlink_to(tmp_path / "outside.py")
    (library / "linked").symlink_to(tmp_path)
    (library / "json/link.py").symlink_to(tmp_path / "outside.py")

    counts = python_library.PythonLibrarySource(str(library)).write_tree(output)

    assert _recorded_paths(output) == {
        "argparse.py": "python/argparse",
        "json/__init__.py": "python/json",
        "json/tool.py": "python/json",
        "idlelib/run.py": "python/idlelib",
    }
    assert (counts.num_repositories, counts.num_files) == (3, 4)
    assert dict(counts.skipped) == {"excluded folder": 2, "symbolic link": 1}


def test_the_interpreters_own_library_is_large_and_the_same_each_time(tmp_path):
    trees = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        counts = python_library.PythonLibrarySource().write_tree(tmp_path / name)
        trees.append(
            {
                str(path.relative_to(tmp_path / name)): path.read_bytes()
                for path in (tmp_path / name).rglob("*")
                if path.is_file()
            }
        )
    assert trees[0] == trees[1]
    assert 8e6 < counts.size_bytes < 20e6
    assert counts.num_repositories > 100
    argparse = tmp_path / "one/v3/repositories/python/argparse" / BRANCH / "paths.json"
    assert json.loads(argparse.read_text()) == {"argparse_0.py": "argparse.py"}
    assert not (tmp_path / "one/v3/repositories/python/test").exists()


def test_library_without_sources_is_refused(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "out").mkdir()
    source = python_library.PythonLibrarySource(str(tmp_path / "lib"))
    with pytest.raises(errors.InputError, match="holds no Python source"):
        source.write_tree(tmp_path / "out")


def test_missing_library_is_refused(tmp_path):
    source = python_library.PythonLibrarySource(str(tmp_path / "none"))
    with pytest.raises(errors.InputError, match="No such file"):
        source.write_tree(tmp_path)


def test_identity_names_the_version():
    identity = python_library.PythonLibrarySource().identity()
    assert identity["version"].startswith(BRANCH + ".")
    assert python_library.PythonLibrarySource().describe().endswith(identity["version"])
