from __future__ import annotations

import pathlib
import random
import sysconfig

import pytest
import vocabulary_texts

from code_t5.encoding import piece_model, text_units
from preprocessing import lossless, unit_checker, vocabulary_training

_CHARACTERS = [
    " ", " ", " " * 23, " " * 24, " " * 25, " " * 26, " " * 48, " " * 49, "\t", "\t\t\t\t\t", "\n",
    "\n\n", "a", "Z_x", "9", "007", "(", "):", "\x7f", "\x01", "\r", "\u00e9", "\u4e2d\u6587",
    "\U0001f600", "'", "==", "@", "word", "\x1b[0m",
]  # fmt: skip
_STANDARD_LIBRARY = pathlib.Path(sysconfig.get_paths()["stdlib"])


def _units(text: str) -> list[str]:
    data = b"\0" + text.encode("utf-8") + b"\0"
    starts, ends = text_units.find_units(data)
    return [data[i:j].decode("utf-8") for i, j in zip(starts.tolist(), ends.tolist())]


@pytest.mark.parametrize("seed", range(40))
def test_texts_are_cut_where_the_vocabulary_cuts_them(seed):
    rng = random.Random(seed)
    text = "".join(rng.choices(_CHARACTERS, k=300))
    assert _units(text) == text_units.split_units(text)


def test_real_code_is_cut_where_the_vocabulary_cuts_it():
    for path in sorted(_STANDARD_LIBRARY.glob("*.py"))[::8]:
        text = path.read_text(encoding="utf-8").replace("\0", "")
        assert _units(text) == text_units.split_units(text), path


def test_units_do_not_reach_from_one_text_into_the_next():
    data = b"\0a \0 b\0(\0x\0"
    starts, ends = text_units.find_units(data)
    found = [data[i:j] for i, j in zip(starts.tolist(), ends.tolist())]
    assert found == [b"a", b" ", b" b", b"(", b"x"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary") / "v"
    texts = [path.read_text(encoding="utf-8") for path in sorted(_STANDARD_LIBRARY.glob("a*.py"))]
    vocabulary_training.train_vocabulary(
        texts, output_dir=folder, vocab_size=500, max_sample_bytes=300_000
    )
    return folder, texts


def test_token_counts_are_those_of_the_encoder(trained):
    folder, texts = trained
    model = piece_model.load_piece_model(folder)
    texts = [*texts, *vocabulary_texts.NASTY_TEXTS, "", "x", "a\0b", "\u2581"]
    outcome = lossless.check_lossless_batch(folder, [text.encode("utf-8") for text in texts])
    assert outcome.differing == ()
    assert list(outcome.num_tokens_by_text) == list(map(len, model.encode_batch(texts)))


def test_every_text_with_a_unit_that_comes_back_changed_is_named(trained, monkeypatch):
    folder, _ = trained
    model = piece_model.PieceModel((folder / piece_model.MODEL_NAME).read_bytes())
    original = model._texts_by_unit

    def lossy(units, *, ids):
        return {unit: text.replace("q", "k") for unit, text in original(units, ids=ids).items()}

    monkeypatch.setattr(model, "_texts_by_unit", lossy)
    monkeypatch.setattr(model, "survives_whole", lambda text: True)
    checker = unit_checker.UnitChecker(model)
    contents = [b"plain = 1", b"queue = 2", b"", b"x = queue\n", b"q\0"]
    assert checker.check(contents).differing == (1, 3, 4)
    # The second time the units come out of the table.
    assert checker.check(contents).differing == (1, 3, 4)
    assert checker.check(contents).num_tokens_by_text == tuple(
        map(len, model.encode_batch([content.decode() for content in contents]))
    )


def test_one_text_in_128_goes_through_sentencepiece_in_one_piece(trained, monkeypatch):
    folder, _ = trained
    model = piece_model.load_piece_model(folder)
    whole = []
    monkeypatch.setattr(model, "survives_whole", lambda text: bool(whole.append(text)))
    outcome = unit_checker.UnitChecker(model).check([b"%d" % i for i in range(300)])
    assert whole == ["0", "128", "256"]
    assert outcome.differing == (0, 128, 256)
