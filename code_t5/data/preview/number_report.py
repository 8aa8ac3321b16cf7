"""The numbers of a preview: lengths, fill and suggested settings, as tables and as lines."""

from __future__ import annotations

from collections.abc import Iterator

from code_t5.data.preview import lengths, packed_rows, suggestions
from code_t5.data.preview.sampling import Sample
from code_t5.data.preview.terminal_style import Style
from code_t5.visible_text import one_line

_BAR_WIDTH = 28


def counted(number: int, noun: str) -> str:
    """Returns a number of things in words.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def occupied_bins(bins: list[lengths.Bin]) -> list[lengths.Bin]:
    """Returns the bins from the first to the last that is not empty.

    Args:
      bins: In their order.
    """
    places = [place for place, one in enumerate(bins) if one.count]
    return bins[places[0] : places[-1] + 1] if places else []


def _histogram(bins: list[lengths.Bin], style: Style) -> Iterator[str]:
    bins = occupied_bins(bins)
    most = max((one.count for one in bins), default=0)
    total = sum(one.count for one in bins)
    width = max((len(f"{one.first:,}\u2013{one.last:,}") for one in bins), default=0)
    for one in bins:
        label = f"{one.first:,}\u2013{one.last:,}"
        drawn = lengths.bar(one.count, whole=most, width=_BAR_WIDTH)
        share = f"{one.count:,} ({one.count / total:.0%})" if one.count else "0"
        yield f"    {label:>{width}} {style.paint('bar', drawn)} {style.paint('soft', share)}"


def _summary_row(name: str, summary: lengths.LengthSummary, limit: int | None) -> list[str]:
    cells = [one_line(name), f"{summary.mean:,.1f}"]
    cells += [f"{summary.percentiles[percent]:,}" for percent in lengths.PERCENTILES]
    cells.append(f"{summary.longest:,}")
    cells.append(f"{summary.num_at_limit / summary.num_lengths:.1%}" if limit else "")
    return cells


def table_lines(rows: list[list[str]], style: Style) -> Iterator[str]:
    """Yields a table: the first row is its head, the first column stands left, the rest right.

    Args:
      rows: Of equal length.
      style: How to write.

    Yields:
      Lines.
    """
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [
            f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths))
        ]
        line = "  " + "  ".join(cells).rstrip()
        yield style.paint("soft", line) if number == 0 else line


def fill_of(sample: Sample) -> dict[str, float]:
    """Returns the share of the rows' positions that hold a token, by feature.

    Args:
      sample: With at least one row.
    """
    return {
        name: sum(row.num_tokens(name) for row in sample.rows)
        / max(sum(len(row.features[name]) for row in sample.rows), 1)
        for name in sample.rows[0].features
    }


def rows_counted(sample: Sample) -> str:
    """Returns how much the numbers come from.

    Args:
      sample: With at least one row.
    """
    num_examples = sum(row.num_examples for row in sample.rows)
    found = f"{counted(num_examples, 'example')} in {counted(len(sample.rows), 'row')}"
    documents = sample.measured.documents
    if documents is None:
        return found
    return f"{found}; {counted(len(documents), 'document')}"


def length_table(sample: Sample) -> list[list[str]]:
    """Returns the lengths of examples and documents as a table with a head.

    Args:
      sample: With at least one row.
    """
    measured = sample.measured
    rows = [
        ["tokens", "mean", *(f"{p} %" for p in lengths.PERCENTILES), "longest", "at the limit"],
    ]
    for name, values in packed_rows.example_lengths(sample.rows).items():
        limit = measured.given.sequence_length[name]
        rows.append(_summary_row(name, lengths.summarise(values, limit=limit), limit))
    if measured.documents is not None:
        rows.append(_summary_row("documents", lengths.summarise(measured.documents), None))
    return rows


def summary_lines(sample: Sample, style: Style) -> Iterator[str]:
    """Yields lengths and fill rates.

    Args:
      sample: With at least one row.
      style: How to write.

    Yields:
      Lines.
    """
    measured = sample.measured
    yield ""
    title = style.paint("title", "Lengths and fill")
    yield f"{title}  {style.paint('soft', rows_counted(sample))}"
    yield from table_lines(length_table(sample), style)
    for name, values in packed_rows.example_lengths(sample.rows).items():
        yield f"  {one_line(name)}"
        limit = measured.given.sequence_length[name]
        yield from _histogram(lengths.linear_bins(values, limit=limit), style)
    if measured.documents is not None:
        yield "  documents"
        yield from _histogram(lengths.doubling_bins(measured.documents), style)
    yield "  positions that hold a token"
    shares = fill_of(sample)
    width = max(len(one_line(name)) for name in shares)
    for name, share in shares.items():
        drawn = lengths.bar(share, whole=1.0, width=_BAR_WIDTH)
        shown = style.paint("soft", f"{share:.1%}")
        yield f"    {one_line(name):{width}} {style.paint('bar', drawn)} {shown}"


def window_table(sample: Sample) -> list[list[str]]:
    """Returns how documents fare with windows of several lengths; empty where that is not known.

    Args:
      sample: What was read.
    """
    documents = sample.measured.documents
    if documents is None:
        return []
    rows = [["window", "filled", "documents whole", "tokens in those", "windows per document"]]
    for one in suggestions.windows_of(documents):
        shares = (one.fill, one.share_whole, one.share_tokens_whole)
        cells = [f"{share:.0%}" for share in shares]
        rows.append([f"{one.length:,}", *cells, f"{one.mean_windows:.1f}"])
    return rows


def suggestion_lines(sample: Sample, style: Style) -> Iterator[str]:
    """Yields the settings that the lengths ask for.

    Args:
      sample: What was read.
      style: How to write.

    Yields:
      Lines.
    """
    suggestion = suggestions.suggest(sample.measured)
    yield ""
    yield style.paint("title", "Settings that these lengths ask for")
    for reason in suggestion.reasons:
        yield f"  {one_line(reason)}"
    windows = window_table(sample)
    if windows:
        yield from table_lines(windows, style)
    yield ""
    for line in suggestion.gin_lines(sample.function):
        yield "  " + style.paint("good", line)
    lengths_wanted = ",".join(f"{one_line(n)}={m}" for n, m in suggestion.sequence_length.items())
    pack = "--pack" if suggestion.pack else "--nopack"
    yield style.paint("soft", f"  See them with --sequence_length={lengths_wanted} {pack}")
