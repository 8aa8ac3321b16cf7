"""Says which names were perhaps meant where a Task, Mixture or data set of some name is not there.

Nothing here needs TensorFlow or seqio: whoever knows which names there are can ask.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_NUM_NEAR = 3
# Share of two names that is alike; below it a name is noise.
_CUTOFF = 0.6


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Returns the known names that are most like another, nearest first.

    Args:
      name: What was asked for.
      known: The names that there are.

    Returns:
      At most three; empty where none is near.

    >>> near_names("dev_prefixlm", ["dev", "dev_prefix_lm", "mine"])
    ['dev_prefix_lm']
    """
    by_folded = {one.lower(): one for one in sorted(known, reverse=True)}
    found = difflib.get_close_matches(name.lower(), by_folded, n=_NUM_NEAR, cutoff=_CUTOFF)
    return [by_folded[one] for one in found]


def near_hint(name: str, known: Iterable[str]) -> str:
    """Returns the part of an error's message that names what was perhaps meant.

    Args:
      name: What was asked for.
      known: The names that there are.

    Returns:
      `; did you mean a, b or c?`, or nothing where no name is near.

    >>> near_hint("devv", ["dev", "other"])
    '; did you mean dev?'
    >>> near_hint("x", ["dev", "other"])
    ''
    """
    near = near_names(name, known)
    if not near:
        return ""
    listed = ", ".join(near[:-1])
    return f"; did you mean {listed + ' or ' if listed else ''}{near[-1]}?"
