"""The examples of `docs/objectives.md` are of the file that it names, as that file is now."""

from __future__ import annotations

import re

import house_rules

_BLOCK = re.compile(r"^(inputs|targets), (\d+) tokens:\n\n```\n(.*?)\n```$", re.M | re.S)
_SENTINEL = re.compile(r"<extra_id_\d+>")
_HEADER = "# code_t5: code_t5/training/event_files.py\n"


def _blocks():
    page = (house_rules.ROOT / "docs/objectives.md").read_text(encoding="utf-8")
    return [(kind, int(count), text) for kind, count, text in _BLOCK.findall(page)]


def test_every_piece_of_an_example_stands_in_the_file():
    path = house_rules.ROOT / "code_t5/training/event_files.py"
    source = path.read_text(encoding="utf-8")
    blocks = _blocks()
    assert len(blocks) == 21
    for _, _, text in blocks:
        for piece in _SENTINEL.split(text.replace(_HEADER, "")):
            assert piece in source


def test_lengths_of_examples_can_be_those_of_their_texts():
    for kind, count, text in _blocks():
        # A token holds at least a byte, and 20 at most of these.
        assert len(_SENTINEL.sub(".", text).encode()) / 20 <= count <= len(text.encode()) + 1, kind
