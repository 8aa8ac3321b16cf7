"""Chooses who encodes: the quickest engine whose ids are proved those of Hugging Face's tokenizer.

    choice = choose_engine(stored, sample=sample)
    encoder = encoders.open_encoder(stored, choice.engine)   # in each worker
    check_encoded(stored, engine=choice.engine, texts=texts, rows=rows)   # now and then

An engine is asked for the ids of a sample of the documents and of texts on which libraries are
likely to disagree (`code_t5.token_cache.tokenizing.hostile_texts`). One different id, or one error,
and it is out; the choice says why. The yardstick is the loaded Hugging Face tokenizer itself. It is
asked for most hostile texts and some of the sample; where `tokenizers`, which it is made of, alone
gives the same, that is the yardstick for all of them, for it is quicker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.encoding.ragged import Ragged
from code_t5.token_cache.tokenizing import encoders, hostile_texts, tokenizer_files
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

# Most of the sample that is used, of one document of it, and of what the slowest yardstick sees.
SAMPLE_BYTES = 1 << 19
_DOCUMENT_BYTES = 1 << 16
_DIRECT_BYTES = 1 << 16
# Of the hostile texts that sees those of fewer bytes, and every so many-th of the others.
_SHORT_BYTES, _DIRECT_STEP = 200, 8
# The most wanted of those that take less than this many times the quickest's time is chosen, so
# that a busy machine does not make another choice.
_TIE = 2.0
# `check_encoded` asks for the ids of a document up to this size.
_CHECKED_BYTES = 1 << 12
_SHOWN = 20


class EngineChoice(NamedTuple):
    """Who encodes, and why.

    Attributes:
      engine: One of `encoders.ENGINES`.
      refused: Of each other engine that was asked: why it is not the one, in a line.
      num_bytes: UTF-8 of the texts that the engine's ids were compared on.
    """

    engine: str
    refused: dict[str, str]
    num_bytes: int

    @property
    def manifest_fields(self) -> dict[str, object]:
        """What a cache's manifest says."""
        return {
            "engine": self.engine,
            "library": encoders.engine_version(self.engine),
            "compared_bytes": self.num_bytes,
        }


class _Proof:
    """The texts, the ids that they must become, and how long each engine took."""

    def __init__(self, stored: StoredTokenizer, sample: Sequence[bytes]) -> None:
        self._stored = stored
        self.sample = list(_trim(sample, num_bytes=SAMPLE_BYTES))
        backend = tokenizer_files.load_backend(
            stored.folder, stored.files[tokenizer_files.FAST_NAME]
        )
        added = [token.content for token in backend.get_added_tokens_decoder().values()]
        self.hostile = hostile_texts.hostile_texts(added)
        self.refused: dict[str, str] = {}
        # Of the sample, by engine.
        self.seconds: dict[str, float] = {}
        self._opened: dict[str, encoders.Encoder] = {}
        self.yardstick = self._choose_yardstick()
        self._hostile_ids = self._open(self.yardstick).encode(self.hostile)
        start = time.perf_counter()
        self._sample_ids = self._open(self.yardstick).encode(self.sample)
        self.seconds[self.yardstick] = time.perf_counter() - start

    def _choose_yardstick(self) -> str:
        """Asks whether `tokenizers` alone gives what the Hugging Face tokenizer gives."""
        texts = [
            text
            for index, text in enumerate(self.hostile)
            if index % _DIRECT_STEP == 0 or len(text) < _SHORT_BYTES
        ]
        texts += _trim(self.sample, num_bytes=_DIRECT_BYTES)
        wanted = self._open(encoders.TRANSFORMERS).encode(texts)
        is_same = self._is_same(encoders.TOKENIZERS, texts, wanted)
        return encoders.TOKENIZERS if is_same else encoders.TRANSFORMERS

    @property
    def num_bytes(self) -> int:
        return sum(map(len, self.hostile)) + sum(map(len, self.sample))

    def _open(self, engine: str) -> encoders.Encoder:
        if engine not in self._opened:
            self._opened[engine] = encoders.open_encoder(self._stored, engine)
        return self._opened[engine]

    def _is_same(self, engine: str, texts: Sequence[bytes], wanted: Ragged) -> bool:
        try:
            found = self._open(engine).encode(texts)
        except errors.CodeT5Error as error:
            self.refused[engine] = str(error)
            return False
        difference = find_difference(texts, found=found, wanted=wanted)
        if difference:
            self.refused[engine] = difference
        return not difference

    def ask(self, engine: str) -> None:
        """Compares an engine with the yardstick, and takes the time."""
        if not self._is_same(engine, self.hostile, self._hostile_ids):
            return
        if not self._is_same(engine, self.sample, self._sample_ids):
            return
        start = time.perf_counter()
        self._open(engine).encode(self.sample)
        self.seconds[engine] = time.perf_counter() - start


def _trim(texts: Sequence[bytes], *, num_bytes: int) -> Iterator[bytes]:
    """Yields the beginnings of texts that are spread over all, in all about so many bytes."""
    total = sum(min(len(text), _DOCUMENT_BYTES) for text in texts)
    step = max(1, -(-total // num_bytes))
    for text in texts[::step]:
        # Half a character at the end is dropped, one that is no UTF-8 within is kept, and refused.
        cut = text[:_DOCUMENT_BYTES]
        while cut and len(cut) < len(text) and text[len(cut)] & 0xC0 == 0x80:
            cut = cut[:-1]
        yield cut
        num_bytes -= len(cut)
        if num_bytes <= 0:
            return


def find_difference(texts: Sequence[bytes], *, found: Ragged, wanted: Ragged) -> str:
    """Says in words where the ids of some texts differ first.

    Args:
      texts: UTF-8.
      found: Their ids, one row per text.
      wanted: The ids that they should have.

    Returns:
      A line, or "" if the ids are the same.
    """
    if found.num_rows != wanted.num_rows:
        return f"{found.num_rows} rows for {wanted.num_rows} texts"
    is_same_size = np.array_equal(found.offsets, wanted.offsets)
    if is_same_size and np.array_equal(found.values, wanted.values):
        return ""
    for index, text in enumerate(texts):
        ours, theirs = found.row(index), wanted.row(index)
        common = min(len(ours), len(theirs))
        differs = np.flatnonzero(ours[:common] != theirs[:common])
        first = int(differs[0]) if len(differs) else common
        if len(differs) or len(ours) != len(theirs):
            shown = ascii(text.decode("utf-8", "replace")[:_SHOWN])
            return (
                f"the text that begins {shown} differs at id {first}: "
                f"{ours[first : first + 3].tolist()} where Hugging Face gives "
                f"{theirs[first : first + 3].tolist()}"
            )
    return ""


def choose_engine(
    stored: StoredTokenizer, *, sample: Sequence[bytes], engine: str | None = None
) -> EngineChoice:
    """Chooses who encodes.

    Args:
      stored: The tokenizer.
      sample: Some documents, UTF-8, spread over the data; of more than `SAMPLE_BYTES`, some.
      engine: The one that the user wants; it is proved too. None for the quickest.

    Returns:
      The choice.

    Raises:
      InputError: A text is not UTF-8; or the engine that the user wants is not installed, not for
        this tokenizer, or gives other ids.
    """
    candidates = encoders.candidate_engines(stored)
    if engine is not None and engine not in candidates:
        encoders.open_encoder(stored, engine)
    if len(candidates) == 1:
        return EngineChoice(candidates[0], {}, 0)
    proof = _Proof(stored, sample)
    others = {encoders.TRANSFORMERS, proof.yardstick}
    for candidate in candidates:
        if candidate not in others and engine in (None, candidate):
            proof.ask(candidate)
    return _pick(proof, candidates=candidates, engine=engine)


def _pick(proof: _Proof, *, candidates: Sequence[str], engine: str | None) -> EngineChoice:
    # Hugging Face's own needs no proof, only time.
    seconds = {encoders.TRANSFORMERS: max(proof.seconds.values()), **proof.seconds}
    if engine is not None and engine not in seconds:
        raise errors.InputError(
            f"the encoder {engine!r} gives other ids than Hugging Face's tokenizer "
            f"({proof.refused[engine]}); wanted the same; leave --encoder out, which takes the "
            "quickest that gives the same"
        )
    quickest = min(seconds.values())
    equal = [name for name in candidates if name in seconds]
    chosen = engine or next(name for name in equal if seconds[name] <= _TIE * quickest)
    refused = dict(proof.refused)
    for name in equal:
        if name != chosen:
            refused[name] = f"takes {seconds[name] / seconds[chosen]:.1f} times as long"
    return EngineChoice(chosen, refused, proof.num_bytes)


def check_encoded(
    stored: StoredTokenizer, *, engine: str, texts: Sequence[bytes], rows: Ragged
) -> None:
    """Compares one of some documents with what `tokenizers` itself gives, in a worker.

    The longest of those that are not long is taken. Of an engine that is Hugging Face's own, or
    the vocabulary's, nothing is asked.

    Args:
      stored: The tokenizer.
      engine: Who encoded.
      texts: UTF-8.
      rows: Their ids, one row per text.

    Raises:
      CodeT5Error: The ids differ.
    """
    if engine not in (encoders.SPLINTR, encoders.GIGATOKEN) or not texts:
        return
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    is_short = sizes <= _CHECKED_BYTES
    index = int(np.argmax(np.where(is_short, sizes, -1)) if is_short.any() else np.argmin(sizes))
    wanted = encoders.open_encoder(stored, encoders.TOKENIZERS).encode([texts[index]])
    found = Ragged(rows.row(index), np.array([0, len(rows.row(index))], dtype=np.int64))
    difference = find_difference([texts[index]], found=found, wanted=wanted)
    if difference:
        raise errors.CodeT5Error(
            f"{encoders.engine_version(engine)} was proved on a sample, but {difference}; wanted "
            f"the same ids; run it again with --encoder={encoders.TOKENIZERS} "
            f"(encoder={encoders.TOKENIZERS!r})"
        )
