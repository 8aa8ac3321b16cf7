from __future__ import annotations

import pytest

from preprocessing.html_report import palette

_TEXT_ON = [
    *[("text", surface) for surface in ("page", "card", "sunken")],
    *[("text", surface) for surface in ("left", "left-mark", "right", "right-mark")],
    *[("soft", surface) for surface in ("page", "card", "sunken", "left", "right")],
    *[(name, "page") for name in ("accent", "good", "bad")],
    *[(name, "card") for name in ("good", "bad")],
]
_SHAPE_ON = [(name, s) for name in ("accent", "drop", "third") for s in ("page", "card", "sunken")]


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_shapes_stand_out_in_both_themes(dark):
    for least, pairs in ((4.5, _TEXT_ON), (3.0, _SHAPE_ON)):
        for name, surface in pairs:
            found = palette.contrast(palette.COLOURS[name][dark], palette.COLOURS[surface][dark])
            assert found >= least, (name, surface, round(found, 2))


def test_stand_ins_are_not_mistaken_for_each_other():
    assert len(set(palette.MARKS.values())) == len(palette.COLOURS)
    assert not set(palette.MARKS.values()) & {c for pair in palette.COLOURS.values() for c in pair}
