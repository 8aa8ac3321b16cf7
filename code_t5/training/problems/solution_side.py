"""The process that runs a generated program and answers what the judge asks of it.

Everything here may be taken over by the program: it can answer anything, but only with values
(`wire`), and it reaches nothing of the judge's but the end of a pipe.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from typing import Any, NoReturn

from code_t5.training.problems import wire

_EXIT_DONE = 0


def run(payload: dict[str, Any], *, questions: int, answers: int) -> NoReturn:
    """Runs the program's code, then answers until nobody asks.

    Args:
      payload: `code`: the program.
      questions: Where the judge's questions come from.
      answers: Where the answers go.
    """
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    try:
        exec(compile(payload["code"], "<solution>", "exec"), module.__dict__)
        loaded: dict[str, Any] = {"value": None}
    except BaseException as error:  # noqa: BLE001 - also SystemExit: the program may not end it
        loaded = {"error": wire.describe_error(error)}
    objects: list[Any] = []
    with contextlib.suppress(EOFError, BrokenPipeError):
        wire.write_frame(answers, loaded)
        while True:
            question = wire.read_frame(questions)
            try:
                reply: dict[str, Any] = {"value": _answer(question, module, objects)}
            except wire.UnsendableError as error:
                reply = {"unsendable": str(error)}
            except BaseException as error:  # noqa: BLE001 - see above
                reply = {"error": wire.describe_error(error)}
            wire.write_frame(answers, reply)
    os._exit(_EXIT_DONE)


def _answer(question: dict[str, Any], module: types.ModuleType, objects: list[Any]) -> Any:
    """Does what the judge asks for and returns the outcome as JSON."""

    def handle_of(value: Any) -> int:
        objects.append(value)
        return len(objects) - 1

    def decode(message: Any) -> Any:
        return wire.decode_value(message, object_of=objects.__getitem__)

    operation = question["operation"]
    if operation == "name":
        # A handle, whatever it is: the judge asks for its value where it wants that.
        return ["handle", handle_of(getattr(module, question["name"]))]
    target = objects[question["handle"]]
    if operation == "call":
        arguments = [decode(one) for one in question["arguments"]]
        named = {name: decode(one) for name, one in question["named"].items()}
        value = target(*arguments, **named)
    elif operation == "value":
        value = target
    elif operation == "get":
        value = getattr(target, question["name"])
    elif operation == "set":
        setattr(target, question["name"], decode(question["value"]))
        value = None
    elif operation == "item":
        value = target[decode(question["key"])]
    elif operation == "length":
        value = len(target)
    else:
        value = list(target)
    return wire.encode_value(value, handle_of=handle_of)
