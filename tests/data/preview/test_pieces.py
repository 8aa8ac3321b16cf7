from __future__ import annotations

import numpy as np
import pytest
from fake_word_vocabulary import reader

from code_t5.data.preview import pieces

_ALPHA, _BETA, _NEWLINE, _DELTA = 3, 4, 5, 7
_FIRST_SENTINEL, _SECOND_SENTINEL = 11, 10


def _read(*ids):
    return [(one.kind, one.text, one.num_tokens) for one in reader().read(np.array(ids, np.int32))]


def test_neighbours_of_one_kind_are_one_piece():
    assert _read(_ALPHA, _BETA, _NEWLINE, 1, 0, 0) == [
        ("text", "alpha beta\n", 3),
        ("end", "end", 1),
        ("padding", "padding × 2", 2),
    ]


def test_sentinels_count_down_from_the_last_id():
    assert _read(_FIRST_SENTINEL, _SECOND_SENTINEL) == [
        ("sentinel", "extra_id_0", 1),
        ("sentinel", "extra_id_1", 1),
    ]


def test_a_space_behind_a_sentinel_stays():
    assert _read(_FIRST_SENTINEL, _BETA)[1] == ("text", " beta", 1)


def test_a_text_begins_as_it_is_decoded():
    assert _read(_BETA) == [("text", "beta", 1)]


def test_ids_that_the_vocabulary_has_not_are_unknown():
    assert _read(2, 12, -1) == [
        ("unknown", "unknown 2", 1),
        ("unknown", "unknown 12", 1),
        ("unknown", "unknown -1", 1),
    ]


def test_no_ids_are_no_pieces():
    assert _read() == []


def test_a_vocabulary_without_text_shows_its_numbers():
    plain = pieces.TokenReader(
        lambda ids: ids, vocab_size=100, num_sentinels=0, end_id=None, unknown_id=None
    )
    assert plain.read([5, 1, 7, 0]) == [
        pieces.Piece("text", "5 1 7", 3),
        pieces.Piece("padding", "padding × 1", 1),
    ]


@pytest.mark.parametrize("text", ["x = '<extra_id_0>'\n", "    return naïve\t# ⟦end⟧\r\n"])
def test_our_vocabulary_is_read_back(small_data_dir, text):
    from code_t5.data import vocabularies

    vocabulary = vocabularies.CodeVocabulary(str(small_data_dir / "vocabularies/default"))
    ids = vocabulary.encode(text)
    sentinel = vocabulary.vocab_size - 1
    found = pieces.TokenReader.of_vocabulary(vocabulary).read([*ids, sentinel, *ids, 1])
    assert [(one.kind, one.text) for one in found] == [
        ("text", text),
        ("sentinel", "extra_id_0"),
        ("text", text),
        ("end", "end"),
    ]


def test_bytes_of_seqio_are_read():
    import seqio

    vocabulary = seqio.ByteVocabulary(extra_ids=100)
    found = pieces.TokenReader.of_vocabulary(vocabulary).read(
        [*vocabulary.encode("é=1"), vocabulary.vocab_size - 2, 1]
    )
    assert [(one.kind, one.text) for one in found] == [
        ("text", "é=1"),
        ("sentinel", "extra_id_1"),
        ("end", "end"),
    ]
