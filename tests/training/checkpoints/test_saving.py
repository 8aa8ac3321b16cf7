"""A disk that is full while a checkpoint is saved ends the training in one line."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
import tensorflow.compat.v1 as tf
from training.checkpoints import tiny_checkpoints

from code_t5 import errors
from code_t5.training.checkpoints import choosing, reading, saving

# Saves in a process; before the second time the disk gets full, in a way that is put in.
FULL = """
import atexit, os, pathlib, resource, shutil, sys
import numpy as np
import tensorflow.compat.v1 as tf
from code_t5.training.checkpoints import saving

model_dir = sys.argv[1]
with tf.Graph().as_default(), tf.Session() as session:
    step = tf.train.get_or_create_global_step()
    tf.Variable(np.ones(100_000, np.float32), name="weights")
    saver = tf.train.Saver(tf.global_variables(), sharded=True, save_relative_paths=True)
    saving.watch_saver(saver, model_dir=model_dir)
    session.run(tf.global_variables_initializer())
    path = model_dir + "/model.ckpt"
    saver.save(session, path, global_step=step)
    {fill}
    session.run(tf.assign(step, 7))
    try:
        saver.save(session, path, global_step=7)
    except saving.NotSavedError as error:
        sys.exit(str(error))
"""


# Files may hold 100 kB each; weights take 400 kB.
LIMIT = "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
# All but 100 kB of a disk of 1 MiB is taken.
TAKE = (
    "free = os.statvfs(model_dir).f_bavail * os.statvfs(model_dir).f_bsize; "
    "pathlib.Path(model_dir, 'mine').write_bytes(bytes(free - 100_000))"
)
# Gives the folder a disk of its own, which no other process sees, and starts the rest there.
ON_SMALL_DISK = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
MAY_MOUNT = ("unshare", "--map-root-user", "--mount", "sh", "-c")


def run_full(model_dir, *, fill, before=()):
    program = FULL.replace("{fill}", fill)
    command = [*before, sys.executable, "-c", program, str(model_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def test_saver_on_a_full_disk_says_so_and_the_earlier_checkpoint_is_whole(tmp_path):
    outside = tmp_path / "seen_from_outside"
    model_dir = tmp_path / "disk"
    model_dir.mkdir()
    (tmp_path / "try").mkdir()
    tried = subprocess.run(
        [*MAY_MOUNT, ON_SMALL_DISK, "sh", str(tmp_path / "try"), "true"], capture_output=True
    )
    if tried.returncode:
        # A container that lets nobody mount: a file-size limit, the nearest thing, then.
        done, reason = run_full(model_dir, fill=LIMIT), "File too large"
    else:
        # What is on that disk ends with the process, so it is looked at there.
        keep = f"shutil.copytree(model_dir, {str(outside)!r})"
        before = (*MAY_MOUNT, ON_SMALL_DISK, "sh", str(model_dir))
        done = run_full(model_dir, fill=f"{TAKE}; atexit.register(lambda: {keep})", before=before)
        reason, model_dir = "No space left on device", outside
    assert done.returncode == 1, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"{reason} while saving the checkpoint of step 7 in {tmp_path}"), line
    assert "where 0 MiB are free" in line or reason == "File too large"
    assert not list(model_dir.glob("*_temp")) and not list(model_dir.glob("model.ckpt-7*"))
    assert choosing.choose(model_dir) == choosing.Choice(0, "")


def test_saver_that_meets_a_limit_says_so_and_keeps_what_is_there(tmp_path):
    done = run_full(tmp_path, fill=LIMIT)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"File too large while saving the checkpoint of step 7 in {tmp_path}")
    assert "the checkpoint of step 0 is kept, and the same command goes on from it" in line
    # Not even a part of the new one is left.
    assert not list(tmp_path.glob("*_temp")) and not list(tmp_path.glob("model.ckpt-7*"))
    assert choosing.choose(tmp_path) == choosing.Choice(0, "")
    assert reading.read_variables(tmp_path / "model.ckpt-0")["weights"].sum() == 100_000


class BrokenSaver:
    """Stands in for TensorFlow's saver: raises what it is given."""

    def __init__(self, error):
        self.error = error

    def save(self, session, path, *, global_step):
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (tf.errors.ResourceExhaustedError(None, None, "x; No space left on device"), "No space"),
        (tf.errors.OutOfRangeError(None, None, "x; File too large"), "File too large"),
        (tf.errors.UnknownError(None, None, "Disk quota exceeded"), "Disk quota exceeded"),
        (OSError(errno.EROFS, "read-only"), "Read-only file system"),
        # Of a saver even what is not known is not trained on without.
        (tf.errors.InternalError(None, None, "odd"), "odd"),
    ],
)
def test_each_way_of_not_saving_is_our_error_with_the_step(tmp_path, error, reason):
    tiny_checkpoints.save(tmp_path, [10])
    parts = tmp_path / "model.ckpt-20_temp"
    parts.mkdir()
    saver = BrokenSaver(error)
    saving.watch_saver(saver, model_dir=str(tmp_path))
    with pytest.raises(saving.NotSavedError) as caught:
        saver.save(None, str(tmp_path / "model.ckpt"), global_step=20)
    assert str(caught.value).startswith(reason)
    assert "while saving the checkpoint of step 20" in str(caught.value)
    assert "step 10 is kept" in str(caught.value)
    assert not parts.exists()


def test_directory_that_is_gone_is_told(tmp_path):
    saver = BrokenSaver(ValueError("Parent directory does not exist"))
    saving.watch_saver(saver, model_dir=str(tmp_path / "gone"))
    with pytest.raises(saving.NotSavedError, match="Parent directory .*no checkpoint was there"):
        saver.save(None, "x", global_step=1)


def test_defect_of_a_saver_stays_what_it_is(tmp_path):
    saver = BrokenSaver(ValueError("a defect"))
    saving.watch_saver(saver, model_dir=str(tmp_path))
    with pytest.raises(ValueError, match="a defect"):
        saver.save(None, "x", global_step=1)


def test_full_disk_that_another_writer_meets_is_told_and_other_errors_pass(tmp_path):
    full = tf.errors.ResourceExhaustedError(None, None, "graph.pbtxt; No space left on device")
    with pytest.raises(saving.NotSavedError, match="No space left on device while training"):
        with saving.clear_ending(str(tmp_path)):
            raise full
    memory = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    for error in (memory, OSError(errno.ENOENT, "no file"), errors.InputError("mine")):
        with pytest.raises(type(error)) as caught, saving.clear_ending(str(tmp_path)):
            raise error
        assert caught.value is error


def test_little_room_is_warned_of_before_the_first_step(tmp_path, monkeypatch):
    with tf.Graph().as_default():
        variables = [tf.Variable(tf.zeros([1 << 20]), name="weights")]
        monkeypatch.setattr(saving, "_free_bytes", lambda _: 9 << 20)
        assert saving.room_warning(str(tmp_path), variables) == ""
        monkeypatch.setattr(saving, "_free_bytes", lambda _: 7 << 20)
        warning = saving.room_warning(str(tmp_path), variables)
    assert "takes 4 MiB, and 7 MiB are free" in warning
