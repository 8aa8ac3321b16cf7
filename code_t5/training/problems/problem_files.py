r"""Reads problem files in the formats of HumanEval and MBPP, from a local path.

A *problem* asks for Python code and has tests that say whether it is right. HumanEval (Chen et al.,
"Evaluating Large Language Models Trained on Code", 2021) gives the head of a function and a
`check(candidate)`; MBPP (Austin et al., "Program Synthesis with Large Language Models", 2021) a
sentence and a few asserts. Files hold a JSON object a line, or one JSON list; either may be
compressed (`.gz`). What is read is hostile: it is bounded, and never run here.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

from code_t5 import errors
from code_t5.storage import fingerprints
from code_t5.training.completing import json_rows

_MAX_PROBLEMS = 100_000
_MAX_ID_CHARACTERS = 200


@dataclasses.dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
      task_id: Its name, of its own in a file.
      prompt: What a model goes on from.
      entry_point: The function asked for; None where the tests alone name it.
      setup: Code that defines what the tests need beside it, run in turn before them.
      tests: Code that raises where the solution is wrong, run in turn.
      reference: A right program, whole; None where the file has none.
    """

    task_id: str
    prompt: str
    entry_point: str | None
    setup: tuple[str, ...]
    tests: tuple[str, ...]
    reference: str | None

    @property
    def is_whole_program(self) -> bool:
        """Whether a solution is a program of its own; otherwise it goes on from the prompt."""
        return self.entry_point is None

    @property
    def fingerprint(self) -> str:
        """Hash of everything in it."""
        return fingerprints.hash_json(dataclasses.asdict(self))


def read_objects(path: str | os.PathLike[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the objects of a file of JSON lines or of one JSON list, and where each stands.

    Args:
      path: The file; `.gz` if it ends so.

    Yields:
      `FILE, line 3` or `FILE, entry 3`, and the object.

    Raises:
      InputError: It cannot be read, is too large, or holds something else.
    """
    for where, row in json_rows.read_rows(path):
        if not isinstance(row, dict):
            raise errors.InputError(
                f"{where} is a {type(row).__name__}; wanted a JSON object; mend the file"
            )
        yield where, row


def _texts_field(row: Mapping[str, Any], name: str, *, where: str) -> tuple[str, ...]:
    """Returns a field that is a list of texts; none if it is missing.

    Raises:
      InputError: It is something else.
    """
    value = row.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise errors.InputError(
            f"{where} has a field {name!r} that is no list of texts; wanted one; mend the file"
        )
    return tuple(value)


def _human_eval(row: Mapping[str, Any], *, where: str) -> Problem:
    prompt = json_rows.text_field(row, name="prompt", where=where)
    entry_point = json_rows.text_field(row, name="entry_point", where=where)
    solution = row.get("canonical_solution")
    return Problem(
        task_id=_task_id(row, where=where),
        prompt=prompt,
        entry_point=entry_point,
        # What the prompt defines beside the function asked for is the problem's, not a program's.
        setup=(prompt,),
        tests=(json_rows.text_field(row, name="test", where=where), f"check({entry_point})"),
        reference=prompt + solution if isinstance(solution, str) else None,
    )


def _mbpp(row: Mapping[str, Any], *, where: str, with_challenges: bool) -> Problem:
    text = json_rows.text_field(row, name="text" if "text" in row else "prompt", where=where)
    tests = _texts_field(row, "test_list", where=where)
    setup = list(_texts_field(row, "test_imports", where=where))
    if isinstance(row.get("test_setup_code"), str):
        setup.append(row["test_setup_code"])
    hidden = _texts_field(row, "challenge_test_list", where=where) if with_challenges else ()
    # The docstring that models are asked with: the sentence, and what must hold.
    said = "\n".join([text.strip(), *tests]).replace("\\", "\\\\").replace('"""', '\\"""')
    code = row.get("code")
    return Problem(
        task_id=_task_id(row, where=where),
        prompt=f'"""\n{said}\n"""\n',
        entry_point=None,
        setup=tuple(setup),
        tests=(*tests, *hidden),
        reference=code if isinstance(code, str) else None,
    )


def _task_id(row: Mapping[str, Any], *, where: str) -> str:
    """Returns a problem's name.

    Raises:
      InputError: There is none, or it is too long.
    """
    value = row.get("task_id")
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise errors.InputError(f"{where} has no task_id; wanted a text or a number; mend the file")
    name = str(value)
    if not 0 < len(name) <= _MAX_ID_CHARACTERS:
        raise errors.InputError(
            f"{where} has a task_id of {len(name)} characters; wanted 1 to {_MAX_ID_CHARACTERS}; "
            "mend the file"
        )
    return name


def read_problems(
    path: str | os.PathLike[str], *, with_challenges: bool = False
) -> dict[str, Problem]:
    """Reads a file of problems.

    Args:
      path: In the format of HumanEval (`task_id`, `prompt`, `entry_point`, `test`) or of MBPP
        (`task_id`, `text` or `prompt`, `test_list`).
      with_challenges: Whether MBPP's `challenge_test_list` must hold too.

    Returns:
      Name -> problem, in the file's order.

    Raises:
      InputError: It is no such file, holds none, or one name twice.
    """
    found: dict[str, Problem] = {}
    for where, row in read_objects(path):
        if "entry_point" in row:
            problem = _human_eval(row, where=where)
        elif "test_list" in row:
            problem = _mbpp(row, where=where, with_challenges=with_challenges)
        else:
            raise errors.InputError(
                f"{where} has neither entry_point nor test_list; wanted a problem as HumanEval or "
                "MBPP writes it; mend the file"
            )
        if problem.task_id in found or not problem.tests or len(found) == _MAX_PROBLEMS:
            raise errors.InputError(
                f"{where}: problem {problem.task_id} stands there twice, has no tests, or is one "
                f"too many; wanted at most {_MAX_PROBLEMS} with names and tests; mend the file"
            )
        found[problem.task_id] = problem
    if not found:
        raise errors.InputError(f"{path} holds no problem; wanted one or more; name another file")
    return found
