"""The trainer's input functions over token caches, and trainings that go on where they stopped."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import gin
import numpy as np
import pytest
import seqio
import tensorflow as tf
from t5.models import mesh_transformer
from training import cached_small

from code_t5 import errors
from code_t5.data import row_memo, task_streams
from code_t5.training import event_files, fill_log, input_functions, launch

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LENGTHS = {"inputs": 32, "targets": 32}
BATCH = 4


@pytest.fixture(scope="module")
def cache_dir(small_data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    cached_small.write_caches(small_data_dir, folder)
    return folder


@pytest.fixture
def registered(small_data_dir, cache_dir, monkeypatch):
    cached_small.register(small_data_dir, monkeypatch)
    seqio.add_global_cache_dirs([str(cache_dir)])
    seqio.MixtureRegistry.add("mixed", [(name, 1.0) for name in cached_small.TASKS])


class FakeEstimator:
    """What `resumable_train_model` asks of an estimator; training is reading the batches."""

    def __init__(self, model_dir, *, step=0):
        self.model_dir = str(model_dir)
        self.step = step
        self.hashes = []
        # Makes the model's graph; there is none.
        self._model_fn = None

    def latest_checkpoint(self):
        return f"model.ckpt-{self.step}" if self.step else None

    def get_variable_value(self, name):
        return {"global_step": np.int64(self.step)}[name]

    def train(self, *, input_fn, max_steps, hooks):
        self.hooks = hooks
        if self.step >= max_steps:
            # As TensorFlow's: nothing is asked of the data.
            return
        for batch in itertools.islice(input_fn({}), max_steps - self.step):
            self.hashes.append(hash_of(batch))


def hash_of(batch):
    return hashlib.sha256(b"".join(batch[key].numpy().tobytes() for key in sorted(batch))).digest()


def train(model_dir, *, step=0, steps, name="mixed", batch_size=BATCH, train_fn=None, **options):
    """Hashes of the batches of one start of the trainer, which calls by position."""
    estimator = FakeEstimator(model_dir, step=step)
    train_fn = train_fn or functools.partial(
        input_functions.token_train_dataset_fn, mixture_or_task_name=name
    )
    input_functions.resumable_train_model(
        estimator, None, LENGTHS, batch_size, train_fn, steps, None, **options
    )
    return estimator.hashes


def test_a_run_interrupted_three_times_sees_the_batches_of_one_that_was_not(registered, tmp_path):
    whole = train(tmp_path / "whole", steps=900)
    assert len(set(whole)) == 900
    seen = []
    # Each was killed some steps after the checkpoint that the next one goes on from.
    for checkpoint, killed_at in ((0, 250), (210, 530), (520, 700), (700, 900)):
        del seen[checkpoint:]
        seen += train(tmp_path / "interrupted", step=checkpoint, steps=killed_at)
    assert seen == whole


def test_a_lost_memo_changes_nothing(registered, tmp_path):
    whole = train(tmp_path, steps=700)
    (tmp_path / row_memo.FILE_NAME).unlink()
    assert train(tmp_path, step=650, steps=700) == whole[650:]


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"batch_size": 8}, "batch_size was 4 and is 8"),
        ({"name": "small_prefix_lm"}, "rates.small_prefix_lm was 0.5 and is not there"),
    ],
)
def test_going_on_with_other_data_is_refused(registered, tmp_path, changes, named):
    train(tmp_path, steps=2)
    # Also where no step is left to train.
    for step in (1, 2):
        with pytest.raises(errors.InputError, match=named):
            train(tmp_path, step=step, steps=2, **changes)


def test_a_model_directory_on_another_machine_is_refused(registered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.InputError, match="gs://bucket/model is not on this machine; wanted"):
        train("gs://bucket/model", steps=1)
    assert list(tmp_path.iterdir()) == []


def test_data_that_was_begun_later_goes_on_from_there(registered, tmp_path):
    whole = train(tmp_path / "whole", steps=20)
    found = train(tmp_path / "tuned", step=1010, steps=1020, seen_data_init_step=1000)
    assert found == whole[10:]


def test_each_member_of_an_ensemble_counts(registered, tmp_path):
    estimators = [FakeEstimator(tmp_path, step=step) for step in (0, 3)]
    train_fn = functools.partial(
        input_functions.token_train_dataset_fn, mixture_or_task_name="mixed"
    )
    for estimator in estimators:
        input_functions.resumable_train_model(estimator, None, LENGTHS, 2, train_fn, 6, 2)
    assert estimators[1].hashes == estimators[0].hashes[3:]


def test_fill_rates_are_logged_at_the_steps_of_the_training(registered, tmp_path):
    train(tmp_path, step=40, steps=60, log_fill_every_steps=10)
    (path,) = event_files.list_files(tmp_path / fill_log.FOLDER)
    scalars = event_files.read_scalars(path)["input/targets_fill"]
    assert [scalar.step for scalar in scalars][:2] == [50, 60]
    assert all(0.1 < scalar.value < 1 for scalar in scalars)


def test_batches_are_made_ahead_unless_gin_says_none(registered, tmp_path, monkeypatch):
    asked = []
    prefetch = tf.data.Dataset.prefetch

    def spy(rows, size, **options):
        asked.append(size)
        return prefetch(rows, size, **options)

    monkeypatch.setattr(tf.data.Dataset, "prefetch", spy)
    default = train(tmp_path / "default", steps=6)
    assert asked.pop() == tf.data.experimental.AUTOTUNE
    of_rows = list(asked)
    assert train(tmp_path / "three", steps=6, batches_ahead=3) == default
    assert asked == [*of_rows, *of_rows, 3]
    assert train(tmp_path / "none", steps=6, batches_ahead=0) == default
    assert asked == [*of_rows, *of_rows, 3, *of_rows]


def test_t5s_own_function_is_logged_and_otherwise_left_alone(registered, tmp_path):
    train_fn = functools.partial(
        mesh_transformer.mesh_train_dataset_fn,
        mixture_or_task_name="small_prefix_lm",
        use_cached=True,
        seed=3,
    )
    first = train(tmp_path / "a", steps=6, train_fn=train_fn, log_fill_every_steps=3)
    assert len(first) == 6
    (path,) = event_files.list_files(tmp_path / "a" / fill_log.FOLDER)
    assert [s.step for s in event_files.read_scalars(path)["input/targets_fill"]][:2] == [3, 6]
    assert not (tmp_path / "a" / row_memo.FILE_NAME).exists()
    anew = train(tmp_path / "a", step=2, steps=6, train_fn=train_fn)
    skipped = train(tmp_path / "a", step=2, steps=6, train_fn=train_fn, skip_seen_data=True)
    assert anew == first[:4]
    assert skipped == first[2:]


def test_rows_have_the_form_that_t5s_function_gives_them(registered):
    ours = input_functions.token_train_dataset_fn(
        LENGTHS, mixture_or_task_name="small_span_corruption"
    )
    theirs = mesh_transformer.mesh_train_dataset_fn(
        "small_span_corruption", LENGTHS, use_cached=True
    )
    assert dict(ours.element_spec) == dict(theirs.element_spec)


def test_an_epoch_holds_the_windows_that_t5s_function_reads(registered):
    (examples,) = task_streams.open_tasks(
        "small_prefix_lm", split="train", sequence_length=LENGTHS, shuffle=False
    )
    options = {"mixture_or_task_name": "small_prefix_lm", "shuffle": False, "pack": False}
    found = [
        function(sequence_length=LENGTHS, seed=0, **options).take(examples.stream.num_examples)
        for function in (
            input_functions.token_train_dataset_fn,
            functools.partial(mesh_transformer.mesh_train_dataset_fn, use_cached=True),
        )
    ]
    # Where a window is cut into inputs and targets is drawn; which windows there are is not.
    ours, theirs = (
        sorted(without_ends(row["inputs"]) + without_ends(row["targets"]) for row in rows)
        for rows in (dataset.as_numpy_iterator() for dataset in found)
    )
    assert ours == theirs and len(ours) > 50


def without_ends(ids):
    """Tokens of a row that has one example, without its end and the padding."""
    return ids[ids > 1].tolist()


def test_unpacked_rows_hold_an_example_each(registered):
    dataset = input_functions.token_train_dataset_fn(
        LENGTHS, mixture_or_task_name="small_prefix_lm", pack=False
    )
    assert set(dataset.element_spec) == {"inputs", "targets"}
    for row in dataset.take(20).as_numpy_iterator():
        assert (row["targets"] == 1).sum() == 1


def evaluation(name="mixed", **options):
    options = {"dataset_split": "validation", "mixture_or_task_name": name, **options}
    return input_functions.token_eval_dataset_fn(LENGTHS, **options)


def unpacked(rows):
    """Inputs and targets of each example, without ends and padding."""
    for row in rows:
        ones = {name: np.ones_like(row[name]) for name in LENGTHS}
        segments = {name: row.get(f"{name}_segmentation", ones[name]) for name in LENGTHS}
        for number in range(1, segments["targets"].max() + 1):
            yield tuple(without_ends(row[name][segments[name] == number]) for name in LENGTHS)


@pytest.mark.parametrize("pack", [False, True])
def test_evaluation_reads_each_example_once_and_alike_every_time(registered, pack):
    found = evaluation(pack=pack)
    assert [dataset.name for dataset in found] == sorted(cached_small.TASKS)
    for entry in found:
        rows = [list(entry.dataset_fn().as_numpy_iterator()) for _ in range(2)]
        assert str(rows[0]) == str(rows[1])
        (examples,) = task_streams.open_tasks(
            entry.name, split="validation", sequence_length=LENGTHS, shuffle=False
        )
        stream = examples.stream
        wanted = stream.at(np.arange(stream.num_examples))
        assert sorted(unpacked(rows[0])) == sorted(
            (wanted.inputs.row(i).tolist(), wanted.targets.row(i).tolist())
            for i in range(stream.num_examples)
        )
        assert stream.num_examples > 10


def test_evaluation_may_stop_early(registered):
    (entry,) = evaluation("small_prefix_lm", num_eval_examples=3)
    assert len(list(entry.dataset_fn())) == 3


def test_evaluation_without_lengths_is_refused(registered):
    with pytest.raises(errors.InputError, match="sequence_length is None"):
        input_functions.token_eval_dataset_fn(
            None, dataset_split="validation", mixture_or_task_name="mixed"
        )


@pytest.mark.slow
def test_a_program_that_ends_while_rows_are_made_ends(small_data_dir, cache_dir):
    program = f"""
import threading, time
import seqio, tensorflow as tf
from code_t5.data import tasks
from code_t5 import pipeline_calls
from code_t5.data.row_stream import RowStream
from code_t5.training import input_functions
tasks.register_tasks({str(small_data_dir)!r})
seqio.add_global_cache_dirs([{str(cache_dir)!r}])
is_under_way, make = threading.Event(), RowStream.block
def make_later_than_the_end(rows, index):
    if index:
        is_under_way.set()
        while not pipeline_calls._CALLS._is_ending:
            time.sleep(0.01)
    return make(rows, index)
RowStream.block = make_later_than_the_end
rows = iter(input_functions.token_train_dataset_fn(
    {{"inputs": 512, "targets": 512}}, mixture_or_task_name="small_prefix_lm"))
next(rows)
assert is_under_way.wait(60)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_gin_chooses_the_functions_and_they_can_be_resumed(registered, tmp_path, monkeypatch):
    monkeypatch.setattr(gin.config, "_LOCATION_PREFIXES", ["", str(ROOT / "gin_configs")])
    chosen = {}
    try:
        with gin.unlock_config():
            gin.clear_config()
            gin.parse_config_files_and_bindings(["runs/resumable.gin"], ["MIXTURE_NAME = 'mixed'"])
        for name in ("train_model_fn", "train_dataset_fn", "eval_dataset_fn"):
            reference = gin.query_parameter(f"mesh_tensorflow.transformer.utils.run.{name}")
            chosen[name] = reference.scoped_configurable_fn
        train_fn = chosen["train_dataset_fn"]
        whole = train(tmp_path, steps=12, train_fn=train_fn)
        assert train(tmp_path, step=5, steps=12, train_fn=train_fn) == whole[5:]
        evaluated = chosen["eval_dataset_fn"](LENGTHS, dataset_split="validation")
        assert [dataset.name for dataset in evaluated] == sorted(cached_small.TASKS)
    finally:
        with gin.unlock_config():
            gin.clear_config()
    assert chosen["train_model_fn"].__name__ == "resumable_train_model"


SMALLEST = (
    *("d_model = 16", "num_layers = 1", "d_ff = 32", "num_heads = 2", "d_kv = 8"),
    "utils.run.sequence_length = {'inputs': 32, 'targets': 32}",
    f"utils.run.batch_size = {BATCH}",
    "utils.run.save_checkpoints_steps = 20",
    "run.train_dataset_fn = @hashing_train_dataset_fn",
    "hashing_train_dataset_fn.mixture_or_task_name = %MIXTURE_NAME",
)


def start_trainer(model_dir, *, data_dir, cache_dir, steps, log_path):
    config = launch.TrainerConfig(
        model_dir=model_dir,
        mixture_or_task_name="small_prefix_lm",
        gin_files=("runs/dev_prefix_lm.gin", "runs/resumable.gin"),
        gin_params=(
            *SMALLEST,
            f"run.train_steps = {steps}",
            f"hashing_train_dataset_fn.hashes_path = '{model_dir}/hashes'",
        ),
        data_dir=data_dir,
        module_imports=("code_t5", "training.hashing_rows"),
    )
    command = [*launch.trainer_command(config), f"--additional_task_cache_dirs={cache_dir}"]
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with open(log_path, "wb") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": python_path},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def kill_after(trainer, *, model_dir, checkpoint):
    """Kills the trainer some steps after it has written a checkpoint."""
    deadline = time.monotonic() + 300
    try:
        while launch.latest_step(model_dir) < checkpoint:
            assert trainer.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.1)
    finally:
        trainer.send_signal(signal.SIGKILL)
        trainer.wait()


def read_hashes(model_dir):
    """Number and hash of each row that was read, in the order of reading."""
    path = model_dir / "hashes"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_trainer_killed_three_times_reads_the_rows_of_one_that_was_not(
    small_data_dir, cache_dir, tmp_path
):
    num_steps = 180
    options = {"data_dir": small_data_dir, "cache_dir": cache_dir}

    def train_to_the_end(model_dir):
        log_path = tmp_path / f"{model_dir.name}.log"
        trainer = start_trainer(model_dir, steps=num_steps, log_path=log_path, **options)
        assert trainer.wait(300) == 0, log_path.read_text()[-3000:]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_to_the_end(whole)
    begun = []
    for checkpoint in (40, 80, 120):
        begun.append((len(read_hashes(killed)), launch.latest_step(killed)))
        log_path = tmp_path / f"{checkpoint}.log"
        trainer = start_trainer(killed, steps=100_000, log_path=log_path, **options)
        kill_after(trainer, model_dir=killed, checkpoint=checkpoint)
    begun.append((len(read_hashes(killed)), launch.latest_step(killed)))
    train_to_the_end(killed)

    wanted, found = read_hashes(whole), read_hashes(killed)
    assert [number for number, _ in wanted] == list(range(len(wanted)))
    assert len(wanted) >= num_steps * BATCH
    hashes = [hashed for _, hashed in wanted]
    assert len(set(hashes)) > 0.9 * len(hashes)
    for (first_line, step), (next_line, _) in zip(begun, [*begun[1:], (len(found), None)]):
        lines = found[first_line:next_line]
        # Each start reads on from its checkpoint's step.
        assert [number for number, _ in lines] == list(
            range(step * BATCH, step * BATCH + len(lines))
        )
        common = hashes[step * BATCH : step * BATCH + len(lines)]
        assert [hashed for _, hashed in lines][: len(common)] == common
    assert begun[-1][1] >= 120 and len(lines) >= (num_steps - begun[-1][1]) * BATCH
