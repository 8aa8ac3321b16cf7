from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import metric_modules
from code_t5.hf_artifacts.requests import ArtefactRequest

_REQUEST = ArtefactRequest("metric", "evaluate-metric/accuracy")


@pytest.fixture
def snapshot(tmp_path):
    """The fetched files of a metric; its script must not run."""
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "accuracy.py").write_text("raise SystemExit('it ran')\n")
    (folder / "helper.py").write_text("x = 1\n")
    return folder


def _installed(root):
    folder = metric_modules.modules_dir(root) / "evaluate_modules"
    # `evaluate` would write it, also where it may not.
    assert (folder.parent / "__init__.py").is_file()
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))


def test_scripts_lie_where_evaluate_imports_them(snapshot, tmp_path):
    root = CacheRoot(tmp_path / "root")
    metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    found = _installed(root)
    digest = found[2].split("/")[2]
    place = "metrics/evaluate-metric--accuracy"
    assert len(digest) == 64
    assert set(found) == {
        "__init__.py", "metrics/__init__.py", f"{place}/__init__.py",
        f"{place}/{digest}/__init__.py", f"{place}/{digest}/accuracy.py",
        f"{place}/{digest}/helper.py",
    }  # fmt: skip


def test_another_commit_takes_the_place_of_the_first(snapshot, tmp_path):
    root = CacheRoot(tmp_path / "root")
    metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    before = _installed(root)
    metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    assert _installed(root) == before
    (snapshot / "accuracy.py").write_text("x = 2\n")
    metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    after = _installed(root)
    assert len(after) == len(before)
    assert after != before


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_copies_that_are_not_as_they_were_are_made_again(snapshot, tmp_path, damage):
    root = CacheRoot(tmp_path / "root")
    assert metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    assert not metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    (helper,) = root.modules_dir.rglob("helper.py")
    helper.unlink() if damage == "gone" else helper.write_text("x = 2\n")
    assert metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    assert helper.read_text() == "x = 1\n"


def test_scripts_of_another_hash_beside_them_are_removed(snapshot, tmp_path):
    root = CacheRoot(tmp_path / "root")
    metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    before = _installed(root)
    # `evaluate` takes the newest.
    (held,) = root.modules_dir.glob("evaluate_modules/metrics/evaluate-metric--accuracy")
    (held / ("0" * 64)).mkdir()
    (held / ("0" * 64) / "accuracy.py").write_text("x = 3\n")
    assert metric_modules.install(root, request=_REQUEST, snapshot_dir=snapshot)
    assert _installed(root) == before


def test_a_space_without_the_script_is_refused(snapshot, tmp_path):
    (snapshot / "accuracy.py").unlink()
    with pytest.raises(errors.InputError, match=r"has no accuracy.py; wanted the script"):
        metric_modules.install(
            CacheRoot(tmp_path / "root"), request=_REQUEST, snapshot_dir=snapshot
        )
    assert not (tmp_path / "root").exists()
