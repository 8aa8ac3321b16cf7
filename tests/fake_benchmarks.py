"""Small benchmarks in the shape of HumanEval and of MBPP, with problems of our own.

Every problem is made from its number, so that any two differ in their words; the same number gives
the same text in every run.
"""

from __future__ import annotations

import gzip
import json
import pathlib
from typing import Any

_THINGS = ("apples", "bridges", "candles", "drums", "engines", "feathers", "gardens", "harbours")
_DEEDS = ("weigh", "sort", "paint", "count", "merge", "trade", "stack", "label")


def problem(number: int) -> dict[str, str]:
    """Returns the parts of one problem: name, docstring, signature, body, statement, test.

    Args:
      number: Any; decides on every word.
    """
    thing, deed = _THINGS[number % 8], _DEEDS[number // 8 % 8]
    name = f"{deed}_{thing}_{number}"
    docstring = (
        f"Given how many {thing} stand in each yard, {deed} those of every yard whose number\n"
        f"    leaves {number} when divided by {number + 7}, and say what they come to."
    )
    body = (
        f"    total_{thing} = {number}\n"
        f"    for yard, amount in enumerate(yards_of_{thing}):\n"
        f"        if yard % {number + 7} == {number}:\n"
        f"            total_{thing} += amount * {number + 3}\n"
        f"    return total_{thing}\n"
    )
    return {
        "name": name,
        "docstring": docstring,
        "signature": f"def {name}(yards_of_{thing}):\n",
        "body": body,
        "statement": f"Write a function {name} to {deed} the {thing} of all yards in the town, "
        f"leaving out the first {number} of them.",
        "test": f"assert {name}([{number}, 2, 3, 5, 8, 13, 21]) == {number * 17} + {number}",
    }


def human_eval_entry(number: int) -> dict[str, Any]:
    """Returns an entry with `prompt` (its docstring inside), `canonical_solution` and `test`.

    Args:
      number: Of the problem.
    """
    parts = problem(number)
    return {
        "task_id": f"Own/{number}",
        "prompt": f'{parts["signature"]}    """{parts["docstring"]}\n    """\n',
        "entry_point": parts["name"],
        "canonical_solution": parts["body"],
        "test": f"def check(candidate):\n    {parts['test']}\n",
    }


def mbpp_entry(number: int) -> dict[str, Any]:
    """Returns an entry with `text`, `code` and `test_list`.

    Args:
      number: Of the problem.
    """
    parts = problem(number)
    return {
        "text": parts["statement"],
        "code": (parts["signature"] + parts["body"]).replace("\n", "\r\n"),
        "task_id": number,
        "test_setup_code": "",
        "test_list": [parts["test"]],
        "challenge_test_list": [],
    }


def write_jsonl(path: pathlib.Path, entries: list[Any]) -> str:
    """Writes JSON Lines, compressed if the name ends in `.gz`.

    Args:
      path: Where.
      entries: One line each.

    Returns:
      The path as text.
    """
    data = "".join(json.dumps(entry) + "\n" for entry in entries).encode("utf-8")
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return str(path)
