"""Keeps the mutable values that the judge and the solution both hold the same on both sides.

In one process a function that sorts its argument in place sorts its caller's list. Here the caller
is another process, so each list, dict, set, array, ... that crosses gets a *number*, under which
either side keeps its own; a message carries what has changed of them since the last one, whoever
changed it. The solution's side forgets those that nobody there holds any more.

A solution that lies about them does no more than one that changes its arguments can.
"""

from __future__ import annotations

import collections
import operator
import sys
from collections.abc import Sequence
from typing import Any

from code_t5.training.problems import wire
from code_t5.training.problems.decoding_values import Decoder
from code_t5.training.problems.encoding_values import Encoder

# A value that only the table holds: its place there, and the question itself.
_HELD_BY_NOBODY = 2


def _held(value: Any) -> Any:
    """Returns what a mutable value holds now, to be compared with what it holds later."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, set, collections.deque)):
        return list(value)
    return bytes(value) if isinstance(value, bytearray) else value.tobytes()


def _is_same(now: Any, before: Any) -> bool:
    """Says whether nothing has changed: 1 and True are equal, but not the same."""
    if isinstance(now, bytes):
        return now == before
    return len(now) == len(before) and all(map(operator.is_, now, before))


class SharedValues:
    """One side's table of the mutable values that both sides know."""

    def __init__(self, *, first_number: int) -> None:
        """Makes an empty table.

        Args:
          first_number: 1 on one side and 2 on the other: numbers are not given twice.
        """
        self._next = first_number
        self._values: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        # What each held when both sides had the same.
        self._known: dict[int, Any] = {}

    def value_of(self, number: int) -> Any:
        """Returns the value of a number; for `Decoder`."""
        return self._values[number]

    def pack(self, values: Sequence[Any], *, encoder: Encoder) -> tuple[list[Any], dict[str, Any]]:
        """Puts values into messages.

        Args:
          values: Anything.
          encoder: A fresh one.

        Returns:
          A message for each value, and number -> content of what the other side does not know yet.

        Raises:
          UnsendableError: They do not cross.
        """
        numbers = list(self._values)

        def number_of(value: Any) -> int:
            known = self._numbers.get(id(value))
            if known is not None:
                return known
            number, self._next = self._next, self._next + 2
            self._add(number, value)
            numbers.append(number)
            return number

        encoder.number_of = number_of
        messages = [encoder.encode(value) for value in values]
        changed: dict[str, Any] = {}
        # The list grows on the way.
        for number in numbers:
            value = self._values[number]
            held = _held(value)
            if number not in self._known or not _is_same(held, self._known[number]):
                changed[str(number)] = encoder.content(value)
                self._known[number] = held
        return messages, changed

    def _add(self, number: int, value: Any) -> None:
        self._values[number] = value
        self._numbers[id(value)] = number

    def unpack(self, changed: Any, *, decoder: Decoder) -> None:
        """Takes in what the other side has changed.

        Args:
          changed: As `pack` gives it, or anything.
          decoder: Of this side; its `value_of` is this table's.

        Raises:
          WireError: It is something else.
        """
        try:
            contents = {int(number): content for number, content in changed.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise wire.WireError("no table of values") from error
        for number, content in contents.items():
            if number not in self._values:
                self._add(number, decoder.make(content))
        for number, content in contents.items():
            decoder.fill(self._values[number], content)
            self._known[number] = _held(self._values[number])

    def forget(self, numbers: Any) -> None:
        """Forgets values; unknown numbers, and whatever is none, are left out."""
        for number in numbers if isinstance(numbers, list) else ():
            if isinstance(number, int) and number in self._values:
                del self._numbers[id(self._values.pop(number))]
                self._known.pop(number, None)

    def forget_unheld(self) -> list[int]:
        """Forgets the values that only this table holds, and returns their numbers.

        Those that only such values hold are among them.
        """
        found: list[int] = []
        num_before = -1
        # Mostly once: whatever holds others was numbered before them.
        while len(found) != num_before:
            num_before = len(found)
            for number in sorted(self._values):
                if sys.getrefcount(self._values[number]) <= _HELD_BY_NOBODY:
                    self.forget([number])
                    found.append(number)
        return found
