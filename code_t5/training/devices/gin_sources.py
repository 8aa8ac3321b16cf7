"""Which file or flag of a trainer's command set a parameter last.

gin remembers values, not where they came from. t5's and mesh-tensorflow's own gin files set
parameters that nobody asked for, so what a user wants shows only in the user's files and flags.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence

_INCLUDE = re.compile(r"^\s*include\s+(['\"])(.+?)\1")
# Files that include each other end here; gin itself would not.
_MAX_DEPTH = 20


@dataclasses.dataclass(frozen=True)
class Statement:
    """One setting of a parameter.

    Attributes:
      parameter: Its name as it was looked for.
      value: What stands behind the `=`.
      source: The file and line, or `--gin_param`.
      path: The file; None for a flag.
    """

    parameter: str
    value: str
    source: str
    path: str | None


def find_statements(
    parameters: Sequence[str],
    *,
    gin_files: Sequence[str],
    gin_params: Sequence[str],
    prefixes: Sequence[str],
) -> list[Statement]:
    """Returns the settings of parameters in the order in which gin reads them: the last one counts.

    Args:
      parameters: Such as `get_variable_dtype.activation_dtype`.
      gin_files: Names of files, as the trainer is given them.
      gin_params: Bindings, as the trainer is given them.
      prefixes: Where gin looks for files, in its order; the empty one is the working directory.
    """
    names = "|".join(re.escape(name) for name in parameters)
    pattern = re.compile(rf"^\s*(?:[\w/]*/)?(?:\w+\.)*?({names})\s*=\s*(.*?)\s*(?:#.*)?$")
    found = []
    for name in gin_files:
        found += list(_in_file(name, pattern, prefixes, depth=0))
    for binding in gin_params:
        for line in binding.splitlines():
            match = pattern.match(line)
            if match:
                found.append(Statement(match.group(1), match.group(2), "--gin_param", None))
    return found


def _in_file(
    name: str, pattern: re.Pattern[str], prefixes: Sequence[str], *, depth: int
) -> Iterator[Statement]:
    path = _locate(name, prefixes)
    if path is None or depth > _MAX_DEPTH:
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines, start=1):
        included, match = _INCLUDE.match(line), pattern.match(line)
        if included:
            yield from _in_file(included.group(2), pattern, prefixes, depth=depth + 1)
        elif match:
            yield Statement(match.group(1), match.group(2), f"{name}:{number}", path)


def _locate(name: str, prefixes: Sequence[str]) -> str | None:
    for prefix in [""] if os.path.isabs(name) else prefixes:
        path = os.path.join(prefix, name)
        if os.path.isfile(path):
            return path
    return None
