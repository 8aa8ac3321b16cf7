"""`scripts/train.sh`: from a Task, a size and a mesh to the trainer's command, and what it says."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from code_t5 import errors
from code_t5.storage import prepared
from code_t5.training import launch, train_command

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What the trainer does, in a second: prints its arguments and some steps of its log.
STAND_IN = """
import os, pathlib, signal, sys, time
model_dir = pathlib.Path(sys.argv[1].partition("=")[2])
print("step, tf_loss[2.5][1]", flush=True)
{body}
"""


def plan(data_dir, **changes):
    request = {"task": "small_prefix_lm", "size": "dev", "mesh": "cpu_1", "data_dir": str(data_dir)}
    return train_command.plan(train_command.TrainRequest(**{**request, **changes}))


def words_of(text):
    """The words that a shell makes of a command."""
    command = ["bash", "-c", f"printf '%s\\0' {text}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def train_sh(*arguments, cwd=ROOT, **environment):
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable, **environment}
    for name in ("DATA_DIR", "MODEL_DIR"):
        if name not in environment:
            variables.pop(name, None)
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / "train.sh"), *arguments],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(
    ("size", "task", "gin_files"),
    [
        ("dev", "small", ("runs/dev_prefix_lm.gin",)),
        ("dev", "small_prefix_lm", ("runs/dev_prefix_lm.gin",)),
        ("dev", "small_span_corruption", ("runs/dev_span_corruption.gin",)),
        (
            *("dev", "small_infilling"),
            ("runs/dev_prefix_lm.gin", "objectives/code_infilling.gin"),
        ),
        (
            *("base", "small_prefix_lm"),
            ("models/shared-prefix_lm.gin", "models/shared_base.gin"),
        ),
        (
            *("large", "small_span_corruption"),
            (
                "models/shared-prefix_lm.gin",
                "models/shared_large.gin",
                "objectives/code_span_corruption.gin",
            ),
        ),
    ],
)
def test_gin_files_follow_from_size_and_the_tasks_name(small_data_dir, size, task, gin_files):
    found = plan(small_data_dir, size=size, task=task, mesh="cpu_2").config
    assert found.gin_files == (*gin_files, "meshes/cpu_2.gin")
    for name in found.gin_files:
        assert (ROOT / "gin_configs" / name).is_file()


def test_every_size_has_its_gin_file_and_meshes_are_those_that_are_there():
    for size in train_command.SIZES:
        assert (ROOT / "gin_configs" / "models" / f"shared_{size}.gin").is_file()
    meshes = train_command.list_meshes("gin_configs/")
    assert {"any_1", "cpu_1", "cpu_2", "gpu_1"} <= set(meshes)


def test_dev_size_keeps_its_short_rows_whatever_the_objective(small_data_dir):
    found = plan(small_data_dir, task="small_line_completion").config
    assert found.gin_params == (
        "utils.run.sequence_length = {'inputs': 128, 'targets': 64}",
        "run.train_steps = 300",
    )
    found = plan(small_data_dir, task="small_line_completion", size="small").config
    assert found.gin_params == ("run.train_steps = 10000",)


def test_plain_task_takes_the_objective_that_is_asked_for(small_data_dir):
    found = plan(small_data_dir, task="small", objective="span_corruption").config
    assert found.gin_files[0] == "runs/dev_span_corruption.gin"
    with pytest.raises(errors.InputError, match="whose objective is prefix_lm"):
        plan(small_data_dir, objective="infilling")


def test_directories_have_defaults_that_tell_task_and_size_apart(small_data_dir):
    found = plan(small_data_dir).config
    assert found.data_dir == small_data_dir
    assert found.model_dir == small_data_dir / "models" / "small_prefix_lm-dev"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "bass"}, "the size 'bass'; wanted one of dev, small, base, large; did you mean"),
        ({"mesh": "gpu_3"}, "the mesh 'gpu_3'; wanted one of any_1, cpu_1, .*; did you mean gpu_"),
        ({"mesh": "../runs/evaluate"}, "wanted one of any_1"),
        ({"task": "smal_prefix_lm"}, "no Task 'smal_prefix_lm'; did you mean small_prefix_lm"),
        (
            {"task": "x"},
            r"no Task 'x'; wanted a data set built under .* \(small\).*build_dev_dataset.sh",
        ),
        ({"objective": "prefix"}, "the objective 'prefix'; wanted one of prefix_lm"),
    ],
)
def test_unknown_name_is_told_with_those_that_are_known(small_data_dir, changes, message):
    with pytest.raises(errors.InputError, match=message) as caught:
        plan(small_data_dir, **changes)
    assert "\n" not in str(caught.value)


def test_published_set_that_is_not_built_says_what_builds_it(tmp_path):
    name = next(iter(prepared.PUBLISHED))
    with pytest.raises(errors.NotBuiltError, match="build it with"):
        plan(tmp_path, task=f"{name}_prefix_lm")


def test_what_gin_may_define_is_left_to_the_trainer(tmp_path):
    found = plan(tmp_path, task="fl_py_2019_mix_span_corruption")
    assert found.config.gin_files[0] == "runs/dev_span_corruption.gin"
    flags = ("--gin_param=mine/mixture.members = ['a', 'b']",)
    found = plan(tmp_path, task="mine", more_flags=flags)
    assert launch.trainer_command(found.config)[-1] == flags[0]


@pytest.mark.parametrize(
    ("flags", "num_steps"),
    [
        ((), 300),
        (("--gin_param=run.train_steps = 7",), 7),
        (("--gin_param", "utils.run.train_steps=1_000"), 1000),
        (("--gin_param=run.train_steps = %mine",), None),
        (("--gin_param=run.train_steps = 7", "--gin_param=run.keep_checkpoint_max = 8"), 7),
    ],
)
def test_bar_counts_to_the_step_that_the_last_flag_says(small_data_dir, flags, num_steps):
    assert plan(small_data_dir, more_flags=flags).num_steps == num_steps


def test_printed_command_is_the_trainers_and_a_shell_reads_it(small_data_dir, tmp_path):
    done = train_sh(
        *("small_span_corruption", "small", "gpu_2", "--dry-run", "--train-steps", "50"),
        *("--", "--gin_param=d_ff = 64", "--gin_file=runs/resumable.gin"),
        DATA_DIR=str(small_data_dir),
        MODEL_DIR=str(tmp_path / "my model"),
    )
    assert done.returncode == 0, done.stderr
    words = words_of(done.stdout)
    assert words[1:] == [
        *("-m", "t5.models.mesh_transformer_main", f"--model_dir={tmp_path}/my model"),
        *(f"--t5_tfds_data_dir={small_data_dir}", "--module_import=code_t5"),
        *("--gin_location_prefix=gin_configs/", "--gin_file=models/shared-prefix_lm.gin"),
        *("--gin_file=models/shared_small.gin", "--gin_file=objectives/code_span_corruption.gin"),
        *("--gin_file=meshes/gpu_2.gin", "--gin_param=MIXTURE_NAME = 'small_span_corruption'"),
        *("--gin_param=run.train_steps = 50", "--gin_param=d_ff = 64"),
        "--gin_file=runs/resumable.gin",
    ]
    assert not (tmp_path / "my model").exists()


def test_examples_that_the_program_and_the_page_give_name_flags_that_do(small_data_dir, tmp_path):
    for place in ("scripts/train.sh", "docs/training.md"):
        text = (ROOT / place).read_text(encoding="utf-8")
        examples = re.findall(r"^(?:#   )?scripts/train\.sh (dev_\w+ .*)", text, re.MULTILINE)
        assert len(examples) == 2
        for example in examples:
            words = shlex.split(example.replace("dev_python", "small"))
            done = train_sh(
                *words[:3],
                "--dry_run",
                *words[3:],
                DATA_DIR=str(small_data_dir),
                MODEL_DIR=str(tmp_path),
            )
            # Directories of the page are not those of this test.
            if "--data_dir" not in example:
                assert done.returncode == 0, done.stderr
            # Needs a cache, which neither of the pages' lines makes.
            assert "resumable.gin" not in example, place


def test_flags_win_over_the_environment_and_another_folder_finds_the_gin_files(
    small_data_dir, tmp_path
):
    done = train_sh(
        *("small", "dev", "cpu_1", "--dry-run", f"--data-dir={small_data_dir}"),
        *("--model_dir", "here"),
        cwd=tmp_path,
        DATA_DIR="/nowhere",
        MODEL_DIR="/nowhere",
    )
    assert done.returncode == 0, done.stderr
    words = words_of(done.stdout)
    assert "--model_dir=here" in words and f"--t5_tfds_data_dir={small_data_dir}" in words
    assert f"--gin_location_prefix={ROOT}/gin_configs/" in words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "found 0 words"),
        (("small", "dev", "--", "cpu_1"), "found 2 words 'small dev'; wanted TASK SIZE MESH"),
        (("small", "dev", "cpu_1", "extra", "--", "--gin_param=a = 1"), "found 4 words"),
        (("small", "dev"), "found 2 words 'small dev'; wanted TASK SIZE MESH"),
        (("small", "dev", "cpu_1", "300"), "found 4 words"),
        (("small", "huge", "cpu_1"), "found the size 'huge'"),
        (("sm\x1b[31mall", "dev", "cpu_1"), "no Task 'sm"),
    ],
)
def test_program_refuses_in_one_line(small_data_dir, arguments, message):
    done = train_sh(f"--data_dir={small_data_dir}", *arguments)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: ") and message in done.stderr
    assert done.stderr.count("\n") == 1 and "\x1b" not in done.stderr


def test_missing_interpreter_is_one_line(small_data_dir):
    done = train_sh("small", "dev", "cpu_1", PYTHON="/nowhere/python")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: found no interpreter /nowhere/python; wanted Python")


def test_program_that_shows_help_loads_nothing_heavy():
    program = (
        "import sys, runpy; sys.argv = ['train.py', '--help']\n"
        "try:\n    runpy.run_path('scripts/train.py', run_name='__main__')\n"
        "finally:\n    print([n for n in ('tensorflow', 'torch', 'seqio') if n in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "TASK SIZE MESH" in done.stdout
    assert "default: dev 300, small 10,000, base 10,000, large 10,000" in " ".join(
        done.stdout.split()
    )
    assert done.stdout.splitlines()[-1] == "[]"


RUN = """
import runpy, sys
from code_t5.training import launch
def stand_in(config):
    return [sys.executable, "-c", {source!r}, f"--model_dir={{config.model_dir}}"]
launch.trainer_command = stand_in
sys.argv = ["scripts/train.py"] + sys.argv[1:]
runpy.run_path("scripts/train.py", run_name="__main__")
"""


def start_program(small_data_dir, model_dir, *, body):
    source = RUN.format(source=STAND_IN.format(body=body))
    arguments = ["small", "dev", "cpu_1", f"--data_dir={small_data_dir}"]
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments, f"--model_dir={model_dir}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# What a saver leaves of step {0}: all its files by name, and the state file.
WRITE_STATE = (
    "(model_dir / 'checkpoint').write_text('model_checkpoint_path: \"model.ckpt-{0}\"'), "
    "[(model_dir / ('model.ckpt-{0}' + e)).touch() for e in ('.index', '.data-00000-of-00001')]"
)


def test_finished_training_names_its_steps_and_its_log(small_data_dir, tmp_path):
    body = WRITE_STATE.format(300)
    program = start_program(small_data_dir, tmp_path, body=body)
    printed, said = program.communicate(timeout=60)
    assert program.returncode == 0, said
    last = f"{tmp_path} is trained for 300 steps; the log: {tmp_path}/logs/train-1.log"
    assert printed.splitlines()[-1] == last
    # There is nothing more to do.
    program = start_program(small_data_dir, tmp_path, body="sys.exit(9)")
    printed, said = program.communicate(timeout=60)
    assert (program.returncode, said) == (0, "")
    assert printed.splitlines()[-1] == f"{tmp_path} is trained for 300 steps already"
    # Of a checkpoint whose numbers are gone the trainer says what can be done.
    (tmp_path / "model.ckpt-300.data-00000-of-00001").unlink()
    program = start_program(small_data_dir, tmp_path, body="sys.exit('error: none is whole')")
    printed, said = program.communicate(timeout=60)
    assert program.returncode == 1 and "none is whole" in said


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("sys.exit('error: found no room; wanted some; free it')", 1, "found no room; wanted some"),
        ("sys.exit(7)", 7, "ended with status 7"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "was killed by SIGKILL, perhaps for want of"),
    ],
)
def test_status_of_the_trainer_is_passed_on_with_its_words_and_log(
    small_data_dir, tmp_path, body, status, message
):
    program = start_program(small_data_dir, tmp_path, body=body)
    _, said = program.communicate(timeout=60)
    assert program.returncode == status
    line = said.splitlines()[-1]
    assert line.startswith("error: the trainer ") and message in line
    assert line.endswith(f"its whole log is {tmp_path}/logs/train-1.log")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupt_ends_the_trainer_and_says_how_to_go_on(small_data_dir, tmp_path, name):
    import signal

    # Saves when it is told to stop, as the trainer does.
    body = (
        f"def save(*_):\n    {WRITE_STATE.format(42)}\n    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "(model_dir / 'ready').write_text('')\n"
        "time.sleep(100)"
    )
    program = start_program(small_data_dir, tmp_path, body=body)
    while not (tmp_path / "ready").exists():
        assert program.poll() is None
    program.send_signal(getattr(signal, name))
    _, said = program.communicate(timeout=60)
    assert program.returncode == 130
    assert said.splitlines()[-1] == (
        f"interrupted: stopped at step 42, which is saved in {tmp_path}; the same command goes on; "
        f"the log: {tmp_path}/logs/train-1.log"
    )
