"""The charts of the HTML report, each with its numbers as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from preprocessing.html_report import charts, ledger_totals
from preprocessing.html_report.numbers_shown import bin_label, count_shown

_SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A chart and the numbers in it.

    Attributes:
      title: What it shows.
      note: How to read it.
      svg: The chart.
      head: Names of the columns.
      rows: The numbers, written out.
    """

    title: str
    note: str
    svg: Markup
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def _occupied(*counts: Sequence[int]) -> range:
    """Returns the bins from the first to the last that is not empty in some of the counts."""
    places = [place for one in counts for place, count in enumerate(one) if count]
    return range(min(places), max(places) + 1) if places else range(0)


def draw_sizes(totals: ledger_totals.LedgerTotals) -> Drawing | None:
    """Draws how large the files are, found and kept.

    Args:
      totals: Of the ledger.

    Returns:
      The chart, or None without files.
    """
    bins = _occupied(totals.sizes_found.tolist())
    if not bins:
        return None
    found, kept = ([int(one[b]) for b in bins] for one in (totals.sizes_found, totals.sizes_kept))
    labels = [bin_label(place) for place in bins]
    middle = bin_label(bins[int(np.argmax(found))])
    words = charts.Words(
        "sizes",
        "Sizes of the files",
        f"Bars for {len(bins)} sizes; most files have {middle} bytes or up to twice that.",
        "bytes, from this to twice this (K = 1,024)",
        "files",
    )
    series = [charts.Series("found", found, "pale"), charts.Series("kept", kept, "accent")]
    rows = [
        (f"{a}–{bin_label(b + 1)}", count_shown(f), count_shown(k))
        for a, b, f, k in zip(labels, bins, found, kept)
    ]
    svg = charts.draw_bars(words, labels=labels, series=series)
    note = "As found, before anything was taken out of them."
    return Drawing(words.title, note, svg, ("bytes", "found", "kept"), rows)


def draw_token_lengths(by_split: Mapping[str, Sequence[int]]) -> Drawing | None:
    """Draws how long the texts are in tokens, as shares of each split.

    Args:
      by_split: Counts by power of two, as `report.json` has them.

    Returns:
      The chart, or None without texts.
    """
    names = [name for name in _SPLITS if any(by_split.get(name, ()))]
    bins = _occupied(*(by_split[name] for name in names))
    if not bins:
        return None
    counts = {n: [int(by_split[n][b]) if b < len(by_split[n]) else 0 for b in bins] for n in names}
    labels = [bin_label(place) for place in bins]
    words = charts.Words(
        "tokens",
        "Lengths of the texts in tokens",
        f"Lines for {' and '.join(names)} over {len(bins)} lengths.",
        "tokens, from this to twice this (K = 1,024)",
        "% of the split's texts",
    )
    series = [
        charts.Series(name, [count / sum(counts[name]) for count in counts[name]], colour)
        for name, colour in zip(names, charts.COLOURS)
    ]
    rows = [
        (f"{label}–{bin_label(place + 1)}", *(count_shown(counts[name][i]) for name in names))
        for i, (label, place) in enumerate(zip(labels, bins))
    ]
    svg = charts.draw_shares(words, labels=labels, series=series)
    note = "Splits that were drawn from the same source lie on each other."
    return Drawing(words.title, note, svg, ("tokens", *names), rows)


def draw_concentration(totals: ledger_totals.LedgerTotals) -> Drawing | None:
    """Draws which share of the kept bytes the largest repositories hold.

    Args:
      totals: Of the ledger.

    Returns:
      The chart, or None with fewer than three repositories.
    """
    number, whole = len(totals.size_by_rank), int(totals.size_by_rank.sum())
    if number < 3 or not whole:
        return None
    steps = (1, 2, 5)
    ranks = [s * 10**p for p in range(10) for s in steps if s * 10**p < number] + [number]
    shares = [float(share) for share in totals.size_by_rank.cumsum()[np.array(ranks) - 1] / whole]
    words = charts.Words(
        "concentration",
        "What the largest repositories hold",
        f"A curve: the largest of {number:,} repositories holds {shares[0]:.0%} of the bytes kept, "
        f"the largest {ranks[-2]:,} hold {shares[-2]:.0%}.",
        "largest repositories",
        "% of the bytes kept",
    )
    rows = [(count_shown(rank), f"{100 * share:.1f} %") for rank, share in zip(ranks, shares)]
    svg = charts.draw_curve(words, ranks=ranks, shares=shares)
    note = "A curve that is high at the left means that few repositories set the tone."
    return Drawing(words.title, note, svg, ("largest repositories", "of the bytes kept"), rows)


def draw_cluster_sizes(sizes: Mapping[int, int]) -> Drawing | None:
    """Draws how many clusters of copies there are of each size.

    Args:
      sizes: Number of clusters by size.

    Returns:
      The chart, or None without clusters.
    """
    grouped: dict[int, int] = {}
    for size, number in sizes.items():
        # 2 and 3 by themselves, then 4 to 7, 8 to 15 and so on.
        start = size if size < 4 else 1 << (size.bit_length() - 1)
        grouped[start] = grouped.get(start, 0) + number
    if not grouped:
        return None
    powers = [1 << p for p in range(2, max(grouped).bit_length())]
    starts = [start for start in (2, 3, *powers) if start <= max(grouped)]
    labels = [f"{s:,}" if s < 4 else f"{s:,}–{2 * s - 1:,}" for s in starts]
    counts = [grouped.get(start, 0) for start in starts]
    words = charts.Words(
        "clusters",
        "How many copies a text has",
        f"Bars: {sum(counts):,} clusters, {counts[0]:,} of them pairs.",
        "files in the cluster",
        "clusters",
    )
    short = [bin_label(start.bit_length() - 1) if start > 3 else str(start) for start in starts]
    short = labels if len(labels) < 6 else short
    svg = charts.draw_bars(
        words, labels=short, series=[charts.Series("clusters", counts, "accent")]
    )
    rows = [(label, count_shown(count)) for label, count in zip(labels, counts)]
    note = "From 4 on, each bar reaches up to the next one."
    return Drawing(words.title, note, svg, ("files in the cluster", "clusters"), rows)


def draw_all(
    report: Mapping[str, Any], totals: ledger_totals.LedgerTotals
) -> dict[str, Drawing | None]:
    """Draws every chart.

    Args:
      report: What `report.json` holds.
      totals: Of the ledger.

    Returns:
      Charts by key, None where there is nothing to draw.
    """
    vocabulary = report.get("vocabulary") or {}
    return {
        "sizes": draw_sizes(totals),
        "tokens": draw_token_lengths(vocabulary.get("token_lengths") or {}),
        "concentration": draw_concentration(totals),
        "clusters": draw_cluster_sizes(totals.cluster_sizes),
    }
