"""Says whether a program solves a problem, by running both behind the fence.

The program and the tests run in two processes (`solution_side`, `judge_side`), each behind a fence
of its own, so nothing that the program does can make the result say `passed` but right answers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Mapping
from typing import Any

from code_t5 import visible_text
from code_t5.training.problems import fence, judge_side
from code_t5.training.problems.fence import FenceLimits, Part
from code_t5.training.problems.problem_files import Problem

PASSED, UNJUDGED = judge_side.PASSED, judge_side.UNJUDGED
OUTCOMES = (
    *(judge_side.PASSED, judge_side.FAILED, judge_side.ERROR, judge_side.UNJUDGED),
    *(fence.TIMED_OUT, fence.TOO_MUCH_MEMORY, fence.TOO_MUCH_OUTPUT, fence.TOO_MUCH_DISK),
)
_MAX_RESULT_BYTES = 1 << 14
_MAX_DETAIL = 300


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of one program.

    Attributes:
      outcome: One of `OUTCOMES`; `unjudged` where the tests want something of the program that does
        not cross between processes.
      detail: What there is to say of it, in one line; what the program says is made visible.
      seconds: How long it took, the fence included.
      holds: What each layer of the fence stood on.
    """

    outcome: str
    detail: str
    seconds: float
    holds: Mapping[str, str]


class _Result:
    """The judge's end of the result pipe, read as it comes."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self._data = descriptor, b""
        os.set_blocking(descriptor, False)

    def is_done(self) -> bool:
        """Says whether the judge has said all that it will."""
        with contextlib.suppress(BlockingIOError):
            while len(self._data) <= _MAX_RESULT_BYTES:
                part = os.read(self.descriptor, _MAX_RESULT_BYTES)
                if not part:
                    return True
                self._data += part
            return True
        return False

    def read(self) -> dict[str, Any]:
        """Returns the judge's result, {} if it gave none."""
        self.is_done()
        try:
            value = json.loads(self._data)
        except (ValueError, RecursionError):
            return {}
        is_whole = isinstance(value, dict) and value.get("outcome") in OUTCOMES
        return value if is_whole else {}


def judge_program(problem: Problem, *, program: str, limits: FenceLimits) -> Verdict:
    """Runs a program and a problem's tests, and says what came of it.

    Args:
      problem: The problem.
      program: Python code; anything.
      limits: What each of the two processes may take.

    Raises:
      FenceError: The fence does not stand here; nothing has run.
    """
    started = time.monotonic()
    question_end, question_start = os.pipe()
    answer_end, answer_start = os.pipe()
    result_end, result_start = os.pipe()
    tests = {
        "setup": list(problem.setup),
        "tests": list(problem.tests),
        "entry_point": problem.entry_point,
    }
    result = _Result(result_end)
    try:
        ended = fence.run_together(
            [
                Part(
                    "judge",
                    tests,
                    {"questions": question_start, "answers": answer_end, "result": result_start},
                ),
                Part(
                    "solution",
                    {"code": program},
                    {"questions": question_end, "answers": answer_start},
                ),
            ],
            limits=limits,
            is_done_fn=result.is_done,
            watched=[result_end],
        )
        found = result.read()
    finally:
        os.close(result_end)
    outcome, detail = _outcome(found, ended)
    seconds = round(time.monotonic() - started, 3)
    return Verdict(outcome, visible_text.one_line(detail)[:_MAX_DETAIL], seconds, ended[1].holds)


def _outcome(found: Mapping[str, Any], ended: list[fence.Ended]) -> tuple[str, str]:
    if found:
        return str(found["outcome"]), str(found.get("detail", ""))
    for name, one in (("the program", ended[1]), ("the tests", ended[0])):
        if one.reason != fence.EXITED:
            return one.reason, f"{name} ran into it"
    return judge_side.ERROR, f"the tests' process ended with status {ended[0].status}"
