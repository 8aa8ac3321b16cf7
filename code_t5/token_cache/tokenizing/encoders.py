"""Texts to ids with one of several libraries, each called an *engine*.

    tokenizers     Hugging Face's own, for a fast tokenizer
    transformers   Hugging Face's own, for a slow one
    splintr        the same ids many times as fast, for byte-level BPE (the extra `fast`)
    gigatoken      another such library; installed by hand, it wants a newer NumPy than TensorFlow
    units          code_t5's own, for its vocabularies (`code_t5.encoding.unit_encoder`)

All give the ids of Hugging Face's `encode(text, add_special_tokens=False)`, or of
`TokenModel.encode`; `code_t5.token_cache.tokenizing.encoder_proof` chooses one and proves that it
does. An engine uses one thread: the build has a process per core. Libraries that remember words are
started afresh before they remember too many.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Protocol

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged, token_model, unit_encoder
from code_t5.encoding.ragged import Ragged
from code_t5.library_errors import one_line
from code_t5.token_cache.tokenizing import hugging_face_files, tokenizer_files
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

TOKENIZERS, TRANSFORMERS, UNITS = "tokenizers", "transformers", "units"
SPLINTR, GIGATOKEN = "splintr", "gigatoken"
ENGINES = (SPLINTR, GIGATOKEN, TOKENIZERS, TRANSFORMERS, UNITS)
# The distribution that each engine comes in, where it is not called as the engine.
_DISTRIBUTIONS = {SPLINTR: "splintr-rs"}
# Text after which gigatoken, which forgets no word, starts afresh.
_GIGATOKEN_BYTES = 256 << 20
_PARALLELISM_VARIABLE = "TOKENIZERS_PARALLELISM"


class Encoder(Protocol):
    """One engine with one tokenizer loaded."""

    def encode(self, texts: Sequence[bytes]) -> Ragged:
        """Returns the ids of some texts, without special tokens around them.

        Args:
          texts: UTF-8.

        Returns:
          int32 or uint32, one row per text.

        Raises:
          InputError: A text is not UTF-8, or the library fails on one.
        """


def candidate_engines(stored: StoredTokenizer) -> list[str]:
    """Returns the engines that may encode with a tokenizer here, most wanted first.

    Args:
      stored: The tokenizer.

    Returns:
      Some of `ENGINES`; those that are not installed are left out.
    """
    if stored.kind == tokenizer_files.CODE_T5:
        return [UNITS]
    if not stored.is_fast:
        return [TRANSFORMERS]
    # The others would find special tokens in texts where this tokenizer does not.
    quick = [] if stored.identity.get("split_special_tokens") else [SPLINTR, GIGATOKEN]
    installed = [engine for engine in quick if importlib.util.find_spec(engine) is not None]
    return [*installed, TOKENIZERS, TRANSFORMERS]


def engine_version(engine: str) -> str:
    """Returns the distribution that an engine comes in and its version.

    Args:
      engine: One of `ENGINES`.

    >>> engine_version("units")
    'code_t5'
    """
    if engine == UNITS:
        return "code_t5"
    distribution = _DISTRIBUTIONS.get(engine, engine)
    try:
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{distribution} of unknown version"


def open_encoder(stored: StoredTokenizer, engine: str) -> Encoder:
    """Loads a tokenizer into an engine; whoever wants the right ids asks `encoder_proof` first.

    Args:
      stored: The tokenizer.
      engine: One of `candidate_engines`.

    Returns:
      The encoder; made anew in each process, it is not pickled.

    Raises:
      InputError: The engine is unknown, not installed, not for this tokenizer, or refuses it.
      ArtifactError: A file of the tokenizer is missing or changed.
    """
    candidates = candidate_engines(stored)
    if engine not in candidates:
        raise errors.InputError(
            f"the encoder {engine!r} cannot be used with this tokenizer here; wanted one of "
            f"{', '.join(candidates)}; name one of these or none, or install it "
            "(pip install code_t5[fast])"
        )
    makers: dict[str, Callable[[StoredTokenizer], Encoder]] = {
        TOKENIZERS: _TokenizersEncoder,
        TRANSFORMERS: _TransformersEncoder,
        SPLINTR: _SplintrEncoder,
        GIGATOKEN: _GigatokenEncoder,
        UNITS: _open_units,
    }
    with refusals_as_errors(engine, "load this tokenizer"):
        return makers[engine](stored)


@contextlib.contextmanager
def refusals_as_errors(engine: str, what: str) -> Iterator[None]:
    """Turns whatever a library raises in the block into one line.

    Args:
      engine: One of `ENGINES`.
      what: What it is asked to do.

    Yields:
      Nothing.

    Raises:
      InputError: The library failed, or panicked.
    """
    try:
        yield
    except errors.CodeT5Error:
        raise
    except BaseException as error:
        # A panic in Rust is no Exception, and has no importable name.
        is_panic = type(error).__name__ == "PanicException"
        if not isinstance(error, Exception) and not is_panic:
            raise
        others = [name for name in ENGINES if name not in (engine, UNITS)]
        raise errors.InputError(
            f"{engine_version(engine)} cannot {what}: {one_line(error)}; wanted "
            f"the ids of Hugging Face's own tokenizer; name another encoder ({', '.join(others)})"
        ) from error


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise errors.InputError(
            f"a text is not UTF-8 at byte {error.start}; wanted UTF-8; convert or leave out the "
            "document"
        ) from error


def _join_lists(rows: Sequence[Sequence[int]]) -> Ragged:
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    values = itertools.chain.from_iterable(rows)
    flat = np.fromiter(values, dtype=np.uint32, count=int(lengths.sum()))
    return Ragged(flat, ragged.offsets_of(lengths))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Keeps `tokenizers` to the calling thread; it asks the environment each time."""
    before = os.environ.get(_PARALLELISM_VARIABLE)
    os.environ[_PARALLELISM_VARIABLE] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PARALLELISM_VARIABLE]
        else:
            os.environ[_PARALLELISM_VARIABLE] = before


class _TokenizersEncoder:
    def __init__(self, stored: StoredTokenizer) -> None:
        sha256 = stored.files[tokenizer_files.FAST_NAME]
        self._backend = tokenizer_files.load_backend(stored.folder, sha256)
        self._backend.encode_special_tokens = bool(stored.identity.get("split_special_tokens"))

    def encode(self, texts: Sequence[bytes]) -> Ragged:
        decoded = list(map(_decode, texts))
        with refusals_as_errors(TOKENIZERS, "encode a text"), _one_thread():
            encodings = self._backend.encode_batch_fast(decoded, add_special_tokens=False)
            return _join_lists([encoding.ids for encoding in encodings])


class _TransformersEncoder:
    def __init__(self, stored: StoredTokenizer) -> None:
        self._tokenizer = stored.load()

    def encode(self, texts: Sequence[bytes]) -> Ragged:
        decoded = list(map(_decode, texts))
        with refusals_as_errors(TRANSFORMERS, "encode a text"), _one_thread():
            return _join_lists(
                [
                    # verbose warns of texts that are longer than a model takes.
                    self._tokenizer.encode(text, add_special_tokens=False, verbose=False)
                    for text in decoded
                ]
            )


def _bare_json(stored: StoredTokenizer) -> bytes:
    """Returns a `tokenizer.json` that puts nothing around texts, cuts nothing, fills nothing."""
    text = stored.read_file(tokenizer_files.FAST_NAME).decode("utf-8")
    fields, position = hugging_face_files.read_head(text)
    fields.update(post_processor=None, padding=None, truncation=None)
    head = json.dumps(fields)[:-1]
    return f"{head}, {text[position:]}".encode()


class _SplintrEncoder:
    """Forgets the words that it met longest ago, so it needs no fresh start."""

    def __init__(self, stored: StoredTokenizer) -> None:
        import splintr

        self._tokenizer = splintr.from_json_bytes(_bare_json(stored))

    def encode(self, texts: Sequence[bytes]) -> Ragged:
        decoded = list(map(_decode, texts))
        with refusals_as_errors(SPLINTR, "encode a text"):
            # One text per call: batches go to as many threads as there are cores.
            rows = list(map(self._tokenizer.encode_flat, decoded))
        values = np.frombuffer(b"".join(rows), dtype="<u4")
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)) // 4
        return Ragged(values, ragged.offsets_of(lengths))


class _GigatokenEncoder:
    def __init__(self, stored: StoredTokenizer) -> None:
        self._json = _bare_json(stored)
        self._start()

    def _start(self) -> None:
        import gigatoken

        self._tokenizer: Any = gigatoken.Tokenizer.from_json(self._json)
        self._num_bytes = 0

    def encode(self, texts: Sequence[bytes]) -> Ragged:
        if not texts:
            return Ragged(np.zeros(0, dtype=np.uint32), np.zeros(1, dtype=np.int64))
        for text in texts:
            if not text.isascii():
                _decode(text)
        with refusals_as_errors(GIGATOKEN, "encode a text"):
            if self._num_bytes > _GIGATOKEN_BYTES:
                self._start()
            self._num_bytes += sum(map(len, texts))
            layout = self._tokenizer.encode_batch(list(texts), parallel=False).layout
            offsets = np.asarray(layout.offsets.data).astype(np.int64)
            return Ragged(np.asarray(layout.content.data), offsets)


def _open_units(stored: StoredTokenizer) -> Encoder:
    return unit_encoder.UnitEncoder(token_model.load_token_model(stored.folder))
