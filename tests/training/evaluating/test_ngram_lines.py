from __future__ import annotations

import numpy as np
import pytest

from code_t5.encoding import token_model
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.unit_encoder import UnitEncoder
from code_t5.storage import prepared
from code_t5.training.evaluating import ngram_lines, ngram_model

_TEXT = "class Store:\n    def read(self, name):\n        return self.values[name]\n"


@pytest.fixture
def model(small_data_dir):
    dataset = prepared.list_datasets(str(small_data_dir))[0]
    return token_model.load_token_model(dataset.vocabulary_dir)


def _lines(model, texts, **settings):
    rows = UnitEncoder(model).encode([text.encode() for text in texts])
    ids = [rows.row(index) for index in range(rows.num_rows)]
    orders = ngram_model.count_orders(ids, vocab_size=model.vocab_size, max_order=12)
    ngrams = ngram_model.NgramModel(orders, vocab_size=model.vocab_size)
    return ngram_lines.NgramLines(ngrams, model=model, **settings)


def test_lines_that_were_seen_are_written_to_their_end(model):
    lines = _lines(model, [_TEXT] * 3)
    prompt, _, _ = _TEXT.partition("return")
    assert lines.complete(prompt) == "return self.values[name]"
    assert lines.complete("class Store:\n    ") == "def read(self, name):"


def test_the_last_tokens_are_written_anew_so_that_cut_words_go_on(model):
    ends = range(_TEXT.index("return"), _TEXT.index("[name]"))

    def count_right(num_healed):
        lines = _lines(model, [_TEXT] * 3, healed_tokens=num_healed)
        found = [_TEXT[:end] + lines.complete(_TEXT[:end]) + "\n" for end in ends]
        return found.count(_TEXT)

    assert count_right(0) < count_right(1) < count_right(4) == len(ends)
    # One is what a model is measured beside.
    usual = _lines(model, [_TEXT] * 3)
    found = [_TEXT[:end] + usual.complete(_TEXT[:end]) + "\n" for end in ends]
    assert found.count(_TEXT) == count_right(1)


def test_what_is_written_begins_behind_the_cursor_whatever_stands_before(model):
    lines = _lines(model, [_TEXT], healed_tokens=4, max_new_tokens=20)
    for prompt in ("", "x", "語", "\n\n", "  語 = é", "clas", "\t"):
        found = lines.complete(prompt)
        assert "\n" not in found and "<extra_id" not in found
    assert lines.complete("clas") == "s Store:"


def test_no_more_tokens_than_asked_for(model):
    lines = _lines(model, [_TEXT] * 3, max_new_tokens=1)
    found = lines.complete("class Store:\n    ")
    assert found and len(model.encode(found)) == 1


class _JoiningModel:
    """A vocabulary with pieces that hold a line end and more."""

    pieces = (b"", b"x", b"=", b"1\ny", b"\n")
    num_pieces = vocab_size = len(pieces)
    special_characters = ()

    @property
    def token_bytes(self):
        return Ragged.from_rows([list(piece) for piece in self.pieces], np.uint8)


def test_a_piece_that_goes_on_behind_the_line_end_ends_the_line(monkeypatch):
    class Ngrams:
        """Writes the third piece for ever; counts how often it is asked."""

        max_order, asked = 2, 0

        def probabilities(self, context):
            self.asked += 1
            return np.array([0.0, 0.1, 0.1, 0.7, 0.1])

    ngrams = Ngrams()
    monkeypatch.setattr(ngram_lines, "UnitEncoder", lambda model: None)
    monkeypatch.setattr(ngram_lines.NgramLines, "_encode", lambda self, text: [])
    lines = ngram_lines.NgramLines(ngrams, model=_JoiningModel())
    assert (lines.complete(""), ngrams.asked) == ("1", 1)
