"""Nodes of Python's syntax tree in a window, which may begin and end in the middle of anything.

A window of a file seldom parses as it stands. So blocks that began before it are opened anew (a
line `if 1:` for each indentation that the window returns to), and lines that cannot be parsed are
left out at its two ends, a few times over; the rest is parsed.

What is found depends on the text and on the version of Python (`PYTHON`) alone: not on how deep the
caller stands in its own stack, and not on the process's filters of warnings.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings

import numpy as np

from code_t5.encoding import keys

# Another version may parse other texts, and put nodes elsewhere.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_MAX_ATTEMPTS = 5
# A tree of more levels is not taken. Building one of some 2,000 fails, or fewer where the caller
# stands deep in its stack.
_MAX_DEPTH = 300
_OPENING = b"if 1:\n"
# The name by which Python's warnings call what is parsed here.
_FILE_NAME = "<window of a file>"
_INDENTATION = re.compile(rb"[ \t]*")

Span = tuple[int, int, int, int]


def _indentation(line: bytes) -> bytes | None:
    """Returns a line's indentation, None for a line that has no say in it."""
    match = _INDENTATION.match(line)
    found = match.group() if match else b""
    rest = line[len(found) : len(found) + 1]
    return None if rest in (b"", b"\n", b"\r", b"#", b")", b"]", b"}") else found


def _openings(lines: list[bytes]) -> list[bytes]:
    """Returns lines that open the blocks to which the lines return."""
    found = [one for one in map(_indentation, lines) if one is not None]
    smallest = len(found[0]) if found else 0
    returns = [b""] if smallest else []
    for one in found:
        if len(one) < smallest:
            returns.append(one)
            smallest = len(one)
    # With the very tabs and spaces of the lines: Python compares them.
    return [one + _OPENING for one in sorted(set(returns), key=len)]


def _quieten() -> None:
    """Has Python pass over what it warns of in windows, whatever else it is told to do.

    Adding one filter does no harm to what other threads do with theirs; `warnings.catch_warnings`
    would.
    """
    first = warnings.filters[0] if warnings.filters else ("", None, Warning, None, 0)
    if first[0] != "ignore" or getattr(first[3], "pattern", "") != _FILE_NAME:
        warnings.filterwarnings("ignore", module=_FILE_NAME)


def _parse(lines: list[bytes]) -> tuple[list[Span] | None, int]:
    """Parses lines; returns the spans of the nodes, or None and the number of the line at fault."""
    joined = b"".join(lines)
    try:
        # As a str: what the file says of its encoding was heeded when it was made UTF-8.
        text = joined.decode("utf-8")
        _quieten()
        return _node_spans(ast.parse(text, _FILE_NAME)), 0
    except UnicodeDecodeError as error:
        return None, len(joined[: error.start + 1].splitlines())
    except SyntaxError as error:
        return None, error.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        return None, 0


def _node_spans(tree: ast.AST) -> list[Span] | None:
    """Returns where nodes begin and end, as lines from 1 and bytes in them; None if too deep."""
    spans = set()
    level: list[tuple[ast.AST, bool]] = [(tree, True)]
    for _ in range(_MAX_DEPTH):
        below = []
        for node, has_position in level:
            if has_position and isinstance(node, (ast.stmt, ast.expr)):
                end_line, end_column = node.end_lineno, node.end_col_offset
                if end_line is not None and end_column is not None:
                    spans.add((node.lineno, node.col_offset, end_line, end_column))
            # Before Python 3.12 what stands inside an f-string has no true position.
            inside = has_position and not isinstance(node, ast.JoinedStr)
            below += [(child, inside) for child in ast.iter_child_nodes(node)]
        if not below:
            return sorted(spans)
        level = below
    return None


def find_nodes(text: bytes) -> np.ndarray:
    r"""Finds the statements and expressions of a window that can be parsed.

    Args:
      text: UTF-8.

    Returns:
      int64 `[num_nodes, 2]`: byte positions where each begins and ends; none if nothing parses.

    >>> text = b"r x\n        y = f(1)\n    return y\nz = ["
    >>> [text[start:end] for start, end in find_nodes(text).tolist()]
    [b'y', b'y = f(1)', b'f', b'f(1)', b'1', b'return y', b'y']
    """
    lines = text.splitlines(keepends=True)
    first, last = 0, len(lines)
    for _ in range(_MAX_ATTEMPTS):
        opened = _openings(lines[first:last])
        found, wrong = _parse([*opened, *lines[first:last]])
        if found is not None:
            break
        line = first + wrong - 1 - len(opened)
        if not first <= line < last:
            line = last - 1
        if line < (first + last) // 2:
            first = line + 1
        else:
            last = line
        if first >= last:
            break
    if found is None or first >= last:
        return np.zeros((0, 2), dtype=np.int64)
    begins = np.cumsum([0, *map(len, lines)])
    spans = np.array(found, dtype=np.int64).reshape(-1, 4)
    # The lines of the window alone: what was opened is no part of it.
    spans = spans[spans[:, 0] > len(opened)]
    line_numbers = spans[:, [0, 2]] - 1 - len(opened) + first
    return begins[line_numbers] + spans[:, [1, 3]]


def draw_node(text: bytes, *, key: np.ndarray, longest: int) -> tuple[int, int] | None:
    """Draws a node of a window, in proportion to its bytes.

    Args:
      text: UTF-8.
      key: uint64 `[1]`.
      longest: Most bytes of the node.

    Returns:
      Byte positions where it begins and ends; None if there is none that is short enough.
    """
    nodes = find_nodes(text)
    sizes = nodes[:, 1] - nodes[:, 0]
    nodes = nodes[(sizes > 0) & (sizes <= longest) & (sizes < len(text))]
    if not len(nodes):
        return None
    bounds = np.cumsum(nodes[:, 1] - nodes[:, 0])
    place = int(keys.draw(key, bounds[-1])[0])
    start, end = nodes[np.searchsorted(bounds, place, side="right")].tolist()
    return start, end
