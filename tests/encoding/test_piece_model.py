from __future__ import annotations

import concurrent.futures
import json
import shutil

import pytest
import sentencepiece
import vocabulary_texts

from code_t5 import errors, vocabulary_escapes
from code_t5.encoding import piece_model, text_units
from preprocessing import vocabulary_training


@pytest.fixture(scope="module")
def vocabulary_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies") / "default"
    vocabulary_training.train_vocabulary(
        vocabulary_texts.TRAINING_TEXTS, output_dir=folder, vocab_size=430
    )
    return folder


@pytest.fixture(scope="module")
def model(vocabulary_dir):
    return piece_model.load_piece_model(vocabulary_dir)


@pytest.fixture
def damaged_dir(vocabulary_dir, tmp_path):
    return shutil.copytree(vocabulary_dir, tmp_path / "damaged")


_TEXTS = (*vocabulary_texts.NASTY_TEXTS, *vocabulary_texts.random_texts(2000, seed=1))


def test_units_joined_are_the_text():
    for text in _TEXTS:
        assert "".join(text_units.split_units(text)) == text


def test_units_end_after_words_numbers_indentations_and_lines():
    text = "    if a_b1 == (c.d):\n\t\tx  = 'y'"
    assert text_units.split_units(text) == [
        *("    ", "if", " a_b", "1", " ==", " (c", ".d", "):", "\n"),
        *("\t\t", "x", "  ", "=", " 'y", "'"),
    ]


def test_every_text_comes_back_as_it_was(model):
    for text in _TEXTS:
        assert model.decode(model.encode(text)) == text


def test_encoding_by_units_gives_what_sentencepiece_gives_for_the_whole_text(model, vocabulary_dir):
    alone = sentencepiece.SentencePieceProcessor(
        model_file=str(vocabulary_dir / piece_model.MODEL_NAME)
    )
    for text in _TEXTS:
        assert model.encode(text) == alone.encode(vocabulary_escapes.escape(text))


def test_no_text_becomes_a_control_id_or_a_sentinel(model):
    for text in _TEXTS:
        assert all(piece_model.UNK_ID < i < model.num_pieces for i in model.encode(text))


def test_escapes_and_runs_are_one_id_each(model):
    for text in ("\x10", "\u2581", "\n", "\t", "\t" * 4, "  ", " " * 24):
        assert len(model.encode(text)) == 1


def test_sentinels_count_down_from_the_last_id_and_can_be_read(model):
    assert model.vocab_size == model.num_pieces + 100
    first, last = model.vocab_size - 1, model.num_pieces
    ids = [*model.encode("a \u2581"), first, *model.encode(" b"), first - 1, last, last]
    assert model.decode(ids) == "a \u2581<extra_id_0> b<extra_id_1><extra_id_99><extra_id_99>"


def test_decoding_ends_at_the_end_of_text_and_marks_what_is_no_id(model):
    ids = model.encode("ab")
    assert model.decode([0, *ids, 0, 1, *ids]) == "ab"
    assert model.decode([1]) == model.decode([]) == ""
    assert model.decode([*ids, model.vocab_size]) == "ab \u2047 "
    assert model.decode([-1, *ids]) == " \u2047 ab"
    assert model.decode_batch([ids, [], [*ids, *ids]]) == ["ab", "", "abab"]


def test_bytes_of_a_character_cut_in_half_decode_to_the_mark_of_what_is_lost(model):
    ids = model.encode("🙂")
    assert len(ids) == 4
    assert set(model.decode(ids[:2])) == {"\ufffd"}


def test_unpaired_surrogates_are_refused(model):
    with pytest.raises(errors.InputError, match=r"lone surrogate '.ud800'"):
        model.encode("fine so far \ud800 but here")
    assert model.encode("fine") == model.encode_batch(["fine"])[0]


def test_forgetting_what_was_remembered_changes_no_id(vocabulary_dir, monkeypatch):
    monkeypatch.setattr(piece_model, "_MAX_TABLE_CHARACTERS", 50)
    model_bytes = (vocabulary_dir / piece_model.MODEL_NAME).read_bytes()
    forgetful, mindful = piece_model.PieceModel(model_bytes), piece_model.PieceModel(model_bytes)
    monkeypatch.undo()
    texts = [*vocabulary_texts.TRAINING_TEXTS, *_TEXTS[:200]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(piece_model, "_MAX_TABLE_CHARACTERS", 50)
        found = forgetful.encode_batch(texts)
        assert forgetful.check_decoded(texts).differing == ()
    assert found == mindful.encode_batch(texts)


def test_threads_may_share_a_model(vocabulary_dir, monkeypatch):
    monkeypatch.setattr(piece_model, "_MAX_TABLE_CHARACTERS", 200)
    model_bytes = (vocabulary_dir / piece_model.MODEL_NAME).read_bytes()
    shared, alone = piece_model.PieceModel(model_bytes), piece_model.PieceModel(model_bytes)
    wanted = alone.encode_batch(_TEXTS)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for found in threads.map(shared.encode_batch, [_TEXTS] * 4):
            assert found == wanted


def test_check_counts_tokens_and_finds_nothing_that_differs(model):
    outcome = model.check_decoded(_TEXTS)
    assert outcome.differing == ()
    assert list(outcome.num_tokens_by_text) == list(map(len, model.encode_batch(_TEXTS)))


def test_check_finds_what_a_lossy_vocabulary_changes(model, monkeypatch):
    monkeypatch.setattr(vocabulary_escapes, "escape", lambda text: text)
    outcome = model.check_decoded(["fine", "a\u2581b", "fine too", " \u2581"])
    assert outcome.differing == (1, 3)


def test_check_finds_units_that_disagree_with_the_whole_text(vocabulary_dir):
    model_bytes = (vocabulary_dir / piece_model.MODEL_NAME).read_bytes()
    model = piece_model.PieceModel(model_bytes)
    # The same text spelt in other pieces: decoding it shows nothing, comparing the ids does.
    model._ids["def"] = [i for letter in "def" for i in model.encode(letter)]
    assert model.check_decoded(["def", "def"]).differing == (0,)


def test_model_is_loaded_once_per_process(vocabulary_dir, model):
    assert piece_model.load_piece_model(str(vocabulary_dir)) is model


def test_missing_vocabulary_says_what_builds_it(tmp_path):
    with pytest.raises(errors.NotBuiltError, match="build_dev_dataset"):
        piece_model.load_piece_model(tmp_path / "none")


def test_half_written_vocabulary_is_refused(damaged_dir):
    (damaged_dir / "COMPLETED").unlink()
    with pytest.raises(errors.ArtifactError, match="COMPLETED"):
        piece_model.load_piece_model(damaged_dir)


def test_vocabulary_without_its_model_is_refused(damaged_dir):
    (damaged_dir / "sentencepiece.model").unlink()
    with pytest.raises(errors.ArtifactError, match="cannot read .*sentencepiece.model"):
        piece_model.load_piece_model(damaged_dir)


@pytest.mark.parametrize("position", [0, 100, -1])
def test_one_changed_byte_of_the_model_is_refused_with_both_hashes(damaged_dir, position):
    path = damaged_dir / "sentencepiece.model"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(errors.ArtifactError) as caught:
        piece_model.load_piece_model(damaged_dir)
    wanted = json.loads((damaged_dir / "manifest.json").read_text())["model_sha256"]
    assert wanted in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_truncated_model_is_refused(damaged_dir):
    path = damaged_dir / "sentencepiece.model"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(errors.ArtifactError, match="SHA-256"):
        piece_model.load_piece_model(damaged_dir)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 1}, "version 1"),
        ({"format_name": "other"}, "'other'"),
        ({"num_pieces": "many"}, "no usable num_pieces"),
        ({"fingerprint": None}, "no usable fingerprint"),
    ],
)
def test_manifest_of_another_kind_is_refused(damaged_dir, change, message):
    path = damaged_dir / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(errors.ArtifactError, match=message):
        piece_model.load_piece_model(damaged_dir)


def test_format_of_the_model_and_its_ids_is_the_one_of_version_2(model, vocabulary_dir):
    fields = piece_model.read_vocabulary_manifest(vocabulary_dir)
    assert (fields["num_pieces"], fields["vocab_size"], fields["extra_ids"]) == (430, 530, 100)
    pieces = [model._processor.id_to_piece(i) for i in range(9)]
    assert pieces == ["<pad>", "</s>", "<unk>", "\x10e", "\x10s", "\n", "\t", "\t\t", "\t\t\t"]
    assert model._processor.id_to_piece(529) == "\x10x<extra_id_0>"
    assert model._processor.id_to_piece(430) == "\x10x<extra_id_99>"
