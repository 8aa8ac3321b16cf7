"""A source of some documents and a tokenizer of a few words, for tests of building token caches."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import time
from collections.abc import Iterator, Sequence

import tokenizers
from tokenizers import models, pre_tokenizers

from code_t5.storage import fingerprints
from code_t5.token_cache.sources.documents import DocumentBatch
from code_t5.token_cache.tokenizing import tokenizer_files
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

# Ids are the places; what is not here is <unk>.
WORDS = ["<unk>", "<end>", "a", "b", "c", "d"]
UNK, END = 0, 1
# Of the environment: the file that `SlowUnit` waits for.
GO_ON = "SMALL_TOKEN_SOURCE_GO_ON"
SPLITS = {
    "train": ["a b c", "", "d", "a a a a a", "b ? d", "c"],
    "validation": ["d d", "c b a"],
}


@dataclasses.dataclass(frozen=True)
class ListUnit:
    """Documents that travel with the unit."""

    documents: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        return hashlib.sha256(repr(self.documents).encode()).hexdigest()

    def read(self) -> Iterator[DocumentBatch]:
        # Two batches, so that a part is written in pieces.
        for some in (self.documents[:1], self.documents[1:]):
            if some:
                texts = [text.encode() for _, text in some]
                yield DocumentBatch(texts, [("", path) for path, _ in some])


class SlowUnit(ListUnit):
    """Waits before row 4 until the file is there that the environment names."""

    def read(self) -> Iterator[DocumentBatch]:
        deadline = time.monotonic() + 300
        if self.documents[0][0] == "4":
            while not os.path.exists(os.environ[GO_ON]) and time.monotonic() < deadline:
                time.sleep(0.01)
        return super().read()


@dataclasses.dataclass(frozen=True)
class ListSource:
    """Documents by split, two in a unit."""

    documents: dict[str, list[str]]
    revision: str = "1"
    knows_counts: bool = True
    unit_class: type = ListUnit

    @property
    def fingerprint_parts(self) -> dict:
        return {"revision": self.revision, "texts": fingerprints.hash_json(self.documents)}

    @property
    def config(self) -> dict:
        return {"dataset_name": "small", "revision": self.revision}

    @property
    def splits(self) -> list[str]:
        return list(self.documents)

    def _rows(self, split: str) -> list[tuple[str, str]]:
        return [(str(row), text) for row, text in enumerate(self.documents[split])]

    def units(self, split: str) -> Iterator[ListUnit]:
        rows = self._rows(split)
        for first in range(0, len(rows), 2):
            yield self.unit_class(tuple(rows[first : first + 2]))

    def num_documents(self, split: str) -> int | None:
        return len(self.documents[split]) if self.knows_counts else None

    def sample(self, split: str, *, num_bytes: int) -> Iterator[DocumentBatch]:
        rows = self._rows(split)
        for first in range(0, len(rows), 2):
            yield from ListUnit(tuple(rows[first : first + 2])).read()


def small_source(**changes) -> ListSource:
    """Returns the source of `SPLITS`."""
    return ListSource(**{"documents": SPLITS, **changes})


def store_words(folder: pathlib.Path, words: Sequence[str] = WORDS) -> StoredTokenizer:
    """Stores a tokenizer of whole words, the second of which is the end of text."""
    tokenizer = tokenizers.Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(words)}, unk_token=words[UNK])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _store(tokenizer, folder, unk_token=words[UNK], eos_token=words[END])


def store_bytes(folder: pathlib.Path) -> StoredTokenizer:
    """Stores a tokenizer of byte-level BPE without merges: an id for each byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<unk>": UNK, "<end>": END, **{c: i for i, c in enumerate(alphabet, start=2)}}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return _store(tokenizer, folder, eos_token="<end>")


def _store(
    tokenizer: tokenizers.Tokenizer, folder: pathlib.Path, **special: str
) -> StoredTokenizer:
    import transformers

    whole = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    return tokenizer_files.store_tokenizer(whole, folder=folder)
