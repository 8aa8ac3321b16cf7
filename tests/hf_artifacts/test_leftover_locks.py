from __future__ import annotations

import fcntl
import os

import pytest

from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import leftover_locks


@pytest.fixture
def root(tmp_path):
    """A root below a path with a space."""
    root = CacheRoot(tmp_path / "my root")
    (root.datasets_dir / "org___x/en/0.0.0").mkdir(parents=True)
    return root


def _lock(root: CacheRoot, folder: str):
    path = f"{root.datasets_dir}/{folder}".replace(os.sep, "_")
    lock = root.datasets_dir / f"{path}.lock"
    lock.touch()
    return lock


def _left(root: CacheRoot) -> set[str]:
    return {path.name for path in root.datasets_dir.rglob("*") if path.is_file()}


def test_the_locks_of_all_names_of_a_repository_go_and_no_others(root):
    _lock(root, "x_en_0.0.0_abc")
    _lock(root, "org___x_en_0.0.0_abc")
    other = _lock(root, "another_en_0.0.0_abc")
    folder = root.datasets_dir / "org___x/en/0.0.0/abc"
    for name in ("abc_builder.lock", "abc.incomplete_info.lock"):
        (folder.parent / name).touch()
    beside = folder.parent / "abcdef_builder.lock"
    beside.touch()
    leftover_locks.remove_locks(root, names=["x", "org/x"], folders=[folder])
    assert _left(root) == {other.name, beside.name}


def test_a_lock_that_somebody_holds_stays(root):
    held, free = _lock(root, "x_en_0.0.0_abc"), _lock(root, "x_de_0.0.0_abc")
    with open(held, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        leftover_locks.remove_locks(root, names=["x"], folders=[])
        assert _left(root) == {held.name}
    leftover_locks.remove_locks(root, names=["x"], folders=[])
    assert not free.exists()
    assert _left(root) == set()


def test_a_link_is_not_followed(root, tmp_path):
    (tmp_path / "mine").write_text("kept")
    link = _lock(root, "x_en_0.0.0_abc")
    link.unlink()
    link.symlink_to(tmp_path / "mine")
    leftover_locks.remove_locks(root, names=["x"], folders=[])
    assert (tmp_path / "mine").read_text() == "kept"
    assert link.is_symlink()
