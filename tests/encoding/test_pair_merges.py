from __future__ import annotations

import argparse
import json
import pathlib
import string

import numpy as np
import pytest
import vocabulary_texts

from code_t5.encoding import byte_bpe_model, pair_merges, piece_model, ragged, text_units
from preprocessing import byte_bpe_training, vocabulary_training

_CODE = pathlib.Path(argparse.__file__).read_text(encoding="utf-8")
_TEXTS = (_CODE, *vocabulary_texts.NASTY_TEXTS, *vocabulary_texts.random_texts(1500, seed=9))
_UNITS = sorted({unit for text in _TEXTS for unit in text_units.split_units(text)} - {"\0"})


def _piece_model(folder):
    vocabulary_training.train_vocabulary(
        [string.printable, _CODE], output_dir=folder / "pieces", vocab_size=1500
    )
    return piece_model.load_piece_model(folder / "pieces")


def _byte_bpe_model(folder):
    del folder
    return byte_bpe_model.ByteBpeModel(
        byte_bpe_training.train_tokenizer([string.printable, _CODE], vocab_size=1500)
    )


@pytest.fixture(scope="module", params=[_piece_model, _byte_bpe_model])
def model(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("vocabularies"))


def _lay_out(units):
    encoded = [unit.encode("utf-8") for unit in units]
    data = np.frombuffer(b"".join([*encoded, bytes(64)]), dtype=np.uint8)
    offsets = ragged.offsets_of(np.array(list(map(len, encoded))))
    return data, offsets[:-1], offsets[1:]


def _merge(merger, units):
    """Returns the units that were merged, and their ids."""
    data, starts, ends = _lay_out(units)
    rows, merged = merger.merge(data, starts=starts, ends=ends)
    assert rows.num_rows == len(merged) == len(set(merged.tolist()))
    return {units[place]: rows.row(row).tolist() for row, place in enumerate(merged)}


def test_ids_are_those_of_the_library(model):
    found = _merge(pair_merges.PairMerger(pair_merges.read_rules(model)), _UNITS)
    assert found == dict(zip(found, model.encode_units(list(found))))
    assert len(found) > 1000
    assert {len(ids) for ids in found.values()} >= set(range(1, 10))
    assert {"def", " def", "._get_formatter", " "} <= set(found)


def test_small_blocks_give_the_same_ids(model, monkeypatch):
    merger = pair_merges.PairMerger(pair_merges.read_rules(model))
    found = _merge(merger, _UNITS)
    monkeypatch.setattr(pair_merges, "_BLOCK_IDS", 64)
    assert _merge(merger, _UNITS) == found


def test_units_that_are_not_plain_are_left_to_the_library(model):
    merger = pair_merges.PairMerger(pair_merges.read_rules(model))
    units = ["é", "aé", "\n", "\t", "\t\t", "  ", " " * 24, "a" * 31]
    assert _merge(merger, units) == {}
    assert set(_merge(merger, ["a" * 30, " ", " a", "a"])) == {"a" * 30, " ", " a", "a"}


def test_no_units_have_no_ids(model):
    assert _merge(pair_merges.PairMerger(pair_merges.read_rules(model)), []) == {}


def _rules(pairs, *, results):
    byte_ids = np.zeros(256, dtype=np.int32)
    byte_ids[[*b"abc"]] = (1, 2, 3)
    ranks = np.arange(len(pairs))
    return pair_merges.MergeRules(byte_ids, np.array(pairs), ranks, np.array(results))


def test_the_lowest_rank_goes_first_and_then_the_leftmost():
    # a b -> 4, b c -> 5, 4 c -> 6, a 5 -> 7, a a -> 8
    rules = _rules([(2, 3), (1, 2), (4, 3), (1, 5), (1, 1)], results=[5, 4, 6, 7, 8])
    found = _merge(pair_merges.PairMerger(rules), ["abc", "ab", "aaa", "aaaa", "cba", "aabcab"])
    assert found == {
        "abc": [7],
        "ab": [4],
        "aaa": [8, 1],
        "aaaa": [8, 8],
        "cba": [3, 2, 1],
        "aabcab": [1, 7, 4],
    }


def test_a_merge_that_gives_an_earlier_id_goes_on_with_that_ones_rank():
    # a b -> 4, 4 c -> 5, b a -> 4: the second way to 4 comes last, and 4 c is then the lowest.
    rules = _rules([(1, 2), (4, 3), (2, 1)], results=[4, 5, 4])
    found = _merge(pair_merges.PairMerger(rules), ["bacba", "bac", "abab"])
    assert found == {"bacba": [5, 4], "bac": [5], "abab": [4, 4]}


class _OtherModel:
    special_characters = ()


def test_other_models_have_no_rules():
    assert pair_merges.read_rules(_OtherModel()) is None


@pytest.mark.parametrize("change", [{"dropout": 0.1}, {"ignore_merges": True}, {"type": "Unigram"}])
def test_what_is_not_done_here_is_left_to_the_library(change):
    model = _byte_bpe_model(None)
    fields = json.loads(model.tokenizer_json)
    fields["model"].update(change)
    model.tokenizer_json = json.dumps(fields).encode()
    assert pair_merges.read_rules(model) is None
