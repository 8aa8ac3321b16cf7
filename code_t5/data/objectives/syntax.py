"""Nodes of Python's syntax tree in a window, which may begin and end in the middle of anything.

A window of a file seldom parses as it stands. So blocks that began before it are opened anew (a
line `if 1:` for each indentation that the window returns to), and lines that cannot be parsed are
left out at its two ends, a few times over; the rest is parsed.
"""

from __future__ import annotations

import ast
import re
import warnings

import numpy as np

from code_t5.data.objectives import keys

_MAX_ATTEMPTS = 5
_OPENING = b"if 1:\n"
_INDENTATION = re.compile(rb"[ \t]*")


def _indentation(line: bytes) -> int:
    """Returns the width of a line's indentation, -1 for a line that has no say in it."""
    match = _INDENTATION.match(line)
    width = match.end() if match else 0
    rest = line[width : width + 1]
    return -1 if rest in (b"", b"\n", b"\r", b"#", b")", b"]", b"}") else width


def _openings(lines: list[bytes]) -> list[bytes]:
    """Returns lines that open the blocks to which the lines return."""
    widths = [width for width in map(_indentation, lines) if width >= 0]
    smallest = widths[0] if widths else 0
    returns = {0} if smallest else set()
    for width in widths:
        if width < smallest:
            returns.add(width)
            smallest = width
    return [b" " * width + _OPENING for width in sorted(returns)]


def _parse(lines: list[bytes]) -> tuple[ast.AST | None, int]:
    """Parses lines; returns the tree, or None and the number of the line at fault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(b"".join(lines)), 0
    except SyntaxError as error:
        return None, error.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        return None, 0


def _node_spans(tree: ast.AST) -> list[tuple[int, int, int, int]]:
    """Returns where nodes begin and end, as lines from 1 and bytes in them."""
    spans = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.stmt, ast.expr)):
            end_line, end_column = node.end_lineno, node.end_col_offset
            if end_line is not None and end_column is not None:
                spans.add((node.lineno, node.col_offset, end_line, end_column))
        # Before Python 3.12 what stands inside an f-string has no true position.
        if not isinstance(node, ast.JoinedStr):
            waiting.extend(ast.iter_child_nodes(node))
    return sorted(spans)


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
        tree, wrong = _parse([*opened, *lines[first:last]])
        if tree is not None:
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
    if tree is None or first >= last:
        return np.zeros((0, 2), dtype=np.int64)
    begins = np.cumsum([0, *map(len, lines)])
    spans = np.array(_node_spans(tree), dtype=np.int64).reshape(-1, 4)
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
