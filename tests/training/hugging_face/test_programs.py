"""The programs `scripts/export.py` and `scripts/import_hugging_face.py`, there and back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
from training.conftest import ROOT

from code_t5.training.hugging_face import open_export, opening


def _run(program, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.run(
        [sys.executable, f"scripts/{program}.py", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.slow
def test_model_is_exported_by_the_program(trained_small, tmp_path):
    found = _run(
        "export",
        *(trained_small.model_dir, "--format=hugging_face", "--step=10"),
        *("--output-dir", tmp_path / "export", "--data-dir", trained_small.data_dir),
    )
    assert (found.returncode, found.stdout) == (0, f"{tmp_path / 'export'}\n")
    assert open_export(tmp_path / "export").step == 10


def test_imported_model_comes_with_the_command_that_trains_it(small_hugging_face, tmp_path):
    found = _run(
        "import_hugging_face",
        *(opening.default_dir(small_hugging_face.model_dir, 20), "--model-dir", tmp_path / "model"),
        *("--task", small_hugging_face.task, "--data-dir", small_hugging_face.data_dir),
    )
    # Nothing but what is ours is said, TensorFlow's start neither.
    assert (found.returncode, found.stderr) == (0, "")
    first, _, command = found.stdout.partition("\n")
    assert first == f"{tmp_path / 'model'} is a model at step 0; train it with"
    words = shlex.split(command.replace("\\\n", " "))
    assert words[1:3] == ["-m", "t5.models.mesh_transformer_main"]
    assert words[3:] == [
        f"--model_dir={tmp_path / 'model'}",
        f"--t5_tfds_data_dir={small_hugging_face.data_dir}",
        "--module_import=code_t5",
        "--gin_location_prefix=gin_configs/",
        "--gin_file=models/shared-prefix_lm.gin",
        f"--gin_file={tmp_path / 'model' / 'hugging_face.gin'}",
        "--gin_param=MIXTURE_NAME = 'small_prefix_lm'",
        "--gin_param=run.train_steps = 10000",
    ]
    assert (tmp_path / "model" / "model.ckpt-0.index").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "--format=hugging_face"), "found 0 model directories"),
        (("export", "gone", "--format=hugging_face"), "newest checkpoint"),
        (("export", "gone", "--format=hugging_face", "--top-k=3"), "found --top_k, which is of a"),
        (("export", "gone", "--format=hugging_face", "--stop_at_newline"), "--stop_at_newline"),
        (("import_hugging_face", "a", "b", "--model_dir=c"), "found 2 directories"),
        (("import_hugging_face", "gone", "--model_dir=c"), "found no directory gone"),
    ],
)
def test_wrong_calls_end_in_one_line(arguments, message):
    found = _run(*arguments)
    assert found.returncode == 1
    lines = found.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and message in lines[0]


def test_flags_of_a_saved_model_reach_its_export(tmp_path):
    found = _run("export", tmp_path, "--format=saved_model", "--name=../x")
    assert found.returncode == 1
    assert "../x" in found.stderr and "Traceback" not in found.stderr
