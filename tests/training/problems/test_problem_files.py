"""Problem files: both formats, compressed or not, and what is not one."""

from __future__ import annotations

import gzip
import json

import pytest
from training.problems import small_problems as small

from code_t5 import errors
from code_t5.training.completing import json_rows
from code_t5.training.problems import problem_files


def test_human_eval_is_read(tmp_path):
    path = small.write_rows(tmp_path / "problems.jsonl", small.DOUBLE, small.FIRST)
    problems = problem_files.read_problems(path)
    assert list(problems) == ["Small/0", "Small/1"]
    problem = problems["Small/0"]
    assert problem.prompt == small.DOUBLE["prompt"]
    assert problem.tests == (small.DOUBLE["test"], "check(double)")
    assert problem.setup == (small.DOUBLE["prompt"],)
    assert problem.reference == small.DOUBLE["prompt"] + "    return 2 * x\n"
    assert not problem.is_whole_program


def test_mbpp_is_read_compressed_and_as_a_list(tmp_path):
    other = {
        **{"task_id": 2, "prompt": 'Say """x\\n""".', "test_list": ["assert x == 1"]},
        "test_imports": ["import math"],
    }
    compressed = small.write_rows(tmp_path / "problems.jsonl.gz", small.AREA, other)
    listed = tmp_path / "problems.json"
    listed.write_text(json.dumps([small.AREA, other], indent=2))
    found = problem_files.read_problems(compressed)
    assert found == problem_files.read_problems(listed)
    assert found["11"].prompt == (
        '"""\nWrite a function that gives the area of a square.\n'
        'assert area(3) == 9\nassert area(0) == 0\n"""\n'
    )
    assert found["11"].tests == ("assert area(3) == 9", "assert area(0) == 0")
    assert found["2"].setup == ("import math",)
    # The docstring says the sentence, whatever is in it.
    space = {}
    exec(f"said = {found['2'].prompt}", space)
    assert space["said"] == '\nSay """x\\n""".\nassert x == 1\n'


def test_challenge_tests_count_when_asked_for(tmp_path):
    path = small.write_rows(tmp_path / "problems.jsonl", small.AREA)
    problems = problem_files.read_problems(path, with_challenges=True)
    assert problems["11"].tests[-1] == "assert area(1.5) == 2.25"
    # They are not shown to a model.
    assert "1.5" not in problems["11"].prompt


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no problem"),
        ([{"task_id": "a"}], "line 1 has neither entry_point nor test_list"),
        ([small.DOUBLE, small.DOUBLE], "line 2: problem Small/0 stands there twice"),
        ([{**small.DOUBLE, "test": 5}], "line 1 has a field 'test' of type int"),
        ([{**small.DOUBLE, "task_id": None}], "line 1 has no task_id"),
        ([{**small.DOUBLE, "task_id": "x" * 300}], "task_id of 300 characters"),
        ([{**small.AREA, "test_list": "assert"}], "'test_list' that is no list of texts"),
        ([{**small.AREA, "test_list": []}], "has no tests"),
        (["text"], "line 1 is a str"),
    ],
)
def test_other_rows_are_refused_with_their_place(tmp_path, rows, message):
    path = small.write_rows(tmp_path / "problems.jsonl", *rows)
    with pytest.raises(errors.InputError, match=message) as caught:
        problem_files.read_problems(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"\xff\xfe", "cannot read .*utf-8"),
        ("a.jsonl", b"{\x1b", "line 1 is not JSON"),
        ("a.jsonl", b"[" * 100_000, "not JSON"),
        ("a.jsonl.gz", b"not compressed", "cannot read"),
        ("a.jsonl.gz", gzip.compress(b"{}" * 500, mtime=0)[:-9], "ended before the end"),
    ],
)
def test_other_files_are_refused(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(errors.InputError, match=message):
        problem_files.read_problems(path)


def test_missing_file_and_compressed_bomb_are_refused(tmp_path, monkeypatch):
    with pytest.raises(errors.InputError, match="No such file"):
        problem_files.read_problems(tmp_path / "none.jsonl")
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * (1 << 22)))
    monkeypatch.setattr(json_rows, "_MAX_FILE_BYTES", 1 << 20)
    with pytest.raises(errors.InputError, match="more than 1 MiB"):
        problem_files.read_problems(path)
