"""Puts values into messages; see `value_kinds`."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from typing import Any, Callable

from code_t5.training.problems import value_kinds
from code_t5.training.problems.wire import UnsendableError

_MAX_ITEMS = 1_000_000
_SMALL_INT = 1 << 62


def _refuse(value: Any) -> int:
    """Gives no handle.

    Raises:
      UnsendableError: Always.
    """
    raise UnsendableError(f"a {type(value).__name__} does not cross")


@dataclasses.dataclass
class Encoder:
    """How one side puts values into messages; all of them together have a million items at most.

    Attributes:
      handle_of: Gives the handle of what is no plain data; may raise.
      number_of: Gives the number by which both sides know a mutable value; None to copy it.
      less_fn: Told of each value whose class is derived from one that crosses; may raise.
      stand_in: A class whose objects are handles, whatever they look like.
      num_left: Items that may follow.
    """

    handle_of: Callable[[Any], int] = _refuse
    number_of: Callable[[Any], int] | None = None
    less_fn: Callable[[Any], None] = lambda value: None
    stand_in: type | None = None
    num_left: int = _MAX_ITEMS

    def encode(self, value: Any) -> Any:
        """Returns a value as JSON.

        Raises:
          UnsendableError: There are too many items, or they lie too deep.
        """
        try:
            return self._encode(value)
        except RecursionError as error:
            raise UnsendableError("a value that is nested too deep") from error

    def content(self, value: Any) -> Any:
        """Returns a mutable value's kind and what it holds.

        Raises:
          UnsendableError: There are too many items, or they lie too deep, or it is none.
        """
        kind = value_kinds.kind_of(value)
        if kind not in value_kinds.MUTABLE_KINDS:
            raise UnsendableError(f"a {type(value).__name__} has become something else")
        try:
            return [kind, self._content(kind, value)]
        except RecursionError as error:
            raise UnsendableError("a value that is nested too deep") from error

    def _encode(self, value: Any) -> Any:
        """See `encode`.

        Raises:
          UnsendableError: There are too many items.
        """
        self.num_left -= 1
        if self.num_left < 0:
            raise UnsendableError(f"a value of more than {_MAX_ITEMS} items")
        cls = type(value)
        if value is None or cls is bool or cls is str or cls is float:
            return value
        if cls is int:
            return value if -_SMALL_INT < value < _SMALL_INT else ["int", hex(value)]
        if cls is self.stand_in:
            return ["handle", self.handle_of(value)]
        kind = value_kinds.kind_of(value)
        if kind and self.number_of is not None and kind in value_kinds.MUTABLE_KINDS:
            return ["same", self.number_of(value)]
        return [kind, self._content(kind, value)] if kind else self._encode_other(value)

    def _encode_other(self, value: Any) -> Any:
        """Encodes what is of no class that crosses."""
        if isinstance(value, type):
            is_known = value_kinds.CLASSES.get(value.__name__) is value
            return ["class", value.__name__] if is_known else ["handle", self.handle_of(value)]
        name = value_kinds.number_type(value)
        if name:
            return ["number", [name, self._encode(value.item())]]
        scalars: tuple[tuple[type, Callable[[Any], Any]], ...] = (
            *((str, str.__str__), (int, int.__index__), (float, float.__float__)),
        )
        for cls, plain in scalars:
            if isinstance(value, cls):
                self.less_fn(value)
                return ["less", self._encode(plain(value))]
        for cls in type(value).__mro__:
            if cls in value_kinds.KINDS:
                self.less_fn(value)
                kind = "dict" if cls is collections.defaultdict else value_kinds.KINDS[cls]
                return ["less", [kind, self._content(kind, value)]]
        if isinstance(value, Iterator):
            return ["iterator", [self._encode(one) for one in value]]
        return ["handle", self.handle_of(value)]

    def _content(self, kind: str, value: Any) -> Any:
        if kind in value_kinds.TEXTS:
            return value_kinds.TEXTS[kind][0](value)
        if kind in value_kinds.PAIRS:
            return [[self._encode(key), self._encode(one)] for key, one in value.items()]
        if kind == "defaultdict":
            factory = value.default_factory
            return [factory and factory.__name__, self._content("dict", value)]
        if kind == "deque":
            return [value.maxlen, [self._encode(one) for one in value]]
        if kind == "array":
            numbers = [self._encode(one) for one in value.ravel().tolist()]
            return [value_kinds.number_type(value), list(value.shape), numbers]
        if kind == "complex":
            return [value.real, value.imag]
        if kind == "range":
            return [["int", hex(part)] for part in (value.start, value.stop, value.step)]
        if kind == "timedelta":
            return [value.days, value.seconds, value.microseconds]
        return [self._encode(one) for one in value]


def encode_value(value: Any, *, handle_of: Callable[[Any], int] = _refuse) -> Any:
    """Returns a value as JSON; see `Encoder`."""
    return Encoder(handle_of).encode(value)
