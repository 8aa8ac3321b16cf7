"""The tokenizer of an export gives the vocabulary's ids, on hostile texts too."""

from __future__ import annotations

import os

import pytest
import vocabulary_texts

from code_t5 import errors, vocabulary_escapes
from code_t5.encoding import piece_model, token_model
from code_t5.token_cache.tokenizing import hostile_texts
from code_t5.training.hugging_face import fast_tokenizer, tokenizer_files
from preprocessing import vocabulary_training

os.environ.setdefault("USE_TF", "0")
_KINDS = {"byte_bpe": 400, "sentencepiece": 430}
_TEXTS = (
    *vocabulary_texts.NASTY_TEXTS,
    *vocabulary_texts.random_texts(300, seed=9),
    *(text.decode("utf-8") for text in hostile_texts.hostile_texts(("</s>", "<extra_id_0>"))),
    # Of pieces' own names, and of what stands for a space.
    *("<0x41>", "<pad>", "a<unk>b", "\u2581", "\u2581\u2581\u2581 \u2581", "\x10e\x10s\x10x"),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A directory per kind with a copied vocabulary and the tokenizer's files."""
    folder = tmp_path_factory.mktemp("tokenizers")
    for kind, size in _KINDS.items():
        vocabulary_training.train_vocabulary(
            vocabulary_texts.TRAINING_TEXTS,
            output_dir=folder / f"{kind}_vocabulary",
            vocab_size=size,
            kind=kind,
        )
        (folder / kind).mkdir()
        tokenizer_files.copy_vocabulary(folder / f"{kind}_vocabulary", folder / kind)
        tokenizer_files.write_tokenizer(folder / kind, kind=kind, add_eos=True, max_tokens=64)
    return folder


@pytest.mark.parametrize("kind", _KINDS)
def test_ids_are_the_vocabularys_and_texts_come_back(folders, kind):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folders / kind)
    model = token_model.load_token_model(folders / kind / "vocabulary")
    assert tokenizer.is_fast
    assert len(tokenizer) == model.vocab_size
    assert tokenizer.model_max_length == 64
    wanted = model.encode_batch(_TEXTS)
    found = tokenizer(list(_TEXTS))["input_ids"]
    decoded = tokenizer.batch_decode(wanted)
    for text, ids, given, back in zip(_TEXTS, wanted, found, decoded):
        assert given == [*ids, 1], repr(text)
        assert back == text


@pytest.mark.parametrize("kind", _KINDS)
def test_special_ids_are_where_t5_has_them(folders, kind):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folders / kind)
    last = len(tokenizer) - 1
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    names = ["<extra_id_0>", "<extra_id_99>"]
    assert tokenizer.convert_tokens_to_ids(names) == [last, last - 99]
    assert tokenizer.decode([last]) == "<extra_id_0>"


def test_slow_tokenizer_gives_the_same_ids_of_escaped_texts(folders):
    import transformers

    tokenizer = transformers.T5Tokenizer.from_pretrained(folders / "sentencepiece")
    model = token_model.load_token_model(folders / "sentencepiece" / "vocabulary")
    differing = 0
    for text in _TEXTS:
        ids = [*model.encode(text), 1]
        escaped = vocabulary_escapes.escape(text)
        assert tokenizer(escaped)["input_ids"] == ids, repr(text)
        has_escapes = escaped != text
        differing += tokenizer(text)["input_ids"] != ids
        assert has_escapes or tokenizer(text)["input_ids"] == ids, repr(text)
    assert differing > 0
    assert tokenizer.convert_tokens_to_ids("<extra_id_0>") == len(tokenizer) - 1


def test_inputs_without_an_end_mark_get_none(folders, tmp_path):
    import transformers

    for kind in _KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        tokenizer_files.copy_vocabulary(folders / f"{kind}_vocabulary", folder)
        tokenizer_files.write_tokenizer(folder, kind=kind, add_eos=False, max_tokens=64)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = token_model.load_token_model(folder / "vocabulary")
        assert tokenizer("a b")["input_ids"] == model.encode("a b")


def test_fast_tokenizer_that_differs_is_not_written(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(fast_tokenizer, "_merges", lambda scores: [])
    tokenizer_files.copy_vocabulary(folders / "sentencepiece_vocabulary", tmp_path)
    tokenizer_files.write_tokenizer(tmp_path, kind="sentencepiece", add_eos=True, max_tokens=64)
    assert (tmp_path / "spiece.model").is_file()
    assert not (tmp_path / "tokenizer.json").exists()


@pytest.mark.parametrize("longest", [1, 2, 3, 13, 40, 64])
def test_runs_of_every_length_become_one_piece(longest):
    ranks = {
        pair: rank for rank, pair in enumerate(fast_tokenizer._run_merges("-", longest=longest))
    }
    for length in range(1, longest + 1):
        parts = ["-"] * length
        while True:
            pairs = list(zip(parts, parts[1:]))
            known = [(ranks[pair], place) for place, pair in enumerate(pairs) if pair in ranks]
            if not known:
                break
            place = min(known)[1]
            parts[place : place + 2] = ["".join(pairs[place])]
        assert parts == ["-" * length]


def test_damaged_vocabulary_is_not_copied(folders, tmp_path):
    vocabulary_dir = folders / "sentencepiece_vocabulary"
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in vocabulary_dir.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    path = damaged / piece_model.MODEL_NAME
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(errors.ArtifactError, match="SHA-256"):
        tokenizer_files.copy_vocabulary(damaged, tmp_path)


def test_nothing_but_the_vocabularys_files_is_copied(folders, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for path in (folders / "byte_bpe_vocabulary").iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    (source / "secret.txt").write_text("x")
    tokenizer_files.copy_vocabulary(source, tmp_path)
    names = sorted(path.name for path in (tmp_path / "vocabulary").iterdir())
    assert names == ["COMPLETED", "manifest.json", "tokenizer.json"]
