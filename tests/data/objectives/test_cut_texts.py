from __future__ import annotations

import numpy as np
import pytest

from code_t5.data.objectives import token_tables
from code_t5.data.objectives.cut_texts import CutTexts
from code_t5.encoding.ragged import Ragged


@pytest.fixture
def cut(model):
    """Cuts windows that are given as texts, encoded piece by piece, and returns ids by part."""
    tables = token_tables.TokenTables(model)

    def cut_windows(windows, *, begins_line, cuts):
        rows = Ragged.from_rows([sum(map(model.encode, pieces), []) for pieces in windows])
        texts = CutTexts(rows, begins_line=np.array(begins_line), tables=tables)
        positions = texts.byte_bounds[:-1, None] + np.array(cuts)
        parts = texts.parts(positions)
        made = [part.gather(texts.pool) for part in parts]
        return [[part.row(row).tolist() for part in made] for row in range(len(windows))]

    return cut_windows


def test_parts_of_a_cut_line_are_encoded_anew(model, cut):
    ((first, second),) = cut([["def first(x):\n    return x\n"]], begins_line=[True], cuts=[[6]])
    assert first == model.encode("def fi")
    assert second == model.encode("rst(x):\n    return x\n")


def test_a_window_after_one_that_ended_with_a_line_does_not_begin_with_one(model, cut):
    split = ["de", "f", "\n", "x\n"]
    assert sum(map(model.encode, split), []) != model.encode("def\nx\n")
    rows = cut([["a\n"], split], begins_line=[True, False], cuts=[[2], [6]])
    assert rows[0] == [model.encode("a\n"), []]
    assert rows[1] == [model.encode("def\nx\n"), []]


def test_a_window_before_one_that_begins_with_a_line_does_not_end_with_one(model, cut):
    rows = cut([["x\n", "de", "f"], ["a\n"]], begins_line=[True, True], cuts=[[0], [0]])
    assert rows[0] == [[], model.encode("x\ndef")]
    assert rows[1] == [[], model.encode("a\n")]


def test_whole_lines_keep_their_tokens(model, cut):
    # Encoded piece by piece, to tell them from lines that are encoded anew.
    (parts,) = cut([["a\n", "de", "f", "\n", "b\n"]], begins_line=[True], cuts=[[2, 6]])
    kept = model.encode("de") + model.encode("f") + model.encode("\n")
    assert parts == [model.encode("a\n"), kept, model.encode("b\n")]


def test_windows_without_a_line_end_are_cut_too(model, cut):
    rows = cut([["abc def"], ["word"]], begins_line=[False, True], cuts=[[1, 4], [0, 4]])
    assert rows[0] == [model.encode("a"), model.encode("bc "), model.encode("def")]
    assert rows[1] == [[], model.encode("word"), []]


def test_bounds_are_those_of_characters_and_of_lines(model):
    rows = Ragged.from_rows([model.encode("\u00e9a\n\nb"), model.encode("\n")])
    texts = CutTexts(
        rows, begins_line=np.array([False, True]), tables=token_tables.TokenTables(model)
    )
    characters, lines = texts.character_bounds(), texts.line_bounds()
    assert [characters.row(i).tolist() for i in range(2)] == [[0, 2, 3, 4, 5, 6], [6, 7]]
    assert [lines.row(i).tolist() for i in range(2)] == [[0, 4, 5, 6], [6, 7]]
