"""The head of a preview, and its rows, as lines of a terminal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from code_t5.data.preview import layout, packed_rows, pieces
from code_t5.data.preview.number_report import counted
from code_t5.data.preview.sampling import Sample
from code_t5.data.preview.terminal_style import Style
from code_t5.visible_text import one_line

_STRIP_WIDTH = 64

UNPAIRED = (
    "Some examples lack tokens of one feature: from there on, inputs are paired with the targets "
    "of another example."
)


def header_facts(sample: Sample) -> list[str]:
    """Returns what was read, in a few lines.

    Args:
      sample: What was read.
    """
    measured = sample.measured
    kind = f"Mixture of {len(sample.members)} Tasks" if sample.is_mixture else "Task"
    source = "read from the task cache" if sample.is_cached else "read from the source"
    room = " \u00b7 ".join(f"{n} {m:,}" for n, m in measured.given.sequence_length.items())
    packed = "packed" if any(row.is_packed for row in sample.rows) else "not packed"
    seed = "no seed" if sample.seed is None else f"seed {sample.seed}"
    lines = [
        f"{kind} \u00b7 split {sample.split} \u00b7 {source}",
        f"{room} \u00b7 {packed} \u00b7 {seed} \u00b7 rows of {sample.function}",
        sample.vocabulary,
    ]
    for member in sample.members:
        words = [member.name]
        if member.num_documents is not None:
            words.append(counted(member.num_documents, "record"))
        if sample.is_mixture:
            words.append(f"{member.share:.1%} of the examples")
        words.append(f"cached in {member.cache_dir}" if member.cache_dir else "not cached")
        lines.append(" \u00b7 ".join(words))
    return [one_line(line) for line in lines]


def _strip(numbers: np.ndarray, style: Style) -> str:
    """Draws which positions of a row belong to which example."""
    places = (np.arange(_STRIP_WIDTH) * len(numbers)) // _STRIP_WIDTH
    drawn = []
    for number, same in itertools.groupby(numbers[places].tolist()):
        width = len(list(same))
        if not number:
            drawn.append(style.paint("padding", "\u00b7" * width))
        elif number % 2:
            drawn.append(style.paint("odd", "\u2588" * width))
        else:
            drawn.append(style.paint("even", "\u2592" * width))
    return "".join(drawn)


def room_shown(used: int, whole: int) -> str:
    """Returns how much of a room is used.

    >>> room_shown(256, 512)
    '256 of 512 tokens (50%)'
    """
    return f"{used:,} of {whole:,} tokens ({used / whole:.0%})"


def _text_lines(
    ids: np.ndarray, *, reader: pieces.TokenReader, style: Style, gutter: str, max_lines: int
) -> Iterator[str]:
    """Yields the lines of one text."""
    drawn = layout.lay_out(layout.spans_of(reader.read(ids)), width=style.width - 6)
    for line in layout.shorten(drawn, max_lines=max_lines):
        if isinstance(line, int):
            left_out = f"\u22ef {counted(line, 'line')} left out \u22ef"
            yield f"{gutter}   " + style.paint("soft", left_out)
            continue
        sign = style.paint("soft", "\u21aa ") if line.is_continued else "  "
        yield f"{gutter} {sign}" + "".join(style.paint(role, text) for role, text in line.spans)


def _example_lines(
    row: packed_rows.Row,
    number: int,
    *,
    readers: Mapping[str, pieces.TokenReader],
    style: Style,
    max_lines: int,
) -> Iterator[str]:
    """Yields one example of a row."""
    role = "odd" if number % 2 else "even"
    gutter = " " + style.paint(role, "\u2502" if number % 2 else "\u2503")
    example = row.example(number)
    if row.is_packed:
        yield " " + style.paint(role, f"\u250c\u2500 example {number} of {row.num_examples}")
    for name, ids in example.items():
        count = style.paint("soft", f"  {counted(len(ids), 'token')}")
        yield f"{gutter} " + style.paint("title", one_line(name)) + count
        if not len(ids):
            continue
        yield from _text_lines(
            ids, reader=readers[name], style=style, gutter=gutter, max_lines=max_lines
        )


def paddings(row: packed_rows.Row) -> Iterator[tuple[str, str]]:
    """Yields the features of a row that end in padding, and how to write it.

    Args:
      row: The row.

    Yields:
      Names and texts.
    """
    for name, ids in row.features.items():
        padding = len(ids) - row.num_tokens(name)
        if padding:
            yield one_line(name), f"\u27e6padding \u00d7 {padding:,}\u27e7"


def row_lines(sample: Sample, *, num_examples: int, max_lines: int, style: Style) -> Iterator[str]:
    """Yields the first rows until so many examples have been shown.

    Args:
      sample: What was read.
      num_examples: How many.
      max_lines: Most lines of a text; 0 for all.
      style: How to write.

    Yields:
      Lines.
    """
    left = num_examples
    for place, row in enumerate(sample.rows, 1):
        if left <= 0:
            return
        yield ""
        count = f"  {counted(row.num_examples, 'example')}" if row.is_packed else ""
        yield style.paint("title", f"Row {place}") + style.paint("soft", count)
        width = max(len(one_line(name)) for name in row.features)
        for name, ids in row.features.items():
            used = room_shown(row.num_tokens(name), len(ids))
            strip = _strip(row.segments[name], style)
            yield f"  {one_line(name):{width}} {strip} {style.paint('soft', used)}"
        if not row.is_paired:
            yield "  " + style.paint("warning", UNPAIRED)
        shown = min(left, row.num_examples)
        for number in range(1, shown + 1):
            yield from _example_lines(
                row, number, readers=sample.readers, style=style, max_lines=max_lines
            )
        left -= shown
        if shown < row.num_examples:
            yield style.paint("soft", f"   \u22ef {row.num_examples - shown:,} more in this row")
        for name, padding in paddings(row):
            yield f"   {style.paint('soft', name)} {style.paint('padding', padding)}"
