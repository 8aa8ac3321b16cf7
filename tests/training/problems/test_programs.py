"""Programs from completions and from files of samples."""

from __future__ import annotations

import pytest
from training.problems import small_problems as small

from code_t5 import errors
from code_t5.training.problems import problem_files, programs


@pytest.fixture
def problems(tmp_path):
    path = small.write_rows(tmp_path / "problems.jsonl", small.DOUBLE, small.AREA)
    return problem_files.read_problems(path)


def test_function_ends_before_the_next_line_at_the_left_edge(problems):
    written = "    y = [\n        x,\n]\n    return 2 * y[0]\n\n# again\ndef double(x):\n    pass\n"
    found = programs.cut_completion(problems["Small/0"], written)
    assert found == "    y = [\n        x,\n]\n    return 2 * y[0]\n\n"


def test_whole_program_ends_where_it_is_tried_out(problems):
    written = (
        "import math\n\ndef area(side):\n    assert side\n    return side\n\nassert area(3) == 9\n"
    )
    found = programs.cut_completion(problems["11"], written)
    assert found == "import math\n\ndef area(side):\n    assert side\n    return side\n\n"


def test_samples_are_completions_or_whole_programs(tmp_path, problems):
    path = small.write_rows(
        tmp_path / "samples.jsonl.gz",
        {"task_id": "Small/0", "completion": "    return x\n"},
        {"task_id": 11, "completion": "def area(side): return 1\n"},
        {"task_id": "Small/0", "solution": "double = 5"},
    )
    assert programs.read_samples(path, problems) == {
        "Small/0": [small.DOUBLE["prompt"] + "    return x\n", "double = 5"],
        "11": ["def area(side): return 1\n"],
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (small.samples_of("Small/0", "x"), "no sample of 1 problems, 11 first"),
        (small.samples_of("other", "x"), "line 1 is a sample of other"),
        ([{"task_id": "Small/0"}], "no field 'completion'"),
        ([{"task_id": "Small/0", "solution": None}], "a field 'solution' of type NoneType"),
    ],
)
def test_samples_that_do_not_fit_are_refused(tmp_path, problems, rows, message):
    path = small.write_rows(tmp_path / "samples.jsonl", *rows)
    with pytest.raises(errors.InputError, match=message):
        programs.read_samples(path, problems)
