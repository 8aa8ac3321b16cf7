from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import vocabulary_texts

import house_rules
from code_t5 import errors
from code_t5.encoding import piece_model, text_units
from preprocessing import vocabulary_training

_TEXTS = vocabulary_texts.TRAINING_TEXTS


def _train(texts, folder, **options):
    return vocabulary_training.train_vocabulary(
        texts, output_dir=folder, **{"vocab_size": 430, **options}
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies") / "default"
    return folder, _train(_TEXTS, folder)


def test_directory_holds_model_manifest_and_marker_and_nothing_else(trained):
    folder, fields = trained
    assert sorted(os.listdir(folder)) == ["COMPLETED", "manifest.json", "sentencepiece.model"]
    assert os.listdir(folder.parent) == ["default"]
    assert json.loads((folder / "manifest.json").read_text()) == fields
    assert fields["requested_vocab_size"] == fields["num_pieces"] == 430
    assert (fields["vocab_size"], fields["extra_ids"]) == (530, 100)
    assert fields["sample_bytes"] == sum(len(text) for text in _TEXTS)


def test_characters_per_token_is_that_of_the_sample(trained):
    folder, fields = trained
    model = piece_model.load_piece_model(folder)
    num_tokens = sum(map(len, model.encode_batch(_TEXTS)))
    wanted = sum(map(len, _TEXTS)) / num_tokens
    assert fields["characters_per_token"] == pytest.approx(wanted, abs=1e-4)
    assert wanted > 1.5


_TRAIN = """
import sys
import vocabulary_texts
from preprocessing import vocabulary_training
fields = vocabulary_training.train_vocabulary(
    vocabulary_texts.TRAINING_TEXTS, output_dir=sys.argv[1], vocab_size=430)
"""


def test_same_texts_give_the_same_bytes_in_another_process(trained, tmp_path):
    folder, _ = trained
    child = subprocess.run(
        [sys.executable, "-c", _TRAIN, str(tmp_path / "again")],
        env={
            **os.environ,
            "PYTHONHASHSEED": "123",
            "PYTHONPATH": os.pathsep.join([str(house_rules.ROOT), str(house_rules.ROOT / "tests")]),
        },
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    for name in ("sentencepiece.model", "manifest.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    # Nothing of SentencePiece's own chatter.
    assert "LOG(INFO)" not in child.stderr


def test_model_does_not_depend_on_the_order_of_the_texts():
    counts = [vocabulary_training.count_units(texts) for texts in (_TEXTS, _TEXTS[::-1])]
    models = [vocabulary_training.train_model(count, vocab_size=430) for count in counts]
    assert models[0] == models[1]


def test_learned_pieces_lie_within_units(trained):
    folder, _ = trained
    processor = piece_model.load_piece_model(folder)._processor
    pieces = [processor.id_to_piece(i) for i in range(289, 430)]
    assert len([piece for piece in pieces if len(piece) > 2]) > 10
    for piece in pieces:
        assert len(text_units.split_units(piece.replace("\u2581", " "))) == 1, piece


def test_sample_stops_at_the_bytes_asked_for_and_reads_no_further():
    taken = []

    def texts():
        for index in range(10):
            taken.append(index)
            yield "é" * 10

    assert vocabulary_training.take_sample(texts(), max_sample_bytes=45) == ["é" * 10] * 2 + ["éé"]
    assert taken == [0, 1, 2]


def test_sample_size_is_recorded_and_decides_on_the_model(trained, tmp_path):
    fields = _train(_TEXTS, tmp_path / "small", max_sample_bytes=250)
    assert fields["sample_bytes"] == 250
    assert fields["fingerprint"] != trained[1]["fingerprint"]


def test_texts_with_too_little_for_the_size_give_a_smaller_vocabulary_and_say_so(tmp_path, caplog):
    fields = _train(_TEXTS, tmp_path / "small", vocab_size=5000)
    assert 430 < fields["num_pieces"] < 1000
    assert fields["requested_vocab_size"] == 5000
    assert fields["vocab_size"] == fields["num_pieces"] + 100
    assert f"enough for {fields['num_pieces']} pieces, not for the 5000" in caplog.text
    model = piece_model.load_piece_model(tmp_path / "small")
    assert model.check_decoded(vocabulary_texts.NASTY_TEXTS).differing == ()


def test_size_without_room_for_bytes_and_characters_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="300 pieces .* wanted 3[0-9][0-9] pieces at least"):
        _train(_TEXTS, tmp_path / "tiny", vocab_size=300)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_nothing_to_train_on_is_refused(tmp_path, texts):
    with pytest.raises(errors.InputError, match="no text to train"):
        _train(texts, tmp_path / "empty")
    assert os.listdir(tmp_path) == []


def test_nothing_but_white_space_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="wanted text to train on"):
        _train(["  \n\n\t"], tmp_path / "blank")
    assert os.listdir(tmp_path) == []


def test_failed_training_leaves_the_vocabulary_that_was_there(trained, tmp_path):
    _train(_TEXTS, tmp_path / "kept")
    with pytest.raises(errors.InputError):
        _train(_TEXTS, tmp_path / "kept", vocab_size=10)
    assert piece_model.read_vocabulary_manifest(tmp_path / "kept") == trained[1]


def test_texts_that_sentencepiece_would_drop_or_die_of_are_trained_on(tmp_path):
    strange = [
        "\u2585 value \0 value\x10 \u2581value\n" * 5,
        "x" * 70_000,
        "<0x0A> </s> <unk> <extra_id_0> " * 50,
        *vocabulary_texts.NASTY_TEXTS,
    ]
    _train([*_TEXTS, *strange], tmp_path / "strange", vocab_size=600)
    model = piece_model.load_piece_model(tmp_path / "strange")
    assert model.check_decoded([*strange, *_TEXTS]).differing == ()
    assert all(i > 2 for text in strange for i in model.encode(text))
