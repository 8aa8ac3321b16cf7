"""Options that are passed on by name: one that nobody takes is refused where it is given."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from code_t5 import errors


def known_options(function: Callable[..., Any]) -> list[str]:
    """Returns the names of the arguments that a function takes by name and that can be left out.

    Args:
      function: The function, or the class.

    >>> known_options(lambda a, *, b=1: None)
    ['b']
    """
    parameters = inspect.signature(function).parameters.values()
    return [
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
    ]


def check_options(options: Iterable[str], *, known: Iterable[str]) -> None:
    """Refuses options that are not known.

    Args:
      options: Names that were given.
      known: Those that can be.

    Raises:
      InputError: One is not known.
    """
    wanted = list(dict.fromkeys(known))
    for name in options:
        if name not in wanted:
            close = difflib.get_close_matches(name, wanted, n=1)
            mend = f"did you mean {close[0]}?" if close else "leave it out"
            raise errors.InputError(
                f"there is no option {name!r}; wanted some of {', '.join(wanted)}; {mend}"
            )
