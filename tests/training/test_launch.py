"""How the trainer is started, followed and stopped, with a stand-in for the trainer itself."""

from __future__ import annotations

import fcntl
import pathlib
import signal
import subprocess
import sys

import pytest

from code_t5 import errors
from code_t5.training import launch


def config(tmp_path, **changes):
    gin_location = tmp_path / "gin_configs"
    gin_location.mkdir(exist_ok=True)
    settings = {
        "model_dir": tmp_path / "model",
        "mixture_or_task_name": "dev",
        "gin_files": ("runs/dev_prefix_lm.gin",),
        "gin_location": str(gin_location),
    }
    return launch.TrainerConfig(**{**settings, **changes})


@pytest.fixture
def stand_in(monkeypatch):
    """Makes the trainer a Python program of the test's own."""

    def use(source):
        monkeypatch.setattr(launch, "trainer_command", lambda _: [sys.executable, "-c", source])

    return use


def test_command_names_everything_in_the_order_that_the_trainer_reads_it():
    run = launch.TrainerConfig(
        model_dir=pathlib.Path("m"),
        mixture_or_task_name="dev_prefix_lm",
        gin_files=("models/shared-prefix_lm.gin", "meshes/cpu_1.gin"),
        gin_params=("run.train_steps = 20",),
        data_dir=pathlib.Path("d"),
        module_imports=("code_t5", "my_tasks"),
    )
    assert launch.trainer_command(run)[1:] == [
        "-m",
        "t5.models.mesh_transformer_main",
        "--model_dir=m",
        "--t5_tfds_data_dir=d",
        "--module_import=code_t5",
        "--module_import=my_tasks",
        "--gin_location_prefix=gin_configs/",
        "--gin_file=models/shared-prefix_lm.gin",
        "--gin_file=meshes/cpu_1.gin",
        "--gin_param=MIXTURE_NAME = 'dev_prefix_lm'",
        "--gin_param=run.train_steps = 20",
    ]


def test_printed_command_means_the_same_to_a_shell():
    words = ["printf", "%s\\n", "--a=b", "--c=x = 'y'", '--d=a"$HOME`\\', "--e=", "it's"]
    text = launch.format_command(words)
    assert "--c=\"x = 'y'\"" in text
    found = subprocess.run(["bash", "-c", text], check=True, capture_output=True, text=True)
    assert found.stdout.splitlines() == words[2:]


def test_run_keeps_the_log_and_counts_logs_up(tmp_path, stand_in):
    stand_in("print('step, tf_loss[2.5][1]')")
    first = launch.run_trainer(config(tmp_path), name="train", description="training", num_steps=1)
    second = launch.run_trainer(config(tmp_path), name="train", description="training")
    assert first == tmp_path / "model" / "logs" / "train-1.log"
    assert second.name == "train-2.log"
    assert first.read_text() == "step, tf_loss[2.5][1]\n"


def test_failed_run_says_why_and_where_the_log_is(tmp_path, stand_in):
    stand_in("raise ValueError('no such binding')")
    with pytest.raises(launch.TrainerError) as caught:
        launch.run_trainer(config(tmp_path), name="train", description="training")
    assert "status 1: ValueError: no such binding" in str(caught.value)
    assert "train-1.log" in str(caught.value)


def test_killed_run_says_which_signal(tmp_path, stand_in):
    stand_in("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(launch.TrainerError, match="killed by SIGKILL.*memory"):
        launch.run_trainer(config(tmp_path), name="train", description="training")


def test_two_runs_in_one_model_directory_are_refused(tmp_path, stand_in):
    stand_in("")
    run = config(tmp_path)
    run.model_dir.mkdir()
    with open(run.model_dir / ".trainer.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(errors.BusyError):
            launch.run_trainer(run, name="train", description="training")


def test_missing_gin_files_are_named_before_anything_starts(tmp_path):
    run = config(tmp_path, gin_location=str(tmp_path / "nowhere"))
    with pytest.raises(errors.InputError, match="nowhere"):
        launch.run_trainer(run, name="train", description="training")
    assert not run.model_dir.exists()


def test_child_is_stopped_when_the_parent_is_interrupted(tmp_path, stand_in, monkeypatch):
    stand_in("import time; time.sleep(600)")
    children = []
    start = subprocess.Popen

    def remember(*arguments, **options):
        children.append(start(*arguments, **options))
        return children[-1]

    def interrupt(reader):
        raise KeyboardInterrupt

    monkeypatch.setattr(launch.subprocess, "Popen", remember)
    monkeypatch.setattr(launch.logs.ProgressReader, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        launch.run_trainer(config(tmp_path), name="train", description="training")
    assert children[0].poll() is not None


def test_child_that_does_not_stop_is_ended(tmp_path, stand_in, monkeypatch):
    stand_in(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    monkeypatch.setattr(launch, "_SAYING_SECONDS", 0.1)
    monkeypatch.setattr(launch, "_STOPPING_SECONDS", 0.1)
    children = []
    start = subprocess.Popen

    def remember(*arguments, **options):
        children.append(start(*arguments, **options))
        return children[-1]

    def interrupt(reader):
        if reader._path.read_text() == "ready\n":
            raise KeyboardInterrupt

    monkeypatch.setattr(launch.subprocess, "Popen", remember)
    monkeypatch.setattr(launch.logs.ProgressReader, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        launch.run_trainer(config(tmp_path), name="train", description="training")
    assert children[0].poll() == -signal.SIGKILL


def test_more_flags_come_last_and_the_status_is_kept(tmp_path, stand_in):
    run = config(tmp_path, more_flags=("--gin_file=mine.gin", "--additional_task_cache_dirs=c"))
    assert launch.trainer_command(run)[-2:] == list(run.more_flags)
    for source, status in (("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)):
        stand_in(source)
        with pytest.raises(launch.TrainerError) as caught:
            launch.run_trainer(run, name="train", description="training")
        assert caught.value.exit_status == status


def test_bar_shows_step_loss_and_speed(tmp_path, stand_in, capsys, monkeypatch):
    monkeypatch.setattr(launch.progress, "_DELAY_SECONDS", 0)
    stand_in(
        "print('I] Step 100: a batch held 9 tokens of inputs (50.0% of the room), 9 tokens of '"
        "'targets (50.0% of the room)')\n"
        "print('I] step 100: 4.00 steps/s, 9216 tokens/s, fill 50.0%, waited 0.1% for data')\n"
        "print('step, tf_loss[2.25][100]')"
    )
    launch.run_trainer(config(tmp_path), name="train", description="training", num_steps=100)
    last = capsys.readouterr().err.strip().split("\r")[-1]
    assert last.startswith("training: 100%") and "100/100" in last
    assert "loss 4.500/token, 9,216 tokens/s" in last


def test_bar_shows_no_loss_before_it_can_be_per_token(tmp_path, stand_in, capsys, monkeypatch):
    monkeypatch.setattr(launch.progress, "_DELAY_SECONDS", 0)
    stand_in(
        "print('I] step 20: 4.00 steps/s, 9216 tokens/s, fill 50.0%, waited 0.1% for data')\n"
        "print('step, tf_loss[2.25][20]')"
    )
    launch.run_trainer(config(tmp_path), name="train", description="training", num_steps=20)
    last = capsys.readouterr().err.strip().split("\r")[-1]
    assert "9,216 tokens/s" in last and "loss" not in last


def test_latest_step_is_that_of_the_newest_checkpoint(tmp_path):
    assert launch.latest_step(tmp_path) == 0
    (tmp_path / "checkpoint").write_text(
        'model_checkpoint_path: "model.ckpt-40"\n'
        'all_model_checkpoint_paths: "model.ckpt-20"\n'
        'all_model_checkpoint_paths: "model.ckpt-40"\n'
    )
    assert launch.latest_step(tmp_path) == 40
