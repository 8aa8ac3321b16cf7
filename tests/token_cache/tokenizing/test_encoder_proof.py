from __future__ import annotations

import importlib.util
import re
import sys
import time

import gpt2_like
import numpy as np
import pytest
import refusals

from code_t5.encoding.ragged import Ragged
from code_t5.token_cache.tokenizing import encoder_proof, encoders, hostile_texts, tokenizer_files

SAMPLE = [gpt2_like.CODE.encode("utf-8"), b"", b"def f():\n    return 'caf\xc3\xa9'\n"]


@pytest.fixture
def stored(tmp_path):
    return tokenizer_files.store_tokenizer(
        gpt2_like.hugging_face_tokenizer(), folder=tmp_path / "tokenizer"
    )


class Fake:
    """An engine that asks `tokenizers`, may spoil a text first, and may take its time."""

    spoil = staticmethod(lambda text: text)
    seconds = 0.0

    def __init__(self, stored):
        self._real = encoders._TokenizersEncoder(stored)

    def encode(self, texts):
        time.sleep(self.seconds)
        return self._real.encode([self.spoil(text) for text in texts])


def use(monkeypatch, engine: str | None, **changes) -> None:
    """Makes `splintr` or `gigatoken` a fake that is installed; the other is not."""
    real = importlib.util.find_spec
    fakes = (encoders.SPLINTR, encoders.GIGATOKEN)
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: (name == engine or None) if name in fakes else real(name),
    )
    if engine:
        fake = type("Fake", (Fake,), changes)
        monkeypatch.setattr(encoders, f"_{engine.title()}Encoder", fake)


@pytest.fixture
def few_texts(monkeypatch):
    """Leaves most hostile texts out, where the test is not about them."""
    monkeypatch.setattr(hostile_texts, "hostile_texts", lambda added: [b"it's <|endoftext|>\0"])


@pytest.mark.skipif(sys.version_info < (3, 10), reason="splintr-rs wants Python 3.10")
def test_the_quickest_engine_with_the_same_ids_is_chosen(stored):
    choice = encoder_proof.choose_engine(stored, sample=SAMPLE)
    assert choice.engine == "splintr"
    assert "tokenizers" in choice.refused
    assert choice.num_bytes > 200_000
    assert choice.manifest_fields["library"].startswith("splintr-rs 0.")


def test_a_proved_engine_gives_the_ids_of_every_hostile_text(stored):
    engine = encoder_proof.choose_engine(stored, sample=SAMPLE).engine
    tokenizer = stored.load()
    texts = hostile_texts.hostile_texts([gpt2_like.END_OF_TEXT])
    rows = encoders.open_encoder(stored, engine).encode(texts)
    for index, text in enumerate(texts):
        wanted = tokenizer.encode(text.decode("utf-8"), add_special_tokens=False)
        assert rows.row(index).tolist() == wanted, ascii(text[:40])


def test_without_another_library_hugging_face_encodes(stored, monkeypatch, few_texts):
    use(monkeypatch, None)
    choice = encoder_proof.choose_engine(stored, sample=SAMPLE)
    assert choice.engine == "tokenizers"
    assert list(choice.refused) == ["transformers"]


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("special tokens are text", lambda text: text.replace(b"<|endoftext|>", b"<|endoftext| >")),
        ("NUL ends a text", lambda text: text.split(b"\0")[0]),
        ("line ends are one", lambda text: text.replace(b"\r\n", b"\n")),
        ("no-break spaces are spaces", lambda text: text.replace(b"\xc2\xa0", b" ")),
        ("long runs of spaces are cut", lambda text: text.replace(b" " * 257, b" " * 256)),
        ("long texts are cut", lambda text: text.decode()[:8000].encode()),
        ("accents are composed", lambda text: text.replace(b"e\xcc\x81", b"\xc3\xa9")),
        ("SentencePiece's space", lambda text: text.replace(b"\xe2\x96\x81", b" ")),
        ("astral planes are lost", lambda text: text.replace(b"\xf0\x9f\x98\x80", b"?")),
        ("a young letter", lambda text: text.replace(b"\xe0\xa2\x8f's", b"\xe0\xa2\x8f 's")),
    ],
)
def test_an_engine_with_one_weakness_is_found_out(stored, monkeypatch, name, spoil):
    use(monkeypatch, "splintr", spoil=staticmethod(spoil))
    choice = encoder_proof.choose_engine(stored, sample=SAMPLE)
    assert choice.engine == "tokenizers", name
    assert "differs at id" in choice.refused["splintr"]


def test_an_engine_that_is_wrong_on_the_documents_alone_is_found_out(
    stored, monkeypatch, few_texts
):
    spoil = staticmethod(lambda text: text.replace(b"doesn't", b"does not"))
    use(monkeypatch, "gigatoken", spoil=spoil)
    assert "differs" not in encoder_proof.choose_engine(stored, sample=[b"x"]).refused.get(
        "gigatoken", ""
    )
    refused = encoder_proof.choose_engine(stored, sample=SAMPLE).refused
    assert "differs" in refused["gigatoken"]


def test_an_engine_that_fails_is_passed_over(stored, monkeypatch, few_texts):
    def spoil(text):
        raise ValueError("out of\nluck")

    use(monkeypatch, "splintr", spoil=staticmethod(spoil))
    monkeypatch.setattr(encoders, "_SplintrEncoder", lambda stored: spoil(b""))
    choice = encoder_proof.choose_engine(stored, sample=SAMPLE)
    assert choice.engine == "tokenizers"
    assert "cannot load this tokenizer: out of luck" in choice.refused["splintr"]


def test_an_equal_engine_that_is_slow_is_passed_over(stored, monkeypatch, few_texts):
    use(monkeypatch, "splintr", seconds=0.2)
    choice = encoder_proof.choose_engine(stored, sample=SAMPLE)
    assert choice.engine == "tokenizers"
    assert "times as long" in choice.refused["splintr"]


def test_a_wish_is_granted_where_the_ids_are_the_same(stored, monkeypatch, few_texts):
    use(monkeypatch, "splintr", seconds=0.1)
    assert encoder_proof.choose_engine(stored, sample=SAMPLE, engine="splintr").engine == "splintr"
    assert (
        encoder_proof.choose_engine(stored, sample=SAMPLE, engine="transformers").engine
        == "transformers"
    )
    assert (
        encoder_proof.choose_engine(stored, sample=SAMPLE, engine="tokenizers").engine
        == "tokenizers"
    )


def test_a_wish_for_other_ids_is_refused(stored, monkeypatch, few_texts):
    use(monkeypatch, "splintr", spoil=staticmethod(bytes.upper))
    refusals.assert_refused(
        lambda: encoder_proof.choose_engine(stored, sample=SAMPLE, engine="splintr"),
        match="'splintr' gives other ids.*differs at id",
    )


def test_a_wish_for_what_is_not_there_is_refused(stored):
    refusals.assert_refused(
        lambda: encoder_proof.choose_engine(stored, sample=SAMPLE, engine="units"),
        match="cannot be used",
    )


def test_what_a_tokenizer_does_in_python_is_the_yardstick(stored, monkeypatch, few_texts):
    class Upper(Fake):
        spoil = staticmethod(bytes.upper)

    monkeypatch.setattr(encoders, "_TransformersEncoder", Upper)
    choice = encoder_proof.choose_engine(stored, sample=SAMPLE)
    assert choice.engine == "transformers"
    assert "differs" in choice.refused["tokenizers"]


def test_a_slow_tokenizer_needs_no_proof(stored, tmp_path):
    import transformers

    slow = transformers.GPT2Tokenizer.from_pretrained(stored.folder)
    kept = tokenizer_files.store_tokenizer(slow, folder=tmp_path / "slow")
    assert encoder_proof.choose_engine(kept, sample=SAMPLE) == ("transformers", {}, 0)


def test_a_sample_that_is_not_utf_8_is_refused(stored, few_texts):
    refusals.assert_refused(
        lambda: encoder_proof.choose_engine(stored, sample=[b"caf\xe9"]),
        match="not UTF-8 at byte 3",
    )


def test_a_large_sample_is_cut_between_characters(stored, monkeypatch):
    large = ["\u4e2d".encode() * 40_000, b"a" * 100_000, *(b"x" * 60_000 for _ in range(40))]
    used = list(encoder_proof._trim(large, num_bytes=1 << 20))
    assert sum(map(len, used)) <= 1 << 20
    assert used[0].decode("utf-8") == "\u4e2d" * 21845
    assert len(used) > 10


def test_documents_are_compared_in_the_workers_too(stored):
    texts = [b"short", gpt2_like.CODE.encode(), b"z" * 50_000]
    rows = encoders.open_encoder(stored, "tokenizers").encode(texts)
    encoder_proof.check_encoded(stored, engine="splintr", texts=texts, rows=rows)
    changed = rows.values.copy()
    changed[rows.offsets[1] + 4] += 1
    wrong = Ragged(changed, rows.offsets)
    encoder_proof.check_encoded(stored, engine="tokenizers", texts=texts, rows=wrong)
    refusals.assert_refused(
        lambda: encoder_proof.check_encoded(stored, engine="splintr", texts=texts, rows=wrong),
        match=r"differs at id 4: .*--encoder=tokenizers",
    )


@pytest.mark.parametrize(
    ("found", "match"),
    [
        ([[1, 2, 3], [4]], ""),
        ([[1, 9, 3], [4]], r"begins 'a' differs at id 1: \[9, 3\] .* \[2, 3\]"),
        ([[1, 2, 3], [4, 5]], r"begins 'b' differs at id 1: \[5\] .* \[\]"),
        ([[1, 2, 3]], "1 rows for 2"),
    ],
)
def test_the_first_difference_is_named(found, match):
    wanted = Ragged.from_rows([[1, 2, 3], [4]], dtype=np.uint32)
    line = encoder_proof.find_difference(
        [b"a", b"b"], found=Ragged.from_rows(found, dtype=np.int32), wanted=wanted
    )
    assert re.search(match, line)
    assert bool(match) == bool(line)
