"""Small problem files in the formats of HumanEval and MBPP, written for the tests."""

from __future__ import annotations

import gzip
import json
import pathlib

DOUBLE = {
    "task_id": "Small/0",
    "prompt": 'def double(x):\n    """Returns twice x."""\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "test": (
        "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate('a') == 'aa'\n"
    ),
}
FIRST = {
    "task_id": "Small/1",
    "prompt": "def first(items):\n",
    "entry_point": "first",
    "canonical_solution": "    return items[0]\n",
    "test": "def check(candidate):\n    assert candidate([7, 8]) == 7\n",
}
AREA = {
    "task_id": 11,
    "text": "Write a function that gives the area of a square.",
    "code": "def area(side):\n    return side * side\n",
    "test_list": ["assert area(3) == 9", "assert area(0) == 0"],
    "test_setup_code": "",
    "challenge_test_list": ["assert area(1.5) == 2.25"],
}


def write_rows(path: pathlib.Path, *rows: object) -> pathlib.Path:
    """Writes JSON lines, compressed if the name ends with `.gz`."""
    data = "".join(json.dumps(row) + "\n" for row in rows).encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def samples_of(task_id: str, *completions: str) -> list[dict[str, str]]:
    """Returns rows of a file of samples."""
    return [{"task_id": task_id, "completion": text} for text in completions]
