"""A student learns the same from a cache and from the live teacher, however often it is stopped."""

from __future__ import annotations

import errno
import json
import pathlib
import sys
import types

import numpy as np
import pytest
import small_student
from refusals import assert_refused, content

from code_t5.storage import manifest
from code_t5.teacher_outputs import only_writer
from code_t5.training import event_files
from code_t5.training.students import checkpoint

_LIVE = {"cached_train_path": None, "cached_val_path": None}


def _losses(history):
    return [(result.epoch, result.loss, result.val_loss) for result in history]


def _weights(folder):
    return (folder / "checkpoint" / checkpoint.STATE_NAME).read_bytes()


def test_the_loss_falls_and_is_that_of_the_validation_samples(train, tmp_path):
    history = train(epochs=20)
    assert [result.epoch for result in history] == list(range(1, 21))
    assert history[-1].loss < history[0].loss / 10
    assert history[-1].val_loss < 0.7 * history[0].val_loss
    assert 0 < history[-1].share_waiting < 1
    assert (tmp_path / "student" / "student" / "width.txt").read_text() == "4"


@pytest.mark.parametrize("kind", ["live", "pt", "workers"])
def test_batches_are_the_same_wherever_they_come_from(train, generate, tmp_path, kind):
    wanted = train("directory")
    changes = {
        "live": {**_LIVE, "num_samples": 20},
        "pt": {"cached_train_path": generate(tmp_path / "cached_train.pt")},
        "workers": {"num_workers": 2},
    }[kind]
    assert _losses(train("other", **changes)) == _losses(wanted)
    assert _weights(tmp_path / "other") == _weights(tmp_path / "directory")


def test_another_seed_gives_another_student(train, tmp_path):
    train("first")
    train("second", seed=8)
    assert _weights(tmp_path / "first") != _weights(tmp_path / "second")


class _Killed(BaseException):
    """Stands for a process that ends at once."""


def _kill(at_call):
    def kill(num_calls):
        if num_calls == at_call:
            raise _Killed

    return kill


@pytest.mark.parametrize("at_call", [1, 2, 4, 5, 7, 12])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_killed_training_ends_as_one_that_was_not(train, tmp_path, at_call, num_workers):
    wanted = train("whole")
    small_student.ON_STEP.append(_kill(at_call))
    with pytest.raises(_Killed):
        # A checkpoint after each step.
        train("killed", checkpoint_seconds=-1, num_workers=num_workers)
    small_student.ON_STEP.clear()
    found = train("killed", num_workers=num_workers)
    assert _losses(found) == _losses(wanted)
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "whole")


def test_killed_between_checkpoints_it_goes_on_from_the_last_whole_one(train, tmp_path):
    wanted = train("whole")
    small_student.ON_STEP.append(_kill(7))
    with pytest.raises(_Killed):
        train("killed")
    manifest = json.loads((tmp_path / "killed" / "checkpoint" / "manifest.json").read_text())
    assert manifest["progress"]["step"] == 4
    small_student.ON_STEP.clear()
    assert _losses(train("killed")) == _losses(wanted)


@pytest.mark.parametrize("at_call", [2, 4, 12])
def test_ctrl_c_keeps_the_step_and_it_goes_on(train, tmp_path, at_call):
    wanted = train("whole")
    small_student.ON_STEP.append(small_student.press_ctrl_c(at_call))
    with pytest.raises(KeyboardInterrupt):
        train("stopped")
    manifest = json.loads((tmp_path / "stopped" / "checkpoint" / "manifest.json").read_text())
    assert manifest["progress"]["step"] == at_call
    small_student.ON_STEP.clear()
    assert _losses(train("stopped")) == _losses(wanted)
    assert _weights(tmp_path / "stopped") == _weights(tmp_path / "whole")


def test_a_finished_training_is_not_done_again_and_more_epochs_go_on(train, tmp_path):
    first = train()
    before = _weights(tmp_path / "student")
    assert _losses(train()) == _losses(first)
    assert _weights(tmp_path / "student") == before
    assert _losses(train(epochs=5)) == _losses(train("whole", epochs=5))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"seed": 8}, "seed is 7, wanted 8"),
        ({"batch_size": 4}, "batch_size is 5, wanted 4"),
        ({"learning_rate": 0.5}, "learning_rate is 0.05, wanted 0.5"),
        ({"student_settings": {"width": 3}}, "student.width is 4, wanted 3"),
        ({"num_samples": 10}, "samples.num_samples is 20, wanted 10"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(train, tmp_path, changes, match):
    train()
    before = content(tmp_path / "student" / "checkpoint")
    assert_refused(lambda: train(**changes), match=match)
    assert content(tmp_path / "student" / "checkpoint") == before


@pytest.mark.parametrize("name", ["state.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_refused(train, tmp_path, name, damage):
    train()
    path = tmp_path / "student" / "checkpoint" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data[: len(data) // 3] if damage == "cut" else data)
    if damage == "remove":
        path.unlink()
    folder = tmp_path / "student" / "checkpoint"
    assert_refused(train, match=r"remove \S+, or give another --output_dir", unchanged=folder)


def test_a_loss_that_is_no_number_ends_it_and_the_checkpoint_stays(train, tmp_path):
    train()
    before = content(tmp_path / "student" / "checkpoint")

    assert_refused(
        lambda: train("other", learning_rate=1e30, epochs=50), match="the loss is (nan|inf) in step"
    )
    assert content(tmp_path / "student" / "checkpoint") == before


@pytest.mark.parametrize("kind", ["train", "val"])
def test_a_cache_of_another_teacher_is_refused(train, generate, tmp_path, kind):
    changes = {} if kind == "train" else {"split": "validation", "num_samples": None, "seed": None}
    path = generate(tmp_path / "other", offset=1.0, **changes)
    match = r"options\.offset is [01]\.0, wanted [01]\.0.*generate_cached_dataset\.py"
    assert_refused(lambda: train(**{f"cached_{kind}_path": path}), match=match)


def test_a_teacher_with_another_setting_refuses_the_cache(train):
    match = "options.offset is 0.0, wanted 2.0"
    assert_refused(lambda: train(teacher_settings={"offset": 2.0}), match=match)


def test_training_samples_are_not_taken_for_validation_samples(train, caches):
    path = caches["cached_train_path"]
    match = "data.split is 'train', wanted 'validation'.* --validation --output"
    assert_refused(lambda: train(cached_val_path=path), match=match)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_shard_that_was_cut_short_is_named_by_whoever_reads_it(train, caches, num_workers):
    shard = pathlib.Path(caches["cached_train_path"], "shard-00002.safetensors")
    data = shard.read_bytes()
    shard.write_bytes(data[:-3])
    match = r"shard-00002.*generate_cached_dataset\.py --config small --output \S+ --overwrite"
    assert_refused(lambda: train(num_workers=num_workers), match=match)


def test_a_full_disk_is_said_in_one_line(train, tmp_path, monkeypatch):
    train()
    before = content(tmp_path / "student" / "checkpoint")

    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(manifest, "write_manifest", fail)
    assert_refused(lambda: train(epochs=4), match="no room on the disk.*it goes on")
    assert content(tmp_path / "student" / "checkpoint") == before


def test_a_missing_cache_is_named(train, tmp_path):
    assert_refused(lambda: train(cached_train_path=str(tmp_path / "none.pt")), match="none.pt")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"num_samples": 21}, "found 21 as the number of samples; wanted at most the 20"),
        ({"num_samples": 4}, "4 samples make no batch of 5"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 0}, "epochs"),
        ({**_LIVE, "num_val_samples": 21}, "21 as the number of validation samples"),
        ({"cached_val_path": None}, "one path is missing"),
        ({"cached_train_path": None}, "without --cached_train_path"),
        ({"student_settings": {"depth": 2}}, "do not take --depth; wanted any of --width"),
    ],
)
def test_what_cannot_be_trained_is_refused(train, tmp_path, changes, match):
    assert_refused(lambda: train(**changes), match=match, unchanged=tmp_path)


def test_two_processes_do_not_train_in_one_directory(train, tmp_path):
    with only_writer.only_writer(tmp_path / "student"):
        assert_refused(train, match="another process writes")


def test_tensorboard_gets_losses_and_times(train, tmp_path):
    train(epochs=5)
    (path,) = event_files.list_files(tmp_path / "student")
    scalars = event_files.read_scalars(path)
    assert [scalar.step for scalar in scalars["validation/loss"]] == [4, 8, 12, 16, 20]
    assert [scalar.step for scalar in scalars["train/loss"]] == [4, 8, 10, 12, 16, 20]
    assert set(scalars) == {
        *("train/loss", "train/largest", "validation/loss", "validation/largest"),
        *("time/seconds_waiting_per_batch", "time/seconds_computing_per_batch"),
        "time/share_waiting",
    }
    for one in range(6):
        waiting, computing, share = (
            scalars[f"time/{name}"][one].value
            for name in (
                "seconds_waiting_per_batch",
                "seconds_computing_per_batch",
                "share_waiting",
            )
        )
        assert share == pytest.approx(waiting / (waiting + computing), rel=1e-4)


class _StandInRun:
    """What wandb's run would be, without wandb."""

    def __init__(self):
        self.logged, self.is_finished = [], False

    def log(self, scalars, *, step):
        self.logged.append((step, scalars))

    def finish(self):
        self.is_finished = True


def test_a_stand_in_for_wandb_gets_the_same_numbers(train, tmp_path, monkeypatch):
    run, asked = _StandInRun(), {}
    stand_in = types.ModuleType("wandb")
    stand_in.init = lambda **options: asked.update(options) or run
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    train(wandb=True)
    assert run.is_finished
    assert (asked["name"], asked["config"]["epochs"]) == ("student", 3)
    json.dumps(asked["config"])
    (path,) = event_files.list_files(tmp_path / "student")
    scalars = event_files.read_scalars(path)["validation/loss"]
    logged = [(step, s["validation/loss"]) for step, s in run.logged if "validation/loss" in s]
    assert [step for step, _ in logged] == [scalar.step for scalar in scalars]
    np.testing.assert_allclose([v for _, v in logged], [s.value for s in scalars], rtol=1e-6)


def test_a_stand_in_for_wandb_that_fails_ends_it_in_one_line(train, monkeypatch):
    stand_in = types.ModuleType("wandb")

    def init(**options):
        raise RuntimeError("api_key not configured\n(no-tty)")

    stand_in.init = init
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    assert_refused(lambda: train(wandb=True), match="WANDB_MODE=offline")


def test_without_wandb_one_line_says_what_to_install(train, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert_refused(lambda: train(wandb=True), match="pip install wandb", unchanged=tmp_path)
