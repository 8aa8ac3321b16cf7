r"""Whole programs from what a model writes, and from files of samples.

A *sample* is one try at a problem. In a file it is a JSON object with the `task_id` and either a
`completion`, which goes on from the problem's prompt, or a `solution`, a whole program.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from code_t5 import errors
from code_t5.training.completing import json_rows
from code_t5.training.problems import problem_files
from code_t5.training.problems.problem_files import Problem

# A line that no body of a function can hold: at the left edge, and closing no bracket.
_TOP_LEVEL = re.compile(r"^[^\s)\]}]", re.MULTILINE)
# Where a whole program goes over into trying it out.
_TRYING_OUT = re.compile(r'^(?:assert\b|print\(|"""|if __name__\b)', re.MULTILINE)


def cut_completion(problem: Problem, completion: str) -> str:
    r"""Returns what of a model's output belongs to a problem's solution.

    Args:
      problem: The problem.
      completion: What the model wrote after the prompt.

    >>> problem = Problem("a", "def f():\n", "f", (), ("check(f)",), None)
    >>> cut_completion(problem, "    return 1\n\ndef g():\n")
    '    return 1\n\n'
    """
    if problem.is_whole_program:
        end = _TRYING_OUT.search(completion)
    else:
        # The first line may go on with the prompt's last.
        start = 0 if problem.prompt.endswith("\n") else completion.find("\n") + 1
        end = _TOP_LEVEL.search(completion, start)
    return completion if end is None else completion[: end.start()]


def whole_program(problem: Problem, completion: str) -> str:
    """Returns the program that a completion makes of a problem's prompt."""
    return completion if problem.is_whole_program else problem.prompt + completion


def read_samples(
    path: str | os.PathLike[str], problems: Mapping[str, Problem]
) -> dict[str, list[str]]:
    """Reads a file of samples.

    Args:
      path: JSON lines, which may be compressed (`.gz`).
      problems: The problems by name.

    Returns:
      Name of each problem -> its programs, in the file's order.

    Raises:
      InputError: It is no such file, names a problem that is not there, or lacks one that is.
    """
    found: dict[str, list[str]] = {name: [] for name in problems}
    for where, row in problem_files.read_objects(path):
        name = str(row.get("task_id"))
        if name not in found:
            raise errors.InputError(
                f"{where} is a sample of {name[:100]}, which is none of the problems (there: "
                f"{len(problems)}); wanted samples of these; name the file of problems that they "
                "are of"
            )
        if "solution" in row:
            program = json_rows.text_field(row, name="solution", where=where)
        else:
            completion = json_rows.text_field(row, name="completion", where=where)
            program = whole_program(problems[name], completion)
        found[name].append(program)
    missing = [name for name, programs in found.items() if not programs]
    if missing:
        raise errors.InputError(
            f"{path} has no sample of {len(missing)} of the {len(found)} problems, {missing[0]} "
            "first; wanted one or more of each; add them, or take these out of the file of problems"
        )
    return found
