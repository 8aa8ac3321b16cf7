from __future__ import annotations

import re

from code_t5.data.preview import list_report
from code_t5.data.preview.listing import Entry
from code_t5.data.preview.terminal_style import Style

_EVIL = "\x1b]0;evil\x07"
_ENTRIES = [
    Entry(f"task{_EVIL}", False, counts={"train": 3, f"split{_EVIL}": 1}),
    Entry(f"kept{_EVIL}", False, counts={"train": 5}, cached={"train": 4}, cache_dir=f"/c{_EVIL}"),
    Entry(f"lost{_EVIL}", False, problem=f"damaged{_EVIL}"),
    Entry("mixed", True, counts={"train": 3}, members=((f"member{_EVIL}", 1.0),)),
]


def test_no_name_commands_the_terminal():
    shown = "\n".join(list_report.list_lines(_ENTRIES, Style(width=100)))
    assert shown.replace("\n", "").isprintable()
    for name in ("task", "split", "kept", "/c", "lost", "damaged", "member"):
        assert f"{name}\u241b]0;evil\u2407" in shown
    coloured = "\n".join(list_report.list_lines(_ENTRIES, Style(is_coloured=True, width=100)))
    left = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert left == shown


def test_columns_stand_below_their_heads():
    lines = list(list_report.list_lines(_ENTRIES[:2], Style(width=100)))
    assert lines[0] == "Tasks (2)"
    head, first, second = lines[1:]
    place = head.index("train")
    assert first[place : place + 5] == "    3" and second[place : place + 5] == "    5"
    assert first.endswith("not cached")
    assert second.endswith("/c\u241b]0;evil\u2407 (cached examples: train 4)")
