from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tokenizers
import vocabulary_texts

from code_t5 import errors
from code_t5.encoding import byte_bpe_model, piece_model, text_units, token_model, unit_encoder
from code_t5.storage import fingerprints
from preprocessing import vocabulary_training

_TEXTS = (*vocabulary_texts.NASTY_TEXTS, *vocabulary_texts.random_texts(500, seed=1))


@pytest.fixture(scope="module")
def vocabulary_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies") / "bytes"
    vocabulary_training.train_vocabulary(
        vocabulary_texts.TRAINING_TEXTS, output_dir=folder, vocab_size=400, kind="byte_bpe"
    )
    return folder


@pytest.fixture(scope="module")
def model(vocabulary_dir):
    return byte_bpe_model.load_byte_bpe_model(vocabulary_dir)


@pytest.fixture
def damaged_dir(vocabulary_dir, tmp_path):
    return shutil.copytree(vocabulary_dir, tmp_path / "damaged")


def test_every_text_comes_back_unchanged(model):
    for text in _TEXTS:
        assert model.decode(model.encode(text)) == text, repr(text)
    assert model.check_decoded(_TEXTS).differing == ()


def test_ids_are_those_of_tokenizers_itself(model, vocabulary_dir):
    peer = tokenizers.Tokenizer.from_file(str(vocabulary_dir / "tokenizer.json"))
    for text in _TEXTS:
        assert peer.encode(text).ids == model.encode(text), repr(text)
        assert model.survives_whole(text)
    ids = model.encode("def first(value):\n    return 'é'\n")
    assert peer.decode(ids) == "def first(value):\n    return 'é'\n"


def test_ids_are_those_of_a_tokenizer_of_transformers(model, vocabulary_dir):
    import transformers

    peer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(vocabulary_dir / "tokenizer.json"), clean_up_tokenization_spaces=False
    )
    assert len(peer) == model.vocab_size
    for text in _TEXTS:
        assert peer(text)["input_ids"] == model.encode(text), repr(text)
        assert peer.decode(model.encode(text)) == text
    assert peer.convert_tokens_to_ids(["<pad>", "</s>", "<unk>"]) == [0, 1, 2]
    assert peer.convert_tokens_to_ids("<extra_id_0>") == model.vocab_size - 1


def test_text_that_looks_like_a_special_id_is_encoded_as_its_bytes(model):
    for text in ("<extra_id_0>", "<extra_id_99>", "<pad>", "</s>", "<unk>", "\u0120", "Ġ"):
        ids = model.encode(text)
        assert all(piece_model.UNK_ID < i < model.num_pieces for i in ids)
        assert model.decode(ids) == text


def test_ids_are_special_bytes_pieces_and_sentinels_in_this_order(model):
    rows = [model.token_bytes.row(i).tobytes() for i in range(model.vocab_size)]
    assert rows[:3] == [b"", b"", b""]
    assert rows[3:259] == [bytes([byte]) for byte in range(256)]
    assert rows[259] == b"  "
    assert b"value" in rows[259 : model.num_pieces]
    assert all(len(row) > 1 for row in rows[259 : model.num_pieces])
    assert rows[model.num_pieces :] == [f"<extra_id_{99 - i}>".encode() for i in range(100)]
    assert model.vocab_size == model.num_pieces + 100 == 500


def test_bytes_of_a_texts_ids_are_the_texts(model):
    for text in _TEXTS:
        rows = [model.token_bytes.row(i).tobytes() for i in model.encode(text)]
        assert b"".join(rows) == text.encode()


def test_pieces_lie_within_units(model):
    for token_id in range(259, model.num_pieces):
        text = model.token_bytes.row(token_id).tobytes().decode("utf-8")
        assert text_units.split_units(text) == [text]


def test_units_are_those_of_the_tokenizer(model):
    cut = model._tokenizer.pre_tokenizer.pre_tokenize_str
    for text in _TEXTS:
        assert [text[start:end] for _, (start, end) in cut(text)] == text_units.split_units(text)


def test_encoding_units_gives_the_ids_of_their_text(model):
    for text in _TEXTS:
        rows = model.encode_units(text_units.split_units(text))
        assert [i for row in rows for i in row] == model.encode(text)


def test_array_encoder_gives_the_same_ids(model):
    encoded = unit_encoder.UnitEncoder(model).encode([text.encode() for text in _TEXTS])
    assert encoded.num_rows == len(_TEXTS)
    for index, text in enumerate(_TEXTS):
        assert encoded.row(index).tolist() == model.encode(text), repr(text)


def test_encoding_by_text_gives_the_ids_of_encoding_by_unit(model):
    by_text = byte_bpe_model.ByteBpeModel(model.tokenizer_json, byte_bpe_model.BY_TEXT)
    assert by_text.encode_batch(_TEXTS) == model.encode_batch(_TEXTS)


def test_encoder_of_the_manifest_is_the_one_that_encodes(vocabulary_dir, damaged_dir, monkeypatch):
    path = damaged_dir / "manifest.json"
    path.write_text(path.read_text().replace('"unit_table"', '"tokenizers"'))
    by_text = byte_bpe_model.load_byte_bpe_model(damaged_dir)
    assert by_text.encoder == "tokenizers"
    asked = []
    monkeypatch.setattr(by_text, "encode", lambda text: asked.append(text) or [7])
    encoded = unit_encoder.UnitEncoder(by_text).encode([b"a b", b"", b"c"])
    assert asked == ["a b", "", "c"]
    assert encoded.values.tolist() == [7, 7, 7]
    assert byte_bpe_model.load_byte_bpe_model(vocabulary_dir).encoder == "unit_table"


def test_table_that_starts_afresh_gives_the_same_ids(model, monkeypatch):
    monkeypatch.setattr(byte_bpe_model, "_MAX_TABLE_CHARACTERS", 50)
    forgetful = byte_bpe_model.ByteBpeModel(model.tokenizer_json)
    assert forgetful.encode_batch(_TEXTS) == model.encode_batch(_TEXTS)
    assert sum(map(len, forgetful._ids)) < sum(map(len, model._ids))


def test_decoding_stops_at_the_end_marks_unknown_ids_and_shows_sentinels(model):
    text = model.encode("x")
    last = model.vocab_size - 1
    ids = [0, *text, last, last - 1, 2, last + 1, -5, *text, 0, 1, *text]
    wanted = "x<extra_id_0><extra_id_1> \u2047  \u2047  \u2047 x"
    assert model.decode(ids) == wanted
    assert model.decode_batch([np.array(ids), []]) == [wanted, ""]


def test_half_a_character_is_decoded_as_a_replacement_character(model):
    ids = model.encode("é🙂")
    assert [model.decode(ids[:n]) for n in (1, 2, 4)] == ["\ufffd", "é", "é\ufffd"]


def test_lone_surrogate_is_refused(model):
    by_text = byte_bpe_model.ByteBpeModel(model.tokenizer_json, byte_bpe_model.BY_TEXT)
    for each in (model, by_text):
        with pytest.raises(errors.InputError, match=r"lone surrogate '\\udc80'"):
            each.encode("a \udc80")


def test_check_finds_a_text_that_comes_back_changed(model):
    broken = byte_bpe_model.ByteBpeModel(model.tokenizer_json)
    (token_id,) = broken.encode("q")
    broken._bytes[token_id] = b"p"
    outcome = broken.check_decoded(["a b", "a q", "q"])
    assert outcome.differing == (1, 2)
    assert outcome.num_tokens_by_text[0] == len(model.encode("a b"))
    assert broken.count_unit_ids(["q", "a", "for"]) == [-1, 1, len(model.encode("for"))]
    assert not broken.survives_whole("q")


def test_loader_looks_at_the_kind(vocabulary_dir, model, tmp_path):
    assert token_model.load_token_model(vocabulary_dir) is model
    vocabulary_training.train_vocabulary(
        vocabulary_texts.TRAINING_TEXTS, output_dir=tmp_path / "pieces", vocab_size=430
    )
    assert isinstance(token_model.load_token_model(tmp_path / "pieces"), piece_model.PieceModel)
    with pytest.raises(errors.ArtifactError, match="kind 'sentencepiece'.*load_token_model"):
        byte_bpe_model.load_byte_bpe_model(tmp_path / "pieces")


def test_damaged_and_missing_tokenizer_and_unknown_encoder_are_refused(damaged_dir):
    path = damaged_dir / "tokenizer.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"Isolated"', b'"Removed"'))
    with pytest.raises(errors.ArtifactError, match="has SHA-256"):
        byte_bpe_model.load_byte_bpe_model(damaged_dir)
    path.unlink()
    with pytest.raises(errors.ArtifactError, match="cannot read .*tokenizer.json"):
        byte_bpe_model.load_byte_bpe_model(damaged_dir)
    path.write_bytes(whole)
    fields = json.loads((damaged_dir / "manifest.json").read_text())
    (damaged_dir / "manifest.json").write_text(json.dumps({**fields, "encoder": "magic"}))
    with pytest.raises(errors.ArtifactError):
        byte_bpe_model.load_byte_bpe_model(damaged_dir)


def test_file_that_this_version_of_the_library_cannot_read_is_refused(damaged_dir):
    content = json.dumps({"version": "9.0"}).encode()
    (damaged_dir / "tokenizer.json").write_bytes(content)
    fields = json.loads((damaged_dir / "manifest.json").read_text())
    fields["model_sha256"] = fingerprints.hash_bytes(content)
    (damaged_dir / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(errors.ArtifactError, match=r"tokenizers 0\.\d+\.\d+ cannot read .*9\.0"):
        byte_bpe_model.load_byte_bpe_model(damaged_dir)


def test_missing_vocabulary_is_refused(tmp_path):
    with pytest.raises(errors.NotBuiltError, match="there is no vocabulary"):
        byte_bpe_model.load_byte_bpe_model(tmp_path / "none")


def test_fingerprint_depends_on_the_file():
    assert byte_bpe_model.byte_bpe_fingerprint(b"a") != byte_bpe_model.byte_bpe_fingerprint(b"b")
