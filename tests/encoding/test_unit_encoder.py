from __future__ import annotations

import concurrent.futures
import dataclasses

import numpy as np
import pytest
import vocabulary_texts

from code_t5 import errors
from code_t5.encoding import number_table, piece_model, unit_encoder, unit_table
from preprocessing import vocabulary_training

_TEXTS = (*vocabulary_texts.NASTY_TEXTS, *vocabulary_texts.random_texts(2000, seed=5))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies") / "default"
    vocabulary_training.train_vocabulary(
        vocabulary_texts.TRAINING_TEXTS, output_dir=folder, vocab_size=430
    )
    return piece_model.load_piece_model(folder)


@pytest.fixture(autouse=True)
def _merge_however_few_units(monkeypatch):
    monkeypatch.setattr(unit_encoder, "_MIN_MERGED_UNITS", 0)


def _assert_same_ids(encoder, model, texts):
    rows = encoder.encode([text.encode("utf-8") for text in texts])
    assert rows.values.dtype == np.int32
    assert rows.num_rows == len(texts)
    for index, text in enumerate(texts):
        assert rows.row(index).tolist() == model.encode(text), repr(text)


def test_ids_are_those_of_the_model(model):
    encoder = unit_encoder.UnitEncoder(model)
    _assert_same_ids(encoder, model, _TEXTS)
    # The second time the units come out of the table.
    _assert_same_ids(encoder, model, _TEXTS[::-1])


def test_a_known_unit_is_not_encoded_again(model, monkeypatch):
    monkeypatch.setattr(unit_encoder.pair_merges, "read_rules", lambda model: None)
    asked = []
    original = model.encode_units
    monkeypatch.setattr(model, "encode_units", lambda units: asked.extend(units) or original(units))
    encoder = unit_encoder.UnitEncoder(model)
    encoder.encode([b"def f(x):", b"def g(x):"])
    assert sorted(asked) == sorted(["def", " f", " g", "(x", "):"])
    encoder.encode([b"def f(g):"])
    assert asked[5:] == ["(g"]


@pytest.mark.parametrize("piece", ["x = 'é日🙂' + y_1\n", "a1", "ab" * 40 + "+", " " * 30, "é"])
def test_ids_of_a_text_longer_than_a_batch_are_those_of_the_model(model, monkeypatch, piece):
    monkeypatch.setattr(unit_table, "_BATCH_BYTES", 1000)
    text = piece * (20_000 // len(piece))
    _assert_same_ids(unit_encoder.UnitEncoder(model), model, ["before", text, "", text, "after"])


def test_long_texts_are_cut_where_they_can_be(monkeypatch):
    monkeypatch.setattr(unit_table, "_BATCH_BYTES", 100)
    batches = list(unit_table.cut_texts([b"call(x)\n" * 100, b"y"]))
    assert len(batches) == 8
    assert max(len(batch.data) for batch in batches) < 130
    assert [batch.text_indexes.tolist() for batch in batches] == [[0]] * 7 + [[0, 1]]


def test_merges_that_differ_from_the_library_are_not_used(model, monkeypatch):
    rules = unit_encoder.pair_merges.read_rules(model)
    wrong = dataclasses.replace(rules, results=rules.results[::-1].copy())
    monkeypatch.setattr(unit_encoder.pair_merges, "read_rules", lambda model: wrong)
    _assert_same_ids(unit_encoder.UnitEncoder(model), model, _TEXTS)


def test_library_is_asked_for_no_plain_unit_once_merges_are_trusted(model, monkeypatch):
    monkeypatch.setattr(unit_encoder, "_CHECKED_UNITS", 0)
    asked = []
    original = model.encode_units
    monkeypatch.setattr(model, "encode_units", lambda units: asked.extend(units) or original(units))
    _assert_same_ids(unit_encoder.UnitEncoder(model), model, ["def f(x):\n\treturn 'é'"])
    assert sorted(asked) == ["\t", "\n", " 'é"]


def test_few_new_units_are_left_to_the_library(model, monkeypatch):
    monkeypatch.setattr(unit_encoder, "_MIN_MERGED_UNITS", 3)
    monkeypatch.setattr(unit_encoder, "_CHECKED_UNITS", 0)
    asked = []
    original = model.encode_units
    monkeypatch.setattr(model, "encode_units", lambda units: asked.extend(units) or original(units))
    encoder = unit_encoder.UnitEncoder(model)
    _assert_same_ids(encoder, model, ["a b"])
    assert sorted(asked) == [" b", "a"]
    _assert_same_ids(encoder, model, ["c d e"])
    assert len(asked) == 2


def test_threads_may_share_an_encoder(model, monkeypatch):
    monkeypatch.setattr(unit_encoder, "_MAX_POOL_IDS", 300)
    encoder = unit_encoder.UnitEncoder(model)
    starts = range(0, 800, 20)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = [
            pool.submit(_assert_same_ids, encoder, model, _TEXTS[start : start + 20])
            for start in starts
        ]
        for future in done:
            future.result()


def test_pickled_encoder_gives_the_same_ids(model):
    encoder = unit_encoder.UnitEncoder(model)
    made, arguments = encoder.__reduce__()
    _assert_same_ids(made(*arguments), model, _TEXTS[:100])


def test_no_texts_and_empty_texts_have_no_ids(model):
    encoder = unit_encoder.UnitEncoder(model)
    assert encoder.encode([]).offsets.tolist() == [0]
    assert encoder.encode([b"", b""]).offsets.tolist() == [0, 0, 0]


@pytest.mark.parametrize("limit", ["_MAX_POOL_IDS", "MAX_UNITS"])
def test_ids_stay_right_and_memory_bounded_when_the_table_starts_afresh(model, monkeypatch, limit):
    module = unit_table if limit == "MAX_UNITS" else unit_encoder
    monkeypatch.setattr(module, limit, 300)
    encoder = unit_encoder.UnitEncoder(model)
    sizes = []
    for start in range(0, len(_TEXTS), 50):
        _assert_same_ids(encoder, model, _TEXTS[start : start + 50])
        sizes.append(encoder._table.num_units)
    assert sum(after < before for before, after in zip(sizes, sizes[1:])) >= 2


def test_units_whose_hashes_want_the_same_place_keep_their_own_ids(model, monkeypatch):
    original = unit_table.byte_runs.hash_runs
    # Only the lowest bits differ, and places go by the highest.
    monkeypatch.setattr(
        unit_table.byte_runs, "hash_runs", lambda *a, **k: original(*a, **k) >> np.uint64(18)
    )
    monkeypatch.setattr(number_table, "_FIRST_BITS", 8)
    encoder = unit_encoder.UnitEncoder(model)
    for start in range(0, 400, 40):
        _assert_same_ids(encoder, model, _TEXTS[start : start + 40])
    _assert_same_ids(encoder, model, _TEXTS[:400])


def test_units_chosen_to_share_a_hash_keep_their_own_ids(model):
    # Without a key they do share one.
    text = "GFjMzhduaaaaadaa=1\napHNSCHCZWBfLyHv=2\n"
    for _ in range(3):
        _assert_same_ids(unit_encoder.UnitEncoder(model), model, [text])


def test_each_table_draws_a_key_and_another_when_it_starts_afresh(monkeypatch):
    keys = []
    original = unit_table.byte_runs.hash_runs

    def hash_runs(*args, key, **options):
        keys.append(key)
        return original(*args, key=key, **options)

    monkeypatch.setattr(unit_table.byte_runs, "hash_runs", hash_runs)
    batches = list(unit_table.cut_texts([b"a_word_of_some_length(x)"]))
    for table in [unit_table.UnitTable(lambda new: np.ones(len(new.starts), np.int64))] * 2:
        table.look_up(batches)
        table.look_up(batches)
        table.clear()
    unit_table.UnitTable(lambda new: np.ones(len(new.starts), np.int64)).look_up(batches)
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert len(set(keys)) == 3
    assert 0 not in keys


def test_table_finds_every_number_however_full_it_gets():
    rng = np.random.default_rng(3)
    words = sorted({f"w{number}" for number in rng.integers(0, 10**9, 40_000)})
    given = {}

    def make_numbers(new):
        units = new.texts()
        given.update((unit, len(given) + 1 + place) for place, unit in enumerate(units))
        return np.array([given[unit] for unit in units])

    table = unit_table.UnitTable(make_numbers)
    for _ in range(2):
        for first in range(0, len(words), 4000):
            chosen = words[first : first + 4000]
            text = "\n".join(chosen).encode("ascii")
            (batch,) = unit_table.cut_texts([text])
            (found,) = table.look_up([batch])
            units = [batch.data[i:j].decode() for i, j in zip(batch.starts, batch.ends)]
            assert found.tolist() == [given[unit] for unit in units]
    assert table.num_units == len(given)


@pytest.mark.parametrize("content", [b"x = \xff", b"\xed\xa0\x80", b"\0\xc3", b"caf\xe9(x)"])
def test_what_is_not_utf8_is_refused(model, content):
    with pytest.raises(errors.InputError, match=r"\A[^\n]*not UTF-8[^\n]*; wanted UTF-8[^\n]*\Z"):
        unit_encoder.UnitEncoder(model).encode([b"fine", content])


def test_an_encoder_goes_on_after_a_text_that_was_refused(model):
    encoder = unit_encoder.UnitEncoder(model)
    with pytest.raises(errors.InputError):
        encoder.encode([b"some code(x)", b"bad\xff word"])
    _assert_same_ids(encoder, model, ["some code(x)", "bad word"])


def test_marks_are_found_wherever_they_stand(model):
    finder = unit_table.MarkFinder(model)
    found = [finder.is_in(text.encode()) for text in ("a\0", "\x10", "é\u2581", "é\u2582", "ab")]
    assert found == [True, True, True, False, False]
