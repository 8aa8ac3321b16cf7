"""The process that runs a problem's tests and asks the solution's process for values.

The tests run here and the generated program elsewhere, so what a program does to its own process
(ending it, printing, replacing `==` or builtins) decides nothing: only the values that it answers
with are compared, and only this process holds the pipe on which a result is told. Where a test
wants what does not cross between processes, nothing is judged, whatever the test makes of it.

A name that the tests use is looked up, in this order, among Python's builtins and what the problem
itself defines, among modules of the standard library, and in the program.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import json
import os
import sys
import traceback
import types
from typing import Any, NoReturn

from code_t5.training.problems import solution_line
from code_t5.training.problems.solution_line import SolutionLine

PASSED, FAILED, ERROR, UNJUDGED = "passed", "failed", "error", "unjudged"
# Modules that tests use without importing them; looked up in the program they would be its own.
_MODULES = {
    **{
        name: name
        for name in (
            *("bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions"),
            *("functools", "heapq", "itertools", "json", "math", "operator", "random", "re"),
            *("statistics", "string", "sys", "typing", "numpy"),
        )
    },
    "np": "numpy",
}
_MAX_DETAIL = 300
_TESTS_NAME = "<tests>#"
# What Python says where a class is wanted and an object of the solution's stands for it.
_NO_CLASS = (
    "that do not inherit from BaseException",
    "derive from BaseException",
    "SolutionObject",
)


def run(payload: dict[str, Any], *, questions: int, answers: int, result: int) -> NoReturn:
    """Runs the tests and tells the result.

    Args:
      payload: `setup`: code that defines what the tests need; `tests`: code, run in turn;
        `entry_point`: the function asked for, or None.
      questions: Where questions to the solution go.
      answers: Where its answers come from.
      result: Where the result goes.
    """
    outcome = _judge(payload, SolutionLine(questions, answers))
    sys.stdout.flush()
    os.write(result, json.dumps(outcome).encode("ascii"))
    os._exit(0)


def _judge(payload: dict[str, Any], line: SolutionLine) -> dict[str, str]:
    """Returns the outcome and what there is to say of it."""
    steps = ["the program"]
    found: BaseException | None = None
    try:
        line.answer()
        steps.append("the problem's setup")
        space = _name_space(payload, line)
        steps.append("the tests")
        for number, test in enumerate(payload["tests"]):
            exec(compile(test, f"{_TESTS_NAME}{number}", "exec"), space)
    except BaseException as error:  # noqa: BLE001 - whatever the tests raise, they did not pass
        found = error
    outcome, detail = _outcome(found, line, step=steps[-1], payload=payload)
    return {"outcome": outcome, "detail": detail[:_MAX_DETAIL]}


def _outcome(
    found: BaseException | None, line: SolutionLine, *, step: str, payload: dict[str, Any]
) -> tuple[str, str]:
    """Returns the outcome by what the tests raised and by what they swallowed."""
    if isinstance(line.spoiled, solution_line.SolutionGoneError):
        return FAILED, f"the program ended itself during {step}"
    if line.spoiled is not None:
        return UNJUDGED, _text_of(line.spoiled)
    if found is None:
        return PASSED, ""
    where = "" if step == "the tests" else f"{step}: "
    if found is line.raised:
        return ERROR, f"{where}{line.raised_text}"
    said = f"{type(found).__name__}: {_text_of(found)}"
    if line.has_lost:
        return UNJUDGED, f"an object came as what it holds, without its class; then {said}"
    if isinstance(found, TypeError) and any(words in said for words in _NO_CLASS):
        return UNJUDGED, f"the tests want a class of the program's; {said}"
    if isinstance(found, AssertionError):
        return FAILED, _detail(found, payload)
    return ERROR, f"{where}{said}"


def _text_of(error: BaseException) -> str:
    """Returns what an error says, in one line; some cannot say it."""
    try:
        return " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a number of too many digits, or a class of the tests'
        return ""


def _name_space(payload: dict[str, Any], line: SolutionLine) -> dict[str, Any]:
    """Runs the setup and returns the names that the tests see.

    Raises:
      NameError: The program does not define the function that is asked for.
    """
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    space = module.__dict__
    setup = [_parse(code) for code in payload["setup"]]
    trees = [*setup, *(ast.parse(code) for code in payload["tests"])]
    for name in sorted(_free_names(trees)):
        if name in _MODULES and name not in _called_names(trees):
            with contextlib.suppress(ImportError):
                space[name] = importlib.import_module(_MODULES[name])
        else:
            # Whoever asks for a name that is nowhere gets Python's own error.
            with contextlib.suppress(AttributeError):
                space[name] = line.ask("name", name=name)
    for tree in setup:
        exec(compile(tree, "<setup>", "exec"), space)
    entry_point = payload["entry_point"]
    if entry_point is not None:
        try:
            space[entry_point] = line.ask("name", name=entry_point)
        except AttributeError:
            raise NameError(f"the program does not define {entry_point!r}") from None
    return space


def _parse(code: str) -> ast.Module:
    """Returns the tree of a problem's setup, which may end with the head of a function."""
    try:
        return ast.parse(code)
    except SyntaxError:
        return ast.parse(f"{code}\n    pass\n")


def _free_names(trees: list[ast.Module]) -> set[str]:
    """Returns the names that some code uses and neither it nor Python defines."""
    used: set[str] = set()
    defined = set(dir(builtins))
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
            elif isinstance(node, ast.arg):
                defined.add(node.arg)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                defined.add(node.name)
            elif isinstance(node, ast.alias):
                defined.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.ExceptHandler) and node.name:
                defined.add(node.name)
    return used - defined


def _called_names(trees: list[ast.Module]) -> set[str]:
    return {
        node.func.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def _detail(error: BaseException, payload: dict[str, Any]) -> str:
    """Returns which line of the tests did not hold."""
    text = _text_of(error)
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_code.co_filename
        if name.startswith(_TESTS_NAME):
            lines = payload["tests"][int(name[len(_TESTS_NAME) :])].splitlines()
            code = lines[number - 1].strip() if number <= len(lines) else ""
            return f"{code}{': ' if text else ''}{text}"[:_MAX_DETAIL]
    return f"{type(error).__name__}: {text}"[:_MAX_DETAIL]
