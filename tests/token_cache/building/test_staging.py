from __future__ import annotations

import contextlib
import shutil
import threading

import pytest

from code_t5 import errors
from code_t5.token_cache.building import build_plan, staging


def test_lock_of_a_folder_that_was_removed_is_not_held(tmp_path):
    """The one who waited at the door must not enter the house that was torn down."""
    cache_dir = tmp_path / "cache"
    with staging.staging_of(cache_dir) as first:
        first.remove()
        # The name is free: another build makes it anew, and must not be disturbed.
        with staging.staging_of(cache_dir) as second:
            with pytest.raises(errors.BusyError):
                with staging.staging_of(cache_dir):
                    pass
            assert second.folder.is_dir()


def test_work_of_the_next_build_outlives_the_end_of_this_one(tmp_path):
    cache_dir = tmp_path / "cache"
    with contextlib.ExitStack() as later:
        with staging.staging_of(cache_dir) as first:
            first.remove()
            second = later.enter_context(staging.staging_of(cache_dir))
            second.prepare("plan")
            (second.parts_dir / "train-000000").touch()
        first.remove()
        assert (second.parts_dir / "train-000000").exists()
        with pytest.raises(errors.BusyError), staging.staging_of(cache_dir):
            pass


def test_work_that_begins_while_the_last_is_removed_stays(tmp_path, monkeypatch):
    cache_dir = tmp_path / "cache"
    rmtree = shutil.rmtree
    with contextlib.ExitStack() as later:

        def remove_late(path, **options):
            monkeypatch.undo()
            second = later.enter_context(staging.staging_of(cache_dir))
            second.prepare("plan")
            (second.parts_dir / "train-000000").touch()
            rmtree(path, **options)
            assert (second.parts_dir / "train-000000").exists()

        monkeypatch.setattr(shutil, "rmtree", remove_late)
        with staging.staging_of(cache_dir) as first:
            first.remove()
        assert sorted(path.name for path in tmp_path.iterdir()) == [".cache.building"]


def test_lock_that_was_opened_before_its_folder_went_is_taken_again(tmp_path, monkeypatch):
    cache_dir, late = tmp_path / "cache", []
    open_lock = staging._open_lock

    def open_late(*arguments):
        file = open_lock(*arguments)
        if not late:
            late.append(file)
            # Another build comes and goes between opening and locking.
            with staging.staging_of(cache_dir):
                pass
        return file

    monkeypatch.setattr(staging, "_open_lock", open_late)
    with staging.staging_of(cache_dir) as work:
        assert work.folder.is_dir()
        with pytest.raises(errors.BusyError):
            with staging.staging_of(cache_dir):
                pass


def test_builders_in_a_row_never_hold_the_lock_together(tmp_path):
    inside, most, failures = [], [], []

    def build():
        for _ in range(50):
            try:
                with staging.staging_of(tmp_path / "cache") as work:
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
                    work.remove()
            except errors.BusyError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                failures.append(error)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(most) == {1}


def test_link_in_place_of_the_staging_is_not_followed(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far/thesis.tex").write_text("years of work")
    (tmp_path / ".cache.building").symlink_to(tmp_path / "far")
    with staging.staging_of(tmp_path / "cache") as work:
        work.prepare("plan")
    assert (tmp_path / "far/thesis.tex").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far"]


def test_encoder_of_an_interrupted_build_is_used_again(tmp_path):
    plan = build_plan.plan_hash({"a": 1}, encoder=None)
    with staging.staging_of(tmp_path / "cache") as work:
        assert work.prepare(plan) == {}
        work.write_plan(plan, encoder={"engine": "units"})
        (work.markers_dir / "m.json").touch()
        (work.parts_dir / ".p.123456789012.tmp").touch()
    with staging.staging_of(tmp_path / "cache") as work:
        assert work.prepare(plan) == {"engine": "units"}
        assert list(work.parts_dir.iterdir()) == []
        assert work.prepare(build_plan.plan_hash({"a": 2}, encoder=None)) == {}
        assert list(work.markers_dir.iterdir()) == []
