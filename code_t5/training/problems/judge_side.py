"""The process that runs a problem's tests and asks the solution's process for values.

The tests run here and the generated program elsewhere, so what a program does to its own process
(ending it, printing, replacing `==` or builtins) decides nothing: only the values that it answers
with are compared, and only this process holds the pipe on which a result is told.

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
from collections.abc import Iterator
from typing import Any, NoReturn

from code_t5.training.problems import wire

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


class _SolutionGoneError(BaseException):
    """The solution's process has ended; not an Exception, so that no test catches it."""


class _UnjudgedError(BaseException):
    """A test wants something of the solution that does not cross between processes."""


class _Line:
    """The line to the solution's process."""

    def __init__(self, questions: int, answers: int) -> None:
        self._questions, self._answers = questions, answers

    def ask(self, **question: Any) -> Any:
        """Asks the solution's process for something.

        Raises:
          Exception: The solution raised one like it.
          _SolutionGoneError: There is nobody there.
          _UnjudgedError: The answer does not cross.
        """
        try:
            wire.write_frame(self._questions, question)
        except BrokenPipeError:
            raise _SolutionGoneError from None
        return self.answer()

    def answer(self) -> Any:
        """Returns what the solution's process says next.

        Raises:
          Exception: The solution raised one like it.
          _SolutionGoneError: There is nobody there.
          _UnjudgedError: The answer does not cross, or is none.
        """
        try:
            reply = wire.read_frame(self._answers)
            if not isinstance(reply, dict):
                raise wire.WireError("an answer that is none")
            if "error" not in reply and "unsendable" not in reply:
                return wire.decode_value(reply.get("value"), object_of=self.object_of)
        except EOFError:
            raise _SolutionGoneError from None
        except wire.WireError as error:
            raise _UnjudgedError(str(error)) from None
        if "unsendable" in reply:
            raise _UnjudgedError(str(reply["unsendable"])[:_MAX_DETAIL])
        raise wire.rebuild_error(reply["error"])

    def encode(self, value: Any) -> Any:
        """Returns a value as JSON.

        Raises:
          _UnjudgedError: It does not cross.
        """

        def handle_of(one: Any) -> int:
            if isinstance(one, SolutionObject):
                return object.__getattribute__(one, "_handle")
            raise _UnjudgedError(f"a {type(one).__name__} cannot be given to the solution")

        try:
            return wire.encode_value(value, handle_of=handle_of)
        except wire.UnsendableError as error:
            raise _UnjudgedError(str(error)) from None

    def object_of(self, handle: int) -> SolutionObject:
        """Returns what stands here for an object of the solution's process."""
        return SolutionObject(self, handle)


class SolutionObject:
    """Stands for an object of the solution's process: it can be asked, but not compared.

    A test that compares one, or takes it for true or false, is not judged: what the object there
    says of itself proves nothing.
    """

    __slots__ = ("_handle", "_line")

    def __init__(self, line: _Line, handle: int) -> None:
        object.__setattr__(self, "_line", line)
        object.__setattr__(self, "_handle", handle)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Calls it there, with values or with other objects of that process."""
        return self._line.ask(
            operation="call",
            handle=self._handle,
            arguments=[self._line.encode(one) for one in arguments],
            named={name: self._line.encode(one) for name, one in named.items()},
        )

    def __getattr__(self, name: str) -> Any:
        return self._line.ask(operation="get", handle=self._handle, name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        encoded = self._line.encode(value)
        self._line.ask(operation="set", handle=self._handle, name=name, value=encoded)

    def __getitem__(self, key: Any) -> Any:
        return self._line.ask(operation="item", handle=self._handle, key=self._line.encode(key))

    def __len__(self) -> int:
        return int(self._line.ask(operation="length", handle=self._handle))

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._line.ask(operation="items", handle=self._handle)))

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        raise _UnjudgedError("the solution's answer is an object that cannot be compared")

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise _UnjudgedError("the solution's answer is an object that is neither true nor false")


def run(payload: dict[str, Any], *, questions: int, answers: int, result: int) -> NoReturn:
    """Runs the tests and tells the result.

    Args:
      payload: `setup`: code that defines what the tests need; `tests`: code, run in turn;
        `entry_point`: the function asked for, or None.
      questions: Where questions to the solution go.
      answers: Where its answers come from.
      result: Where the result goes.
    """
    outcome = _judge(payload, _Line(questions, answers))
    sys.stdout.flush()
    os.write(result, json.dumps(outcome).encode("ascii"))
    os._exit(0)


def _judge(payload: dict[str, Any], line: _Line) -> dict[str, str]:
    """Returns the outcome and what there is to say of it."""
    step = "the program"
    try:
        line.answer()
        step = "the problem's setup"
        space = _name_space(payload, line)
        step = "the tests"
        for number, test in enumerate(payload["tests"]):
            exec(compile(test, f"{_TESTS_NAME}{number}", "exec"), space)
    except _SolutionGoneError:
        return {"outcome": FAILED, "detail": f"the program ended itself during {step}"}
    except _UnjudgedError as error:
        return {"outcome": UNJUDGED, "detail": str(error)[:_MAX_DETAIL]}
    except AssertionError as error:
        return {"outcome": FAILED, "detail": _detail(error, payload)}
    except BaseException as error:  # noqa: BLE001 - whatever the tests raise, they did not pass
        name, text = wire.describe_error(error)
        where = "" if step == "the tests" else f"{step}: "
        return {"outcome": ERROR, "detail": f"{where}{name}: {text}"[:_MAX_DETAIL]}
    return {"outcome": PASSED, "detail": ""}


def _name_space(payload: dict[str, Any], line: _Line) -> dict[str, Any]:
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
                space[name] = line.ask(operation="name", name=name)
    for tree in setup:
        exec(compile(tree, "<setup>", "exec"), space)
    entry_point = payload["entry_point"]
    if entry_point is not None:
        try:
            space[entry_point] = line.ask(operation="name", name=entry_point)
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
    text = " ".join(str(error).split())
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_code.co_filename
        if name.startswith(_TESTS_NAME):
            lines = payload["tests"][int(name[len(_TESTS_NAME) :])].splitlines()
            code = lines[number - 1].strip() if number <= len(lines) else ""
            return f"{code}{': ' if text else ''}{text}"[:_MAX_DETAIL]
    return f"{type(error).__name__}: {text}"[:_MAX_DETAIL]
