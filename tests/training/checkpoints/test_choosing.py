"""A training goes on from the newest whole checkpoint, whatever a killed one left behind."""

from __future__ import annotations

import shutil

import pytest
import tensorflow.compat.v1 as tf
from training.checkpoints import tiny_checkpoints

from code_t5 import errors
from code_t5.training.checkpoints import choosing, reading


@pytest.fixture
def model_dir(tmp_path):
    return tiny_checkpoints.save(tmp_path / "model", [10, 20, 30])


def newest_by_tensorflow(model_dir):
    return tf.train.latest_checkpoint(str(model_dir))


def test_whole_checkpoint_is_gone_on_from_and_nothing_changes(model_dir):
    before = tiny_checkpoints.contents(model_dir)
    assert choosing.choose(model_dir) == choosing.Choice(30, "")
    assert tiny_checkpoints.contents(model_dir) == before


def test_empty_directory_begins_anew(tmp_path):
    assert choosing.choose(tmp_path) == choosing.Choice(None, "")
    assert choosing.choose(tmp_path / "missing") == choosing.Choice(None, "")


def test_damaged_checkpoint_goes_aside_and_the_one_before_it_counts(model_dir):
    tiny_checkpoints.flip_byte(tiny_checkpoints.data_file(model_dir, 30), 3)
    damaged = tiny_checkpoints.data_file(model_dir, 30).read_bytes()
    found = choosing.choose(model_dir)
    assert found.step == 20
    assert found.changes.startswith("not whole: step 30 (checkpoint ")
    assert "hecksum" in found.changes and "now in damaged/30; " in found.changes
    assert found.changes.endswith("the file checkpoint now names step 20")
    assert newest_by_tensorflow(model_dir) == str(model_dir / "model.ckpt-20")
    assert reading.recorded_steps(model_dir) == [10, 20]
    assert not list(model_dir.glob("model.ckpt-30*"))
    # It can be looked at, and brought back.
    assert tiny_checkpoints.data_file(model_dir / "damaged" / "30", 30).read_bytes() == damaged
    assert choosing.choose(model_dir) == choosing.Choice(20, "")


def test_second_damage_of_a_step_overwrites_nothing(model_dir):
    for wanted in ("30", "30-2"):
        (model_dir / "model.ckpt-30.index").write_bytes(b"no index")
        assert f"now in damaged/{wanted};" in choosing.choose(model_dir).changes
        tiny_checkpoints.save(model_dir, [10, 20, 30])


@pytest.mark.parametrize("kind", ["link", "dead link", "file"])
def test_damaged_checkpoint_is_moved_nowhere_outside_of_the_directory(model_dir, tmp_path, kind):
    outside, aside = tmp_path / "outside", model_dir / "damaged"
    if kind == "file":
        aside.write_bytes(b"mine")
    else:
        aside.symlink_to(outside)
    if kind == "link":
        outside.mkdir()
    (model_dir / "model.ckpt-40_temp").mkdir()
    tiny_checkpoints.data_file(model_dir, 30).unlink()
    names = sorted(path.name for path in model_dir.iterdir())
    with pytest.raises(errors.ArtifactError, match="damaged is a (link|file); wanted a folder"):
        choosing.choose(model_dir)
    assert sorted(path.name for path in model_dir.iterdir()) == names
    assert not outside.exists() or not list(outside.iterdir())


def test_two_damaged_ones_are_passed_over(model_dir):
    (model_dir / "model.ckpt-30.index").unlink()
    tiny_checkpoints.flip_byte(tiny_checkpoints.data_file(model_dir, 20), 3)
    found = choosing.choose(model_dir)
    assert found.step == 10
    assert "step 20, step 30" in found.changes
    assert newest_by_tensorflow(model_dir) == str(model_dir / "model.ckpt-10")


def test_none_whole_is_one_error_and_nothing_is_touched(model_dir):
    (model_dir / "model.ckpt-40_temp").mkdir()
    for step in (10, 20, 30):
        tiny_checkpoints.data_file(model_dir, step).write_bytes(b"")
    before = tiny_checkpoints.contents(model_dir)
    wanted = (
        r"no whole checkpoint among steps \[10, 20, 30\] of .*names step 30.*nothing was changed"
    )
    with pytest.raises(errors.ArtifactError, match=wanted) as caught:
        choosing.choose(model_dir)
    assert "\n" not in str(caught.value)
    assert tiny_checkpoints.contents(model_dir) == before
    assert (model_dir / "model.ckpt-40_temp").is_dir()


def test_state_file_that_names_what_is_gone_is_refused(tmp_path):
    choosing.write_state(tmp_path, [30])
    with pytest.raises(errors.ArtifactError, match="its file checkpoint names step 30"):
        choosing.choose(tmp_path)


@pytest.mark.parametrize("state", [None, "", 'model_checkpoint_path: "garbage"'])
def test_lost_state_file_does_not_begin_anew_over_what_is_there(model_dir, state):
    if state is None:
        (model_dir / "checkpoint").unlink()
    else:
        (model_dir / "checkpoint").write_text(state)
    found = choosing.choose(model_dir)
    assert (found.step, found.changes) == (30, "the file checkpoint now names step 30")
    assert newest_by_tensorflow(model_dir) == str(model_dir / "model.ckpt-30")
    assert reading.recorded_steps(model_dir) == [10, 20, 30]


def test_state_file_that_was_turned_back_on_purpose_is_kept_to(model_dir):
    choosing.write_state(model_dir, [10])
    before = tiny_checkpoints.contents(model_dir)
    assert choosing.choose(model_dir) == choosing.Choice(10, "")
    assert tiny_checkpoints.contents(model_dir) == before


def test_paths_of_a_folder_that_was_moved_become_names(model_dir, tmp_path):
    state = (model_dir / "checkpoint").read_text()
    (model_dir / "checkpoint").write_text(state.replace('"model', '"/gone/model'))
    assert newest_by_tensorflow(model_dir) is None
    assert choosing.choose(model_dir).step == 30
    assert newest_by_tensorflow(model_dir) == str(model_dir / "model.ckpt-30")


def test_what_a_killed_saver_left_is_removed(model_dir):
    parts = model_dir / "model.ckpt-40_temp"
    parts.mkdir()
    (parts / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
    names = (
        "model.ckpt-40.index.tempstate8234765",
        f"checkpoint.tmp{'0a' * 16}",
        f"model.ckpt-40.meta.tmp{'0a' * 16}",
        f"graph.pbtxt.tmp{'0a' * 16}",
    )
    before = tiny_checkpoints.contents(model_dir)
    before.pop(f"{parts.name}/part-00000-of-00001.data-00000-of-00001")
    for name in names:
        (model_dir / name).write_bytes(b"half")
    found = choosing.choose(model_dir)
    assert found == choosing.Choice(30, "5 leftovers of a killed saver were removed")
    assert tiny_checkpoints.contents(model_dir) == before
    assert not parts.exists()


def test_link_out_of_the_directory_is_not_followed(model_dir, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_bytes(b"mine")
    (model_dir / "model.ckpt-40_temp").symlink_to(elsewhere)
    choosing.choose(model_dir)
    assert (elsewhere / "file").read_bytes() == b"mine"


def test_data_whose_index_was_not_yet_written_goes_aside(model_dir):
    """The state between a saver's two last steps: its data has its name, its index has none."""
    whole = tiny_checkpoints.data_file(model_dir, 30)
    shutil.copy(whole, model_dir / whole.name.replace("-30.", "-40."))
    found = choosing.choose(model_dir)
    assert found.step == 30
    assert "not whole: step 40 (files are missing), now in damaged/40" in found.changes
    assert not list(model_dir.glob("model.ckpt-40*"))
    assert reading.recorded_steps(model_dir) == [10, 20, 30]


def test_old_index_over_new_data_is_not_whole(model_dir):
    """A saver that writes a step again, killed between its data and its index."""
    shutil.copy(
        tiny_checkpoints.data_file(model_dir, 20),
        tiny_checkpoints.data_file(model_dir, 30),
    )
    assert choosing.choose(model_dir).step == 20
