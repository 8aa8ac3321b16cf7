"""Which values cross between the judge and the solution, and as what.

A *value* is plain data of Python's, rebuilt from what it holds and never from what it says of
itself: nothing that is read can run code, and an object whose `==` always holds does not cross.
Whatever else is met stays where it is; a *handle*, a number, stands for it. In JSON:

    5  "text"  null         as JSON has them
    ["list", [...]]         a list, and so on for tuple, set, frozenset, iterator
    ["dict", [[k, v], ...]] a dict, and so on for Counter, OrderedDict
    ["array", [d, s, n]]    numbers of numpy's by type and shape; one alone: ["number", [d, n]]
    ["same", 4]             a mutable value that both sides know (`sharing`)
    ["less", [...]]         what an object of a class derived from one of these holds
    ["handle", 3]           an object of the solution's process
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import sys
from typing import Any, Callable

# Classes that stand for themselves; `type` itself is not among them.
CLASSES = {
    cls.__name__: cls
    for cls in (
        *(bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict),
        *(object, range),
    )
}
ROWS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "iterator": iter,
    "keys": lambda rows: dict.fromkeys(rows).keys(),
    "items": lambda rows: dict(rows).items(),
    "values": lambda rows: dict(enumerate(rows)).values(),
}
PAIRS: dict[str, Callable[[], Any]] = {
    "Counter": collections.Counter,
    "OrderedDict": collections.OrderedDict,
    "dict": dict,
}
TEXTS: dict[str, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    "int": (hex, lambda text: int(text, 16)),
    "bytes": (lambda value: bytes(value).hex(), bytes.fromhex),
    "bytearray": (lambda value: bytes(value).hex(), bytearray.fromhex),
    "Decimal": (str, decimal.Decimal),
    "Fraction": (str, fractions.Fraction),
    "datetime": (datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time.isoformat, datetime.time.fromisoformat),
}
KINDS: dict[type, str] = {
    cls: cls.__name__
    for cls in (
        *(list, tuple, set, frozenset, bytes, bytearray, dict, complex, range),
        *(collections.Counter, collections.OrderedDict, collections.defaultdict),
        *(collections.deque, decimal.Decimal, fractions.Fraction),
        *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    )
}
KINDS |= {type({}.keys()): "keys", type({}.items()): "items", type({}.values()): "values"}
MUTABLE_KINDS = frozenset(
    ("list", "set", "bytearray", "deque", "dict", "Counter", "OrderedDict", "defaultdict", "array")
)
# Of numpy's types, numbers and texts alone: of objects there would be addresses.
_NUMBERS = frozenset("b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16".split())
_MAX_TEXT_WIDTH = 10_000


def kind_of(value: Any) -> str:
    """Returns the kind of what crosses as it is; an empty text for all else."""
    kind = KINDS.get(type(value), "")
    if kind == "defaultdict":
        factory = value.default_factory
        is_known = factory is None or (
            isinstance(factory, type) and CLASSES.get(factory.__name__) is factory
        )
        return kind if is_known else ""
    numpy = sys.modules.get("numpy")
    if not kind and numpy is not None and type(value) is getattr(numpy, "ndarray", None):
        return "array" if number_type(value) else ""
    return kind


def number_type(value: Any) -> str:
    """Returns the name of the type of numpy's numbers; an empty text if it is none of them."""
    if type(value).__module__ != "numpy" or not hasattr(value, "dtype"):
        return ""
    name = str(value.dtype.str)
    return name if is_number_type(name) else ""


def is_number_type(name: str) -> bool:
    """Says whether numpy's type of this name is one of numbers or texts."""
    if name[1:2] == "U":
        return name[2:].isdecimal() and int(name[2:]) <= _MAX_TEXT_WIDTH
    return name[1:] in _NUMBERS
