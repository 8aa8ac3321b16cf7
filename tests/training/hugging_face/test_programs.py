"""The programs `scripts/export.py` and `scripts/import_hugging_face.py`, there and back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from training.conftest import ROOT

from code_t5.training.hugging_face import open_export


def _run(program, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, f"scripts/{program}.py", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_model_is_exported_and_imported_by_programs(trained_small, tmp_path):
    exported = _run(
        "export",
        *(trained_small.model_dir, "--format=hugging_face", "--step=10"),
        *("--output-dir", tmp_path / "export", "--data-dir", trained_small.data_dir),
    )
    assert (exported.returncode, exported.stdout) == (0, f"{tmp_path / 'export'}\n")
    assert open_export(tmp_path / "export").step == 10
    imported = _run(
        "import_hugging_face",
        *(tmp_path / "export", "--model-dir", tmp_path / "model"),
        *("--task", trained_small.task, "--data-dir", trained_small.data_dir),
    )
    assert imported.returncode == 0, imported.stderr
    assert f'--gin_file="{tmp_path / "model" / "hugging_face.gin"}"' in imported.stdout
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
