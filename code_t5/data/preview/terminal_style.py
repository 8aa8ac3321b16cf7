"""Colours of a terminal, by what they mean; and whether to use them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TextIO

AUTO, ALWAYS, NEVER = "auto", "always", "never"
CHOICES = (AUTO, ALWAYS, NEVER)

# Of the 16 colours that every terminal has and every theme gives enough contrast.
_CODES = {
    "title": "1",
    "soft": "2",
    "text": "",
    "sentinel": "1;35",
    "end": "36",
    "unknown": "1;31",
    "padding": "90",
    "mark": "33",
    "warning": "1;33",
    "bar": "34",
    "odd": "34",
    "even": "32",
    "good": "32",
}


@dataclasses.dataclass(frozen=True)
class Style:
    """How to write in a terminal.

    Attributes:
      is_coloured: Whether to write escape sequences.
      width: Of a line, in cells.
    """

    is_coloured: bool = False
    width: int = 100

    def paint(self, role: str, text: str) -> str:
        """Returns a text in the colour of a role.

        Args:
          role: What it is.
          text: Without anything that a terminal would obey.
        """
        code = _CODES[role]
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_coloured and code and text else text


def wants_colour(choice: str, *, stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Says whether to write colours.

    Args:
      choice: One of `CHOICES`.
      stream: Where to.
      environment: `NO_COLOR` of any value (no-color.org) and `TERM=dumb` turn `auto` off.

    Returns:
      Whether.
    """
    if choice != AUTO:
        return choice == ALWAYS
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return stream.isatty()


def style_for(choice: str, stream: TextIO) -> Style:
    """Returns the style for a stream of this process.

    Args:
      choice: One of `CHOICES`.
      stream: Where to write.
    """
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        width = 100
    coloured = wants_colour(choice, stream=stream, environment=os.environ)
    return Style(is_coloured=coloured, width=max(min(width, 160), 40))
