"""What the judge and the solution say to each other: frames of JSON, and values in them.

A *frame* is four bytes of length, little-endian, and so many bytes of JSON. A *value* is plain data
of Python's, rebuilt from what it holds and never from what it says of itself: nothing that is read
can run code, and an object whose `==` always holds does not cross. Whatever else is met stays where
it is; a *handle*, a number, stands for it.

    5  "text"  null         as JSON has them
    ["list", [...]]         a list, and so on for tuple, set, frozenset, deque, iterator, array
    ["dict", [[k, v], ...]] a dict, and so on for Counter, OrderedDict, defaultdict
    ["handle", 3]           an object of the solution's process
"""

from __future__ import annotations

import builtins
import collections
import datetime
import decimal
import fractions
import json
import os
import struct
from collections.abc import Iterator
from typing import Any, Callable

MAX_FRAME_BYTES = 32 << 20
_MAX_ITEMS = 1_000_000
_LENGTH = struct.Struct("<I")
_SMALL_INT = 1 << 62
# Classes that stand for themselves; `type` itself is not among them.
_CLASSES = {
    cls.__name__: cls
    for cls in (
        *(bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict),
        *(object, range),
    )
}
_ROWS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": collections.deque,
    "iterator": iter,
    "keys": lambda rows: dict.fromkeys(rows).keys(),
    "items": lambda rows: dict(rows).items(),
}
# What is no container itself, but gives items.
_ITERABLES: dict[str, tuple[Any, ...]] = {
    "keys": (type({}.keys()),),
    "items": (type({}.items()),),
    "iterator": (Iterator, type({}.values())),
}
_PAIRS: dict[str, Callable[[Any], Any]] = {
    "Counter": lambda pairs: collections.Counter(dict(pairs)),
    "OrderedDict": collections.OrderedDict,
    "defaultdict": lambda pairs: collections.defaultdict(None, pairs),
    "dict": dict,
}
_TEXTS: dict[str, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    "int": (hex, lambda text: int(text, 16)),
    "bytes": (lambda value: bytes(value).hex(), bytes.fromhex),
    "bytearray": (lambda value: bytes(value).hex(), bytearray.fromhex),
    "Decimal": (str, decimal.Decimal),
    "Fraction": (str, fractions.Fraction),
    "datetime": (datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time.isoformat, datetime.time.fromisoformat),
}


class WireError(Exception):
    """What came is no frame or no value, or is too large."""


class UnsendableError(Exception):
    """A value cannot be rebuilt in another process."""


def write_frame(descriptor: int, message: Any) -> None:
    """Sends one message.

    Args:
      descriptor: Where to.
      message: JSON values.

    Raises:
      WireError: It is too large, or nested too deep.
    """
    try:
        data = json.dumps(message).encode("ascii")
    except (RecursionError, ValueError, TypeError) as error:
        raise WireError(f"a message that JSON does not hold: {type(error).__name__}") from error
    if len(data) > MAX_FRAME_BYTES:
        raise WireError(f"a message of {len(data)} bytes; {MAX_FRAME_BYTES} are the most")
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_frame(descriptor: int) -> Any:
    """Receives one message.

    Args:
      descriptor: Where from.

    Raises:
      EOFError: The other side is gone.
      WireError: What came is not a message.
    """
    (length,) = _LENGTH.unpack(_read_exactly(descriptor, _LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise WireError(f"a message of {length} bytes; {MAX_FRAME_BYTES} are the most")
    try:
        return json.loads(_read_exactly(descriptor, length))
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message that is not JSON: {type(error).__name__}") from error


def _read_exactly(descriptor: int, length: int) -> bytes:
    """Reads so many bytes.

    Raises:
      EOFError: There are not so many.
    """
    parts, missing = [], length
    while missing:
        part = os.read(descriptor, min(missing, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def encode_value(value: Any, *, handle_of: Callable[[Any], int]) -> Any:
    """Returns a value as JSON.

    Args:
      value: Anything.
      handle_of: Gives the handle of what is no plain data; may raise.

    Raises:
      UnsendableError: There are too many items, or they lie too deep.
    """
    budget = [_MAX_ITEMS]
    try:
        return _encode(value, handle_of, budget)
    except RecursionError as error:
        raise UnsendableError("a value that is nested too deep") from error


def _encode(value: Any, handle_of: Callable[[Any], int], budget: list[int]) -> Any:
    """See `encode_value`.

    Raises:
      UnsendableError: There are too many items.
    """
    budget[0] -= 1
    if budget[0] < 0:
        raise UnsendableError(f"a value of more than {_MAX_ITEMS} items")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int.__index__(value)
        return number if -_SMALL_INT < number < _SMALL_INT else ["int", hex(number)]
    if isinstance(value, float):
        return float.__float__(value)
    return _encode_structure(value, handle_of, budget)


def _encode_structure(value: Any, handle_of: Callable[[Any], int], budget: list[int]) -> Any:
    if isinstance(value, type) and _CLASSES.get(value.__name__) is value:
        return ["class", value.__name__]
    if isinstance(value, complex):
        return ["complex", [value.real, value.imag]]
    if isinstance(value, range):
        return ["range", [["int", hex(part)] for part in (value.start, value.stop, value.step)]]
    if isinstance(value, datetime.timedelta):
        return ["timedelta", [value.days, value.seconds, value.microseconds]]
    for cls in type(value).__mro__:
        if cls.__name__ in _TEXTS and cls.__module__ in (
            "builtins",
            "decimal",
            "fractions",
            "datetime",
        ):
            return [cls.__name__, _TEXTS[cls.__name__][0](value)]
        if cls.__name__ in _PAIRS and cls.__module__ in ("builtins", "collections"):
            pairs = [
                [_encode(key, handle_of, budget), _encode(one, handle_of, budget)]
                for key, one in value.items()
            ]
            return [cls.__name__, pairs]
        if cls.__name__ in _ROWS and cls.__module__ in ("builtins", "collections"):
            return [cls.__name__, [_encode(one, handle_of, budget) for one in value]]
    for kind, classes in _ITERABLES.items():
        if isinstance(value, classes):
            items: Any = value
            return [kind, [_encode(one, handle_of, budget) for one in items]]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        # A scalar's is a number, an array's a list.
        plain = _encode(value.tolist(), handle_of, budget)
        return ["array", plain] if isinstance(value.tolist(), list) else plain
    return ["handle", handle_of(value)]


def decode_value(message: Any, *, object_of: Callable[[int], Any]) -> Any:
    """Rebuilds a value.

    Args:
      message: As `encode_value` gives it, or anything.
      object_of: Gives what a handle stands for; may raise.

    Raises:
      WireError: It is no value.
    """
    try:
        return _decode(message, object_of)
    except (RecursionError, ValueError, TypeError, ArithmeticError) as error:
        raise WireError(f"not a value: {type(error).__name__}") from error


def _decode(message: Any, object_of: Callable[[int], Any]) -> Any:
    """See `decode_value`.

    Raises:
      ValueError: It is no value.
    """
    if message is None or isinstance(message, (bool, int, float, str)):
        return message
    kind, content = message
    if kind in _TEXTS:
        return _TEXTS[kind][1](content)
    if kind in _ROWS:
        return _ROWS[kind]([_decode(one, object_of) for one in content])
    if kind in _PAIRS:
        return _PAIRS[kind](
            [(_decode(key, object_of), _decode(one, object_of)) for key, one in content]
        )
    if kind == "array":
        import numpy

        return numpy.array(_decode(content, object_of))
    if kind == "complex":
        return complex(float(content[0]), float(content[1]))
    if kind == "range":
        return range(*(_decode(part, object_of) for part in content))
    if kind == "timedelta":
        return datetime.timedelta(*(int(part) for part in content))
    if kind == "class":
        return _CLASSES[content] if content in _CLASSES else None
    if kind == "handle":
        return object_of(int(content))
    raise ValueError(kind)


def describe_error(error: BaseException) -> list[str]:
    """Returns an error as `raise_described` takes it: its type's name and what it says."""
    try:
        text = " ".join(str(error).split())[:300]
    except Exception:  # noqa: BLE001 - generated code may say anything
        text = ""
    return [str(type(error).__name__)[:100], text]


def rebuild_error(described: Any) -> Exception:
    """Returns an error of Python's own by its name, or one that says the name.

    Args:
      described: As `describe_error` gives it, or anything.
    """
    name, text = "error", ""
    if isinstance(described, list) and len(described) == 2:
        name, text = str(described[0])[:100], str(described[1])[:300]
    cls = getattr(builtins, name, None)
    if isinstance(cls, type) and issubclass(cls, Exception):
        try:
            return cls(text)
        except Exception:  # noqa: BLE001 - some want more than a text
            pass
    return Exception(f"{name}: {text}" if text else name)
