from __future__ import annotations

import pytest
from small_token_source import SPLITS, ListSource, ListUnit, small_source, store_bytes, store_words

from code_t5 import errors
from code_t5.token_cache.building import encode_units, part_jobs
from code_t5.token_cache.building.part_jobs import Place, Written
from code_t5.token_cache.tokenizing import encoder_proof, encoders


class _Log:
    """Makes places, and writes down what the encoding asks of its caller."""

    def __init__(self, folder, tokenizer):
        self.tokenizer = tokenizer
        self.folder = folder
        self.calls = []
        for name in ("parts", "markers"):
            (folder / name).mkdir()

    def place(self, engine):
        self.calls.append(f"place of {engine}")
        folders = str(self.folder / "parts"), str(self.folder / "markers")
        return Place(*folders, self.tokenizer, engine, 1)

    def restart(self):
        self.calls.append("restart")
        for path in (*self.folder.glob("parts/*"), *self.folder.glob("markers/*")):
            path.unlink()

    def take(self, choice):
        self.calls.append(f"proved {choice.engine}")

    def run(self, source=None, *, num_workers, encoder=None):
        encoding = encode_units.UnitEncoding(source or small_source(), num_workers)
        return encoding.prove_and_run(
            self.place,
            tokenizer=self.tokenizer,
            likely=encoder or encoders.candidate_engines(self.tokenizer)[0],
            encoder=encoder,
            restart_fn=self.restart,
            proved_fn=self.take,
        )


@pytest.fixture(name="words")
def _words(tmp_path):
    return _Log(tmp_path, store_words(tmp_path / "tokenizer"))


def _tokens(written):
    return {split: part_jobs.sums(parts)["num_tokens"] for split, parts in written.items()}


def test_one_worker_waits_for_the_proof(words):
    assert _tokens(words.run(num_workers=1)) == {"train": 19, "validation": 7}
    chosen = words.calls[-1].split()[-1]
    # What an earlier run did with another engine is thrown away; this one did nothing.
    calls = [call for call in words.calls if call != "restart"]
    assert calls == [f"proved {chosen}", f"place of {chosen}"]


def test_several_workers_begin_with_the_likely_engine(tmp_path):
    log = _Log(tmp_path, store_bytes(tmp_path / "tokenizer"))
    likely = encoders.candidate_engines(log.tokenizer)[0]
    written = log.run(num_workers=2)
    assert log.calls == [f"place of {likely}", f"proved {likely}"]
    # One id for each byte, and the ends.
    num_bytes = {split: sum(map(len, texts)) for split, texts in SPLITS.items()}
    assert _tokens(written) == {
        split: size + len(SPLITS[split]) for split, size in num_bytes.items()
    }


@pytest.mark.parametrize("num_workers", [1, 2])
def test_wrong_guess_is_thrown_away(words, monkeypatch, num_workers):
    monkeypatch.setattr(encoders, "candidate_engines", lambda stored: ["splintr", "tokenizers"])
    choice = encoder_proof.EngineChoice("tokenizers", {}, 0)
    monkeypatch.setattr(encoder_proof, "choose_engine", lambda stored, sample, engine: choice)
    written = words.run(num_workers=num_workers)
    # One worker begins nothing before the proof, but an earlier run may have.
    begun = ["place of splintr"] if num_workers == 2 else []
    assert words.calls == [*begun, "restart", "proved tokenizers", "place of tokenizers"]
    assert _tokens(written) == {"train": 19, "validation": 7}
    assert [part.num_documents for part in written["train"]] == [2, 2, 2]


class DamagedUnit(ListUnit):
    """Cannot be read; known by name, so that workers find it."""

    def read(self):
        raise errors.InputError("the unit is damaged; wanted a whole one; look at it")


@pytest.mark.parametrize("num_workers", [1, 2])
def test_error_of_a_unit_reaches_the_caller(words, num_workers):
    source = ListSource(SPLITS, unit_class=DamagedUnit)
    with pytest.raises(errors.InputError, match="the unit is damaged"):
        words.run(source, num_workers=num_workers, encoder="tokenizers")


def test_failed_proof_stops_the_work(words, monkeypatch):
    def fail(stored, sample, engine):
        raise errors.InputError("no engine")

    monkeypatch.setattr(encoder_proof, "choose_engine", fail)
    with pytest.raises(errors.InputError, match="no engine"):
        words.run(num_workers=2, encoder="tokenizers")
    assert words.calls == ["place of tokenizers"]


def test_sample_holds_texts_of_all_splits():
    assert b"a b c" in encode_units.read_sample(small_source())
    assert b"c b a" in encode_units.read_sample(small_source())


def test_sums_of_no_part():
    assert part_jobs.sums([]) == {"num_documents": 0, "num_tokens": 0, "largest_id": -1}
    parts = [Written("a", 0, 1, 5, 3, 7), Written("b", 0, 2, 6, 3, 4)]
    assert part_jobs.sums(parts) == {"num_documents": 3, "num_tokens": 11, "largest_id": 7}
