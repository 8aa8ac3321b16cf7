from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import types

import gpt2_like
import numpy as np
import pytest
import refusals

from code_t5 import errors
from code_t5.token_cache.tokenizing import encoders, tokenizer_files

TEXTS = [
    gpt2_like.CODE,
    "",
    "<|endoftext|>it's\0 \u4e2d\r\n  x<|endoftext",
    "\u2581\t\t  12345 \U0001f600 " + "a" * 5000,
]
CONTENTS = [text.encode("utf-8") for text in TEXTS]
INSTALLED = [
    engine
    for engine in (encoders.SPLINTR, encoders.GIGATOKEN)
    if importlib.util.find_spec(engine) is not None
]


@pytest.fixture
def stored(tmp_path):
    return tokenizer_files.store_tokenizer(
        gpt2_like.hugging_face_tokenizer(), folder=tmp_path / "tokenizer"
    )


def hugging_face_ids(tokenizer, texts=TEXTS) -> list[list[int]]:
    return [tokenizer.encode(text, add_special_tokens=False) for text in texts]


def rows_of(stored, engine, contents=CONTENTS) -> list[list[int]]:
    rows = encoders.open_encoder(stored, engine).encode(contents)
    assert rows.offsets.dtype == np.int64
    return [rows.row(index).tolist() for index in range(rows.num_rows)]


def install(monkeypatch, name: str, **attributes) -> None:
    """Puts a fake library where importing finds it."""
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    for attribute, value in attributes.items():
        setattr(module, attribute, value)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("engine", [*INSTALLED, encoders.TOKENIZERS, encoders.TRANSFORMERS])
def test_each_engine_gives_the_ids_of_hugging_face(stored, engine):
    assert rows_of(stored, engine) == hugging_face_ids(stored.load())
    assert rows_of(stored, engine, []) == []


@pytest.mark.parametrize("engine", [*INSTALLED, encoders.TOKENIZERS, encoders.TRANSFORMERS])
def test_nothing_is_put_around_texts_and_nothing_is_cut(tmp_path, engine):
    from tokenizers import processors

    backend = gpt2_like.backend()
    backend.enable_truncation(2)
    backend.enable_padding(length=7, pad_token=gpt2_like.END_OF_TEXT)
    backend.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    tokenizer = gpt2_like.hugging_face_tokenizer(tokenizer_object=backend)
    stored = tokenizer_files.store_tokenizer(tokenizer, folder=tmp_path / "tokenizer")
    plain = gpt2_like.hugging_face_tokenizer()
    assert rows_of(stored, engine) == hugging_face_ids(plain)


@pytest.mark.parametrize("engine", [encoders.TOKENIZERS, encoders.TRANSFORMERS])
def test_special_tokens_in_texts_are_split_where_the_tokenizer_says_so(tmp_path, engine):
    tokenizer = gpt2_like.hugging_face_tokenizer(split_special_tokens=True)
    stored = tokenizer_files.store_tokenizer(tokenizer, folder=tmp_path / "tokenizer")
    assert encoders.candidate_engines(stored) == ["tokenizers", "transformers"]
    assert 0 not in rows_of(stored, engine)[2]
    assert rows_of(stored, engine) == hugging_face_ids(tokenizer)


def test_a_slow_tokenizer_has_one_engine(stored, tmp_path):
    import transformers

    slow = transformers.GPT2Tokenizer.from_pretrained(stored.folder)
    kept = tokenizer_files.store_tokenizer(slow, folder=tmp_path / "slow")
    assert encoders.candidate_engines(kept) == ["transformers"]
    assert rows_of(kept, "transformers") == hugging_face_ids(slow)


def test_a_vocabulary_of_code_t5_has_its_own_engine(small_data_dir, tmp_path):
    stored = tokenizer_files.store_vocabulary(
        f"{small_data_dir}/vocabularies/default", tmp_path / "tokenizer"
    )
    assert encoders.candidate_engines(stored) == ["units"]
    assert rows_of(stored, "units") == stored.load().encode_batch(TEXTS)


@pytest.mark.parametrize("engine", [*INSTALLED, encoders.TOKENIZERS, encoders.TRANSFORMERS])
def test_a_text_that_is_not_utf_8_is_refused(stored, engine):
    encoder = encoders.open_encoder(stored, engine)
    refusals.assert_refused(lambda: encoder.encode([b"ab\xff"]), match="not UTF-8 at byte 2")


@pytest.mark.parametrize("engine", ["units", "sentencepiece"])
def test_an_engine_that_is_not_for_the_tokenizer_is_refused(stored, engine):
    refusals.assert_refused(
        lambda: encoders.open_encoder(stored, engine), match=f"'{engine}' cannot be used"
    )


def test_an_engine_that_is_not_installed_is_refused(stored, monkeypatch):
    real = importlib.util.find_spec
    absent = {encoders.SPLINTR, encoders.GIGATOKEN}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in absent else real(name)
    )
    assert encoders.candidate_engines(stored) == ["tokenizers", "transformers"]
    refusals.assert_refused(
        lambda: encoders.open_encoder(stored, "splintr"), match="wanted one of tokenizers"
    )


class PanicException(BaseException):
    """As a library in Rust raises it when it panics."""


@pytest.mark.parametrize("error", [ValueError("no\nsuch model"), PanicException("no such model")])
def test_a_library_that_fails_is_one_line(stored, monkeypatch, error):
    def from_json_bytes(data):
        raise error

    install(monkeypatch, "splintr", from_json_bytes=from_json_bytes)
    refusals.assert_refused(
        lambda: encoders.open_encoder(stored, "splintr"),
        match="cannot load this tokenizer: no such model",
    )


def test_an_interrupt_passes_through(stored, monkeypatch):
    def from_json_bytes(data):
        raise KeyboardInterrupt

    install(monkeypatch, "splintr", from_json_bytes=from_json_bytes)
    with pytest.raises(KeyboardInterrupt):
        encoders.open_encoder(stored, "splintr")


def test_gigatoken_starts_afresh_before_it_remembers_too_much(stored, monkeypatch):
    started = []

    class Tokenizer:
        @classmethod
        def from_json(cls, data):
            assert b'"post_processor": null' in data
            started.append([])
            return cls()

        def encode_batch(self, texts, parallel):
            assert parallel is False
            started[-1].extend(texts)
            ids = np.concatenate([np.frombuffer(text, dtype=np.uint8) for text in texts])
            offsets = np.cumsum([0, *map(len, texts)])
            return types.SimpleNamespace(
                layout=types.SimpleNamespace(
                    content=types.SimpleNamespace(data=ids.astype(np.uint32)),
                    offsets=types.SimpleNamespace(data=offsets),
                )
            )

    install(monkeypatch, "gigatoken", Tokenizer=Tokenizer)
    monkeypatch.setattr(encoders, "_GIGATOKEN_BYTES", 5)
    encoder = encoders.open_encoder(stored, "gigatoken")
    rows = [encoder.encode([b"abc", b"d"]), encoder.encode([b"ef"]), encoder.encode([b"g"])]
    assert [row.values.tolist() for row in rows] == [[97, 98, 99, 100], [101, 102], [103]]
    assert rows[0].offsets.tolist() == [0, 3, 4]
    assert started == [[b"abc", b"d", b"ef"], [b"g"]]
    assert encoder.encode([]).num_rows == 0


@pytest.mark.parametrize("before", ["true", None])
def test_the_environment_is_left_as_it_was(stored, monkeypatch, before):
    if before is None:
        monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    else:
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", before)
    rows_of(stored, "tokenizers")
    assert os.environ.get("TOKENIZERS_PARALLELISM") == before


def test_versions_name_what_was_installed():
    assert encoders.engine_version("units") == "code_t5"
    assert encoders.engine_version("tokenizers").startswith("tokenizers 0.")


def test_errors_of_ours_keep_their_words():
    with pytest.raises(errors.InputError, match="^mine$"), encoders.refusals_as_errors("units", ""):
        raise errors.InputError("mine")
