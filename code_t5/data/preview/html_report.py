"""The preview as one HTML file that loads nothing and runs nothing.

The page's own policy forbids every source and every script; of styles only its own is allowed, by
its hash. Texts come from outside: `visible_text` takes out what is not seen, and Jinja2 escapes
whatever it writes.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import pathlib
from typing import Any

import numpy as np
from markupsafe import Markup

from code_t5.data.preview import (
    layout,
    lengths,
    number_report,
    packed_rows,
    suggestions,
    text_report,
)
from code_t5.data.preview.sampling import Sample
from code_t5.visible_text import one_line

_FOLDER = pathlib.Path(__file__).resolve().parent


def _bars(bins: list[lengths.Bin]) -> list[dict[str, str]]:
    occupied = number_report.occupied_bins(bins)
    most = max((one.count for one in occupied), default=0)
    total = sum(one.count for one in occupied)
    return [
        {
            "label": f"{one.first:,}\u2013{one.last:,}",
            "width": f"{100 * one.count / most:.1f}",
            "value": f"{one.count:,} ({one.count / total:.0%})",
        }
        for one in occupied
    ]


def _charts(sample: Sample) -> list[dict[str, Any]]:
    limits = sample.measured.given.sequence_length
    charts: list[dict[str, Any]] = [
        {"title": f"Tokens of {name}", "bars": _bars(lengths.linear_bins(one, limit=limits[name]))}
        for name, one in packed_rows.example_lengths(sample.rows).items()
    ]
    documents = sample.measured.documents
    if documents is not None and len(documents):
        title = f"Tokens of {len(documents):,} documents"
        charts.append({"title": title, "bars": _bars(lengths.doubling_bins(documents))})
    fills = [
        {"label": name, "width": f"{100 * share:.1f}", "value": f"{share:.1%}"}
        for name, share in number_report.fill_of(sample).items()
    ]
    return [*charts, {"title": "Positions that hold a token", "bars": fills}]


def _strip(name: str, numbers: np.ndarray) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    start = 0
    for number, same in itertools.groupby(numbers.tolist()):
        width = len(list(same))
        if number:
            label = f"example {number}: {number_report.counted(width, 'token')}"
            role = "odd" if number % 2 else "even"
            parts.append({"role": role, "start": start, "width": width, "label": label})
        start += width
    used = sum(part["width"] for part in parts)
    label = text_report.room_shown(used, len(numbers))
    return {"name": name, "length": len(numbers), "label": label, "parts": parts}


def _example(row: packed_rows.Row, number: int, *, sample: Sample) -> dict[str, Any]:
    texts = [
        {
            "title": f"{name}: {number_report.counted(len(ids), 'token')}",
            "spans": list(layout.spans_of(sample.readers[name].read(ids))),
        }
        for name, ids in row.example(number).items()
    ]
    title = f"Example {number} of {row.num_examples}" if row.is_packed else "Example"
    return {"role": "odd" if number % 2 else "even", "title": title, "texts": texts}


def _rows(sample: Sample, num_examples: int) -> list[dict[str, Any]]:
    found, left = [], num_examples
    for row in sample.rows:
        if left <= 0:
            break
        shown = min(left, row.num_examples)
        left -= shown
        rest = row.num_examples - shown
        more = f"{number_report.counted(rest, 'example')} more in this row" if rest else ""
        found.append(
            {
                "is_paired": row.is_paired,
                "strips": [_strip(name, numbers) for name, numbers in row.segments.items()],
                "examples": [_example(row, n + 1, sample=sample) for n in range(shown)],
                "padding": list(text_report.paddings(row)),
                "rest": more,
            }
        )
    return found


def render(sample: Sample, *, num_examples: int) -> bytes:
    """Returns the page.

    Args:
      sample: What was read.
      num_examples: How many examples to show.

    Returns:
      An HTML document in UTF-8.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_FOLDER / "preview.css").read_text(encoding="utf-8")
    digest = hashlib.sha256(style.encode("utf-8")).digest()
    suggestion = suggestions.suggest(sample.measured)
    page = environment.get_template("preview.html.j2").render(
        style=Markup(style),
        style_hash=base64.b64encode(digest).decode("ascii"),
        name=one_line(sample.name),
        facts=text_report.header_facts(sample),
        table=number_report.length_table(sample),
        count=number_report.rows_counted(sample),
        charts=_charts(sample),
        reasons=suggestion.reasons,
        settings="\n".join(suggestion.gin_lines(sample.function)),
        windows=number_report.window_table(sample),
        unpaired=text_report.UNPAIRED,
        rows=_rows(sample, num_examples),
    )
    return page.encode("utf-8", errors="replace")
