"""The tables of the HTML report.

Every name from the data set passes through `clean_text` here; the template escapes it. Lists are
cut, and say how many rows are left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from preprocessing.html_report import verdict_words
from preprocessing.html_report.ledger_totals import Group, LedgerTotals
from preprocessing.html_report.numbers_shown import (
    count_shown,
    ratio_shown,
    share_shown,
    size_shown,
    width_of,
)
from preprocessing.html_report.side_by_side import clean_text

MAX_ROWS = 40
MAX_LICENSES = 12

Report = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of text; the first column is a name, most others are numbers.

    Attributes:
      head: Names of the columns.
      rows: One text per column.
      bars: Width of the bar behind each name, in percent; empty for none.
      num_hidden: Rows left out.
      texts: Columns, counted from 0, that are no numbers.
    """

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    bars: list[str] = dataclasses.field(default_factory=list)
    num_hidden: int = 0
    texts: tuple[int, ...] = (0,)


def file_name(row: Mapping[str, Any]) -> str:
    """Returns where a file of the ledger lies, safe to look at.

    Args:
      row: With `repository` and `path`.

    Returns:
      Both.
    """
    return clean_text(f"{row['repository']}/{row['path']}")


def _cut(rows: Sequence[Any]) -> tuple[Sequence[Any], int]:
    return rows[:MAX_ROWS], max(0, len(rows) - MAX_ROWS)


def _group_rows(groups: Iterable[Group]) -> list[tuple[str, ...]]:
    return [
        (
            clean_text(group.name),
            count_shown(group.num_found),
            count_shown(group.num_kept),
            size_shown(group.size_kept),
        )
        for group in groups
    ]


def _group_bars(groups: Sequence[Group]) -> list[str]:
    most = max((group.size_kept for group in groups), default=0)
    return [width_of(group.size_kept, most) for group in groups]


def languages(totals: LedgerTotals) -> Table:
    """Returns the languages, most kept bytes first.

    Args:
      totals: Of the ledger.

    Returns:
      A table.
    """
    head = ("Language", "Files found", "Files kept", "Bytes kept", "Share of bytes")
    whole = totals.bytes_by_verdict.get(verdict_words.KEPT, 0)
    shares = [share_shown(group.size_kept, whole) for group in totals.languages]
    rows = [(*row, share) for row, share in zip(_group_rows(totals.languages), shares)]
    hidden = totals.num_languages - len(rows)
    return Table(head, rows, _group_bars(totals.languages), hidden)


def repositories(totals: LedgerTotals) -> Table:
    """Returns the largest repositories.

    Args:
      totals: Of the ledger.

    Returns:
      A table.
    """
    head = ("Repository", "Files found", "Files kept", "Bytes kept", "Split")
    splits = [group.split or "none kept" for group in totals.repositories]
    rows = [(*row, split) for row, split in zip(_group_rows(totals.repositories), splits)]
    hidden = totals.num_repositories - len(rows)
    return Table(head, rows, _group_bars(totals.repositories), hidden, (0, 4))


def splits(report: Report) -> Table:
    """Returns the splits.

    Args:
      report: What `report.json` holds.

    Returns:
      A table.
    """
    found = report.get("splits") or {}
    whole = sum(counts["num_examples"] for counts in found.values())
    rows = [
        (
            clean_text(name),
            count_shown(counts["num_examples"]),
            share_shown(counts["num_examples"], whole),
            size_shown(counts["num_bytes"]),
            count_shown(counts["num_repositories"]),
            count_shown(counts.get("num_shards", 0)),
        )
        for name, counts in found.items()
    ]
    head = ("Split", "Records", "Share", "Bytes", "Repositories", "Shards")
    bars = [width_of(counts["num_examples"], whole) for counts in found.values()]
    return Table(head, rows, bars)


def leaks(report: Report) -> Table:
    """Returns what each pair of splits shares.

    Args:
      report: What `report.json` holds.

    Returns:
      A table.
    """
    found = report.get("leaks") or {}
    pairs = found.get("pairs") or []
    size = pairs[0]["ngram_size"] if pairs else 13
    head = ("Splits", "Equal texts", "Near copies", f"Shared {size}-grams", "Of the second")
    rows = [
        (
            clean_text(f"{pair['first']} / {pair['second']}"),
            count_shown(pair["exact"]),
            count_shown(pair["near"]),
            count_shown(pair["shared_ngrams"]),
            share_shown(pair["share_of_second"], 1),
        )
        for pair in pairs
    ]
    return Table(head, rows)


def redactions(report: Report) -> Table:
    """Returns how much was found of each kind of private data.

    Args:
      report: What `report.json` holds.

    Returns:
      A table.
    """
    found = report.get("redaction") or {}
    counts, files = found.get("counts") or {}, found.get("files") or {}
    names = {
        "email": "E-mail address",
        "ipv4": "IPv4 address",
        "ipv6": "IPv6 address",
        "private_key": "Private key",
        "secret": "Secret",
    }
    kinds = [*names, *sorted(set(counts) - set(names))]
    rows = [
        (clean_text(names.get(kind, kind)), count_shown(counts[kind]), count_shown(files[kind]))
        for kind in kinds
        if kind in counts and kind in files
    ]
    most = max(counts.values(), default=0)
    bars = [width_of(counts[kind], most) for kind in kinds if kind in counts and kind in files]
    return Table(("Kind", "Found", "In files"), rows, bars)


def licenses(report: Report) -> tuple[Table, Table]:
    """Returns how many files have which licence, and where it was found.

    Args:
      report: What `report.json` holds.

    Returns:
      Two tables.
    """
    sources = {
        "unknown": "nowhere",
        "spdx_tag": "SPDX tag in the file",
        "header": "header of the file",
        "license_file": "licence file of the repository",
        "": "nowhere",
    }
    found, tables = report.get("licenses") or {}, []
    for key, head in (("by_expression", "Licence"), ("by_source", "Where it was found")):
        counts = {name: files for name, files in (found.get(key) or {}).items() if files}
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        whole = sum(counts.values())
        shown, hidden = ordered[:MAX_LICENSES], max(0, len(ordered) - MAX_LICENSES)
        names = sources if key == "by_source" else {}
        rows = [
            (
                clean_text(names.get(name, name)),
                count_shown(files),
                share_shown(files, whole),
            )
            for name, files in shown
        ]
        most = max(counts.values(), default=0)
        bars = [width_of(files, most) for _, files in shown]
        tables.append(Table((head, "Files", "Share"), rows, bars, hidden))
    return tables[0], tables[1]


def benchmarks(report: Report) -> tuple[Table, Table]:
    """Returns which benchmarks were searched for, and where something of them was found.

    Args:
      report: What `report.json` holds.

    Returns:
      Two tables.
    """
    found = report.get("decontamination") or {}
    searched, hidden = _cut(found.get("benchmarks") or [])
    keys = ("num_entries", "num_searched", "num_too_short", "num_allowed")
    rows = [
        (clean_text(str(one["file"])), *(count_shown(one.get(key, 0)) for key in keys))
        for one in searched
    ]
    head = ("Benchmark", "Entries", "Texts searched for", "Too short", "Allowed")
    first = Table(head, rows, [], hidden)
    matches, _ = _cut(found.get("matches") or [])
    # The list in the report is itself cut; the number of files is not.
    hidden = max(0, found.get("num_files", 0) - len(matches))
    files = [(file_name(one), clean_text(str(one["found"]))) for one in matches]
    return first, Table(("File", "What was found"), files, [], hidden, (0, 1))


def fertility(report: Report) -> Table:
    """Returns how well the vocabulary fits each language.

    Args:
      report: What `report.json` holds.

    Returns:
      A table.
    """
    found = (report.get("vocabulary") or {}).get("by_language") or {}
    ordered = sorted(found.items(), key=lambda item: (-item[1]["num_characters"], item[0]))
    shown, hidden = _cut(ordered)
    rows, ratios = [], []
    for name, one in shown:
        texts, characters, tokens = one["num_texts"], one["num_characters"], one["num_tokens"]
        ratios.append(characters / tokens if tokens else 0.0)
        rows.append(
            (
                clean_text(name),
                ratio_shown(characters, tokens) or "–",
                count_shown(tokens / texts) if texts else "–",
                count_shown(tokens),
                count_shown(texts),
            )
        )
    head = ("Language", "Characters per token", "Tokens per text", "Tokens", "Texts")
    bars = [width_of(ratio, max(ratios)) for ratio in ratios]
    return Table(head, rows, bars, hidden)
