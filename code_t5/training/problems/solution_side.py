"""The process that runs a generated program and answers what the judge asks of it.

Everything here may be taken over by the program: it can answer anything, but only with values
(`value_kinds`), and it reaches nothing of the judge's but the end of a pipe.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from typing import Any, NoReturn

from code_t5.training.problems import told_errors, wire
from code_t5.training.problems.decoding_values import Decoder
from code_t5.training.problems.encoding_values import Encoder
from code_t5.training.problems.sharing import SharedValues

_EXIT_DONE = 0
_FIRST_NUMBER = 2


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
        loaded = {"error": told_errors.describe_error(error)}
    answering = _Answering(module)
    with contextlib.suppress(EOFError, BrokenPipeError):
        wire.write_frame(answers, loaded)
        while True:
            wire.write_frame(answers, answering.reply(wire.read_frame(questions)))
    os._exit(_EXIT_DONE)


class _Kept:
    """Holds what stays in this process, whatever it is."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Answering:
    """What the judge may ask of a program."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module
        self._objects: list[Any] = []
        self._handles: dict[int, int] = {}
        self._shared = SharedValues(first_number=_FIRST_NUMBER)
        self._decoder = Decoder(self._objects.__getitem__, value_of=self._shared.value_of)

    def reply(self, question: dict[str, Any]) -> dict[str, Any]:
        """Returns the answer to a question, whatever comes of it."""
        reply = self._try(question)
        # By now nothing here holds what was given to the program.
        reply["forgotten"] = self._shared.forget_unheld()
        return reply

    def _try(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            reply, values = dict[str, Any](), [self._do(question)]
        except BaseException as error:  # noqa: BLE001 - see above
            reply, values = {"error": told_errors.describe_error(error)}, []
        try:
            encoder = Encoder(self._handle_of, stand_in=_Kept)
            messages, reply["changed"] = self._shared.pack(values, encoder=encoder)
            return {"value": messages[0], **reply} if messages else reply
        except wire.UnsendableError as error:
            return {"unsendable": str(error)}
        except BaseException as error:  # noqa: BLE001 - of an iterator or a class of the program's
            return {"error": told_errors.describe_error(error)}

    def _handle_of(self, value: Any) -> int:
        """Returns the number of an object, always the same."""
        if type(value) is _Kept:
            value = value.value
        if id(value) not in self._handles:
            self._handles[id(value)] = len(self._objects)
            self._objects.append(value)
        return self._handles[id(value)]

    def _do(self, question: dict[str, Any]) -> Any:
        """Does what the judge asks for and returns the outcome."""
        self._shared.unpack(question["changed"], decoder=self._decoder)
        values = [self._decoder.decode(one) for one in question["values"]]
        operation, name = question["operation"], question["name"]
        if operation == "name":
            value = getattr(self._module, name)
            # A function or a class of Python's under another name is the program's as well.
            return _Kept(value) if callable(value) else value
        target = self._objects[question["handle"]]
        if operation == "call":
            names = question["names"]
            count = len(values) - len(names)
            return target(*values[:count], **dict(zip(names, values[count:])))
        if operation == "get":
            return getattr(target, name)
        if operation == "set":
            return setattr(target, name, values[0])
        if operation == "item":
            return target[values[0]]
        if operation == "length":
            return len(target)
        return list(target)
