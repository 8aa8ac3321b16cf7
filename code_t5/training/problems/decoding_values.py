"""Rebuilds values from messages, every one of which may be hostile; see `value_kinds`."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from typing import Any, Callable

from code_t5.training.problems import value_kinds
from code_t5.training.problems.wire import WireError

_DECODING_ERRORS = (
    *(RecursionError, ValueError, TypeError, ArithmeticError, LookupError, BufferError),
    *(AttributeError, MemoryError),
)


@dataclasses.dataclass(frozen=True)
class Decoder:
    """How one side rebuilds values; every message may be hostile.

    Attributes:
      object_of: Gives what a handle stands for; may raise.
      value_of: Gives the mutable value of a number; may raise.
      less_fn: Called where an object comes without its class.
    """

    object_of: Callable[[int], Any]
    value_of: Callable[[int], Any] = dict[int, Any]().__getitem__
    less_fn: Callable[[], None] = lambda: None

    def decode(self, message: Any) -> Any:
        """Rebuilds a value.

        Raises:
          WireError: The message is no value.
        """
        try:
            return self._decode(message)
        except _DECODING_ERRORS as error:
            raise WireError(f"not a value: {type(error).__name__}") from error

    def make(self, message: Any) -> Any:
        """Makes the empty value that `fill` fills.

        Raises:
          WireError: The message is no mutable value.
        """
        try:
            kind, content = message
            return _empty(kind, content)
        except _DECODING_ERRORS as error:
            raise WireError(f"not a mutable value: {type(error).__name__}") from error

    def fill(self, value: Any, message: Any) -> None:
        """Puts in the place of what a mutable value holds what a message says.

        Raises:
          WireError: It does not fit.
        """
        try:
            kind, content = message
            if kind != value_kinds.kind_of(value) or kind not in value_kinds.MUTABLE_KINDS:
                raise ValueError(kind)
            self._fill(kind, value, content)
        except _DECODING_ERRORS as error:
            raise WireError(f"not such a value: {type(error).__name__}") from error

    def _decode(self, message: Any) -> Any:
        """See `decode`.

        Raises:
          ValueError: It is no value.
        """
        if message is None or isinstance(message, (bool, int, float, str)):
            return message
        kind, content = message
        if kind == "same":
            return self.value_of(int(content))
        if kind == "handle":
            return self.object_of(int(content))
        if kind == "less":
            self.less_fn()
            return self._decode(content)
        if kind in value_kinds.MUTABLE_KINDS:
            value = _empty(kind, content)
            self._fill(kind, value, content)
            return value
        if kind in value_kinds.ROWS:
            return value_kinds.ROWS[kind]([self._decode(one) for one in content])
        return _scalar(kind, content)

    def _fill(self, kind: str, value: Any, content: Any) -> None:
        """See `fill`.

        Raises:
          ValueError: It does not fit.
        """
        if kind == "array":
            _fill_array(value, content)
            return
        if kind == "bytearray":
            value[:] = bytes.fromhex(content)
            return
        if kind in ("deque", "defaultdict"):
            first, content = content
            if kind == "deque" and first != value.maxlen:
                raise ValueError(first)
        if kind in value_kinds.PAIRS or kind == "defaultdict":
            pairs = [(self._decode(key), self._decode(one)) for key, one in content]
            value.clear()
            for key, one in pairs:
                value[key] = one
            return
        rows = [self._decode(one) for one in content]
        value.clear()
        (value.update if kind == "set" else value.extend)(rows)


def _scalar(kind: str, content: Any) -> Any:
    """Rebuilds what holds no other values.

    Raises:
      ValueError: It is no value.
    """
    if kind in value_kinds.TEXTS:
        return value_kinds.TEXTS[kind][1](content)
    if kind == "complex":
        return complex(float(content[0]), float(content[1]))
    if kind == "range":
        return range(*(int(text, 16) for _, text in content))
    if kind == "timedelta":
        return datetime.timedelta(*(int(part) for part in content))
    if kind == "class":
        return value_kinds.CLASSES[content]
    if kind == "number":
        return _array([content[0], [], [content[1]]])[()]
    raise ValueError(kind)


def _empty(kind: str, content: Any) -> Any:
    if kind == "deque":
        return collections.deque(maxlen=content[0])
    if kind == "defaultdict":
        return collections.defaultdict(
            None if content[0] is None else value_kinds.CLASSES[content[0]]
        )
    if kind == "array":
        return _array(content)
    if kind == "bytearray":
        return bytearray()
    return value_kinds.PAIRS[kind]() if kind in value_kinds.PAIRS else value_kinds.ROWS[kind]([])


def _array(content: Any) -> Any:
    """Rebuilds an array from numbers and texts alone: of all else numpy might ask for memory.

    Raises:
      ValueError: It is none.
    """
    name, shape, numbers = content
    if not isinstance(name, str) or not value_kinds.is_number_type(name):
        raise ValueError("no type of numbers")
    plain = [
        one if isinstance(one, (bool, int, float, str)) else _scalar(*_number(one))
        for one in numbers
    ]
    import numpy

    return numpy.array(plain, dtype=name).reshape([int(size) for size in shape])


def _number(message: Any) -> tuple[str, Any]:
    """Returns the parts of a number that JSON does not have.

    Raises:
      ValueError: It is something else.
    """
    kind, content = message
    if kind not in ("int", "complex"):
        raise ValueError(kind)
    return kind, content


def _fill_array(value: Any, content: Any) -> None:
    """Sets the numbers of an array.

    Raises:
      ValueError: They are of another type or shape.
    """
    found = _array(content)
    if (found.dtype, found.shape) != (value.dtype, value.shape):
        raise ValueError("another shape")
    value[...] = found


def decode_value(message: Any, *, object_of: Callable[[int], Any]) -> Any:
    """Rebuilds a value; see `Decoder`."""
    return Decoder(object_of).decode(message)
