from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
import vocabulary_texts

import house_rules
from code_t5 import errors
from code_t5.encoding import byte_bpe_model, text_units, unit_encoder
from preprocessing import byte_bpe_training, vocabulary_training

_TEXTS = vocabulary_texts.TRAINING_TEXTS


def _train(texts, folder, **options):
    return vocabulary_training.train_vocabulary(
        texts, output_dir=folder, **{"vocab_size": 400, "kind": "byte_bpe", **options}
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies") / "bytes"
    return folder, _train(_TEXTS, folder)


def test_directory_holds_tokenizer_manifest_and_marker_and_nothing_else(trained):
    folder, fields = trained
    assert sorted(os.listdir(folder)) == ["COMPLETED", "manifest.json", "tokenizer.json"]
    assert json.loads((folder / "manifest.json").read_text()) == fields
    assert (fields["kind"], fields["encoder"]) == ("byte_bpe", "unit_table")
    assert fields["requested_vocab_size"] == fields["num_pieces"] == 400
    assert (fields["vocab_size"], fields["extra_ids"]) == (500, 100)
    assert fields["sample_bytes"] == sum(map(len, _TEXTS))
    model = byte_bpe_model.load_byte_bpe_model(folder)
    num_tokens = sum(map(len, model.encode_batch(_TEXTS)))
    assert fields["characters_per_token"] == round(sum(map(len, _TEXTS)) / num_tokens, 4)


def test_tokenizer_has_no_added_tokens_and_no_merge_of_a_special_name(trained):
    content = json.loads((trained[0] / "tokenizer.json").read_text())
    assert content["added_tokens"] == []
    assert content["normalizer"] is None
    vocab, merges = content["model"]["vocab"], content["model"]["merges"]
    names = [*byte_bpe_model.SPECIAL_TOKENS, *byte_bpe_model.sentinel_names()]
    assert [vocab[name] for name in names] == [0, 1, 2, *range(400, 500)]
    assert not {"".join(merge) for merge in merges} & set(names)
    assert sorted(vocab.values()) == list(range(500))


_TRAIN = """
import sys
import time
import vocabulary_texts
from preprocessing import vocabulary_training
vocabulary_training.train_vocabulary(vocabulary_texts.TRAINING_TEXTS[::-1],
    output_dir=sys.argv[1], vocab_size=400, kind="byte_bpe")
"""


@pytest.mark.parametrize("num_threads", ["1", "3"])
def test_same_texts_in_another_order_and_process_give_the_same_bytes(
    trained, tmp_path, num_threads
):
    child = subprocess.run(
        [sys.executable, "-c", _TRAIN, str(tmp_path / "again")],
        env={
            **os.environ,
            "PYTHONHASHSEED": "123",
            "RAYON_NUM_THREADS": num_threads,
            "PYTHONPATH": os.pathsep.join([str(house_rules.ROOT), str(house_rules.ROOT / "tests")]),
        },
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    for name in ("tokenizer.json", "manifest.json"):
        assert (tmp_path / "again" / name).read_bytes() == (trained[0] / name).read_bytes()


def test_names_of_special_ids_in_the_texts_are_not_learned_as_one_piece(tmp_path):
    lookalikes = ["<extra_id_0> </s> <pad> <unk> <extra_id_7>\n" * 200]
    _train([*_TEXTS, *lookalikes], tmp_path / "v")
    model = byte_bpe_model.load_byte_bpe_model(tmp_path / "v")
    ids = model.encode("<extra_id_0></s><pad><unk>")
    assert all(2 < i < model.num_pieces for i in ids)


def test_pattern_means_the_same_to_python_and_to_tokenizers():
    import tokenizers

    cut = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(byte_bpe_training.unit_pattern()), behavior="isolated"
    ).pre_tokenize_str
    characters = "ab_1 \n\t\r\0()\x1c\x7f\x80\x85\u2028\u2581\ud7ff\ue000\uffff\U0010ffff"
    texts = [a + b + c for a in characters for b in characters for c in characters]
    for text in [*texts, " " * 50 + "x", "\t" * 9]:
        units = [text[start:end] for _, (start, end) in cut(text)]
        assert units == text_units.split_units(text), repr(text)


def test_long_units_teach_nothing_and_do_not_join_what_stands_around_them():
    strange = ["key = 'ab" + "xq" * 500 + "zw' ab\n"]
    kept = list(byte_bpe_training._without_long_units(strange))
    assert kept == ["key =\n' ab\n"]
    assert list(byte_bpe_training._without_long_units(_TEXTS)) == list(_TEXTS)


def test_too_little_for_the_size_gives_a_smaller_vocabulary_and_says_so(tmp_path, caplog):
    fields = _train(_TEXTS, tmp_path / "small", vocab_size=5000)
    assert 400 < fields["num_pieces"] < 1000
    assert f"enough for {fields['num_pieces']} pieces, not for the 5000" in caplog.text


def test_size_without_room_for_every_byte_is_refused_and_the_least_is_not(tmp_path):
    with pytest.raises(errors.InputError, match="258 pieces; wanted 259 pieces at least"):
        _train(_TEXTS, tmp_path / "tiny", vocab_size=258)
    assert os.listdir(tmp_path) == []
    assert _train(_TEXTS, tmp_path / "bytes", vocab_size=259)["num_pieces"] == 259
    model = byte_bpe_model.load_byte_bpe_model(tmp_path / "bytes")
    assert model.encode("é\n") == [3 + byte for byte in "é\n".encode()]


def test_nothing_to_train_on_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="no text to train"):
        _train([""], tmp_path / "empty")


def test_table_with_other_ids_is_not_chosen(trained, monkeypatch, caplog):
    tokenizer_json = (trained[0] / "tokenizer.json").read_bytes()
    right = unit_encoder.UnitEncoder.encode

    def encode(self, contents):
        encoded = right(self, contents)
        encoded.values[-1] += 1
        return encoded

    monkeypatch.setattr(unit_encoder.UnitEncoder, "encode", encode)
    assert byte_bpe_training.choose_encoder(tokenizer_json, _TEXTS) == "tokenizers"
    assert "other ids than tokenizers" in caplog.text


def test_who_encodes_does_not_depend_on_how_long_anything_takes(trained, monkeypatch):
    tokenizer_json = (trained[0] / "tokenizer.json").read_bytes()
    right = unit_encoder.UnitEncoder.encode
    clock = [0.0]

    def encode_slowly(self, contents):
        clock[0] += 1e6
        return right(self, contents)

    monkeypatch.setattr(unit_encoder.UnitEncoder, "encode", encode_slowly)
    for name in ("perf_counter", "monotonic", "process_time", "time"):
        monkeypatch.setattr(time, name, lambda: clock[0])
    # As much as was measured when this was measured.
    texts = [*_TEXTS, "value = first(second)\n" * 10_000]
    assert byte_bpe_training.choose_encoder(tokenizer_json, texts) == "unit_table"
    assert clock[0] > 0


def test_sample_to_compare_on_is_cut_off():
    assert byte_bpe_training._take(["abc", "defg", "h"], 5) == ["abc", "de"]
    assert byte_bpe_training._take(["abc"], 5) == ["abc"]
