"""Errors of the solution as the judge raises them: Python's own, by what is told of them."""

from __future__ import annotations

import builtins
import json
from typing import Any

from code_t5.training.problems import decoding_values, encoding_values, wire

_MAX_NAME, _MAX_TEXT, _MAX_ARGUMENTS = 100, 300, 4096
# Raised through a loop they would end it without a word; PEP 479 turns them into this as well.
_ENDS_OF_LOOPS = (StopIteration, StopAsyncIteration)


def describe_error(error: BaseException) -> list[Any]:
    """Returns what is told of an error.

    Args:
      error: Anything; its class may be generated code's.

    Returns:
      The name of its class, what it says, the name of the class of Python's own that it is or is
      derived from, and what that is made from: a message, or None.
    """
    try:
        text = " ".join(str(error).split())[:_MAX_TEXT]
    except Exception:  # noqa: BLE001 - generated code may say anything
        text = ""
    own = next(cls for cls in type(error).__mro__ if vars(builtins).get(cls.__name__) is cls)
    try:
        # An error of the system's has a file's name besides.
        made_of = OSError.__reduce__(error)[1] if isinstance(error, OSError) else error.args
        arguments = encoding_values.encode_value(list(made_of))
        is_small = len(json.dumps(arguments)) <= _MAX_ARGUMENTS
    except Exception:  # noqa: BLE001 - see above
        arguments, is_small = None, False
    name = str(type(error).__name__)[:_MAX_NAME]
    return [name, text, own.__name__, arguments if is_small else None]


def error_text(described: Any) -> str:
    """Returns an error's name and what it says, of what is told of it; anything may be."""
    if not isinstance(described, list) or len(described) != 4:
        return "error"
    name, text = str(described[0])[:_MAX_NAME], str(described[1])[:_MAX_TEXT]
    return f"{name}: {text}"


def rebuild_error(described: Any) -> tuple[Exception, bool]:
    """Returns an error of Python's own, and whether it is as it was in the solution.

    Args:
      described: As `describe_error` gives it, or anything.
    """
    text = error_text(described)
    if text == "error":
        return Exception(text), False
    name, said, own, arguments = described
    cls = vars(builtins).get(str(own))
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        return Exception(text), False
    if issubclass(cls, _ENDS_OF_LOOPS):
        return RuntimeError(f"raised {text}"), True
    try:
        if arguments is not None:
            found = decoding_values.decode_value(arguments, object_of=_no_object)
            return cls(*found), cls.__name__ == name
        return cls(str(said)[:_MAX_TEXT]), False
    except (TypeError, ValueError, wire.WireError):
        return Exception(text), False


def is_an_end(described: Any) -> bool:
    """Says whether an error is one that ends a program, such as `SystemExit`."""
    own = described[2] if isinstance(described, list) and len(described) == 4 else None
    cls = vars(builtins).get(str(own))
    return isinstance(cls, type) and not issubclass(cls, Exception)


def _no_object(handle: int) -> Any:
    """Gives no object.

    Raises:
      ValueError: Always.
    """
    raise ValueError(handle)
