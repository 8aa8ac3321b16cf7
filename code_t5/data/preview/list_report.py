"""The list of Tasks and Mixtures as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from code_t5.data.preview.listing import Entry
from code_t5.data.preview.number_report import table_lines
from code_t5.data.preview.terminal_style import Style
from code_t5.visible_text import one_line

_FIRST_SPLITS = ("train", "validation", "test")


def _splits(entries: list[Entry]) -> list[str]:
    found = dict.fromkeys(split for entry in entries for split in entry.counts)
    return [split for split in _FIRST_SPLITS if split in found] + [
        split for split in found if split not in _FIRST_SPLITS
    ]


def _cell(entry: Entry, split: str) -> str:
    if split not in entry.counts:
        return "\u2013"
    count = entry.counts[split]
    return "?" if count is None else f"{count:,}"


def _cached(entry: Entry) -> str:
    if entry.cache_dir is None:
        return "not cached"
    differing = [
        split
        for split, count in entry.cached.items()
        if entry.counts.get(split) not in (None, count)
    ]
    found = ", ".join(f"{split} {entry.cached[split]:,}" for split in differing)
    return entry.cache_dir + (f" (cached examples: {found})" if found else "")


def _by_first_name(names: list[str]) -> list[str]:
    """Puts names that begin with another one, as those of its objectives do, together with it."""
    counts: dict[str, int] = {}
    for name in sorted(names):
        first = next((one for one in counts if name.startswith(f"{one}_")), name)
        counts[first] = counts.get(first, 0) + 1
    return [
        name if count == 1 else f"{name} and {name}_\u2026 ({count:,})"
        for name, count in counts.items()
    ]


def _kind_lines(title: str, entries: list[Entry], style: Style) -> Iterator[str]:
    readable = [entry for entry in entries if entry.problem is None]
    yield style.paint("title", f"{title} ({len(entries):,})")
    if readable:
        splits = _splits(readable)
        rows = [["name", *map(one_line, splits)]]
        rows += [[one_line(one.name), *(_cell(one, split) for split in splits)] for one in readable]
        drawn = list(table_lines(rows, style))
        yield drawn[0] + style.paint("soft", "  cached")
        width = max(map(len, drawn[1:]))
        for line, entry in zip(drawn[1:], readable):
            role = "soft" if entry.cache_dir is None else "good"
            yield f"{line:<{width}}  " + style.paint(role, one_line(_cached(entry)))
            for name, share in entry.members:
                yield style.paint("soft", f"    {share:6.1%}  {one_line(name)}")
    by_problem: dict[str, list[str]] = {}
    for entry in entries:
        if entry.problem is not None:
            by_problem.setdefault(one_line(entry.problem), []).append(entry.name)
    for problem, names in by_problem.items():
        listed = one_line(", ".join(_by_first_name(names)))
        yield "  " + style.paint("warning", problem) + style.paint("soft", f": {listed}")


def list_lines(entries: list[Entry], style: Style) -> Iterator[str]:
    """Yields the list.

    Args:
      entries: Tasks and Mixtures.
      style: How to write.

    Yields:
      Lines.
    """
    yield from _kind_lines("Tasks", [one for one in entries if not one.is_mixture], style)
    mixtures = [one for one in entries if one.is_mixture]
    if mixtures:
        yield ""
        yield from _kind_lines("Mixtures", mixtures, style)
