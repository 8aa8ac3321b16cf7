"""An index of benchmark texts: what of them is searched, and where it occurs in files.

Words: tokens and n-grams are those of `preprocessing.dedup.tokens`. A token of a benchmark text is
*covered* if it stands in an allowed snippet there; a text with fewer than `MIN_TOKENS` tokens is
*too short* to be searched, one with fewer uncovered ones is *allowed*. The text's *interior* is all
of its tokens but the first and the last, which a longer token of a file may contain.

Method: a file that holds a text holds the text's interior token by token, and so one chosen n-gram
of it, the *anchor*; one that shares `OVERLAP_SIZE` neighbouring tokens shares all n-grams in them.
Files are therefore looked up n-gram by n-gram, in array operations; what is found so is compared
byte by byte, and token by token, before it counts.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from preprocessing.decontamination import benchmark_files
from preprocessing.dedup import ngram_sets
from preprocessing.dedup import tokens as token_hashes

MIN_TOKENS = 8
OVERLAP_SIZE = 13
NGRAM_SIZE = ngram_sets.NGRAM_SIZE
# Hits in a row that a shared run of OVERLAP_SIZE tokens makes.
_RUN = OVERLAP_SIZE - NGRAM_SIZE + 1
_TOKEN = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")
# Two bits of each n-gram are looked up in tables of this many places before the exact search.
_TABLE_BITS = 22
# Hashes at a time, so that the arrays stay in the processor's cache.
_BLOCK_HASHES = 1 << 14
_SPACES = np.zeros(256, dtype=bool)
_SPACES[list(b" \t\n\r\f\v")] = True
# A file that holds a whole benchmark need not be described at length.
_MAX_FOUND_PER_FILE = 200


@dataclasses.dataclass(frozen=True)
class Match:
    """A benchmark text, or a part of it, in a file.

    Attributes:
      entry: `<file name>:<line>` of the benchmark.
      field: Where in the entry.
      kind: `exact` or `ngram`.
      start: Byte of the content at which it begins.
    """

    entry: str
    field: str
    kind: str
    start: int


@dataclasses.dataclass(frozen=True)
class _Lookup:
    """A sorted set of hashes with quick tests before the exact one.

    Attributes:
      hashes: uint64 `[num_hashes]`, sorted.
      tables: Two bool `[2 ** _TABLE_BITS]`.
    """

    hashes: np.ndarray
    tables: tuple[np.ndarray, np.ndarray]

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns which of the hashes are in the set, and their places there, int64 both."""
        if not len(self.hashes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        found = []
        for start in range(0, len(hashes), _BLOCK_HASHES):
            block = hashes[start : start + _BLOCK_HASHES]
            hits = np.flatnonzero(self.tables[0][_table_places(block, part=0)])
            found.append(start + hits[self.tables[1][_table_places(block[hits], part=1)]])
        hits = np.concatenate([np.zeros(0, np.int64), *found])
        places = np.searchsorted(self.hashes, hashes[hits])
        places[places == len(self.hashes)] = 0
        is_same = self.hashes[places] == hashes[hits]
        return hits[is_same], places[is_same]


def _table_places(hashes: np.ndarray, *, part: int) -> np.ndarray:
    shift = np.uint64(64 - _TABLE_BITS * (part + 1))
    return ((hashes >> shift) & np.uint64((1 << _TABLE_BITS) - 1)).view(np.int64)


def _make_lookup(hashes: np.ndarray) -> _Lookup:
    tables = []
    for part in (0, 1):
        table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        table[_table_places(hashes, part=part)] = True
        tables.append(table)
    return _Lookup(hashes, (tables[0], tables[1]))


def squeeze(text: bytes) -> bytes:
    r"""Returns a text with every run of ASCII white space as one space, none at the ends.

    >>> squeeze(b"  a\r\n\tb ")
    b'a b'
    """
    return b" ".join(text.split())


def _squeeze_with_places(content: bytes) -> tuple[bytes, np.ndarray]:
    """Returns a text with single spaces, and where each of its bytes stood, int64."""
    codes = np.frombuffer(content, dtype=np.uint8)
    is_space = _SPACES[codes]
    keep = ~is_space
    keep[1:] |= ~is_space[:-1]
    keep[:1] = True
    places = np.flatnonzero(keep)
    return np.where(is_space[places], np.uint8(0x20), codes[places]).tobytes(), places


def _covered(batch: token_hashes.TokenBatch, snippets: Sequence[bytes]) -> np.ndarray:
    """Returns which tokens of the batch stand in a snippet, bool `[num_tokens]`."""
    covered = np.zeros(len(batch.hashes), dtype=bool)
    allowed = token_hashes.hash_tokens(snippets)
    by_length: dict[int, list[np.ndarray]] = {}
    for start, stop in zip(allowed.offsets[:-1].tolist(), allowed.offsets[1:].tolist()):
        if stop > start:
            by_length.setdefault(stop - start, []).append(allowed.hashes[start:stop])
    for length, members in by_length.items():
        one = token_hashes.TokenBatch(
            np.concatenate(members), np.arange(len(members) + 1, dtype=np.int64) * length
        )
        wanted = token_hashes.ngram_hashes(one, length).hashes
        ngrams = token_hashes.ngram_hashes(batch, length)
        places = _ngram_places(ngrams, batch)[np.isin(ngrams.hashes, wanted)]
        for shift in range(length):
            covered[places + shift] = True
    return covered


def _ngram_places(ngrams: token_hashes.NgramBatch, batch: token_hashes.TokenBatch) -> np.ndarray:
    """Returns the position in the batch of each n-gram's first token, int64 `[total]`."""
    counts = np.diff(ngrams.offsets)
    return np.arange(len(ngrams.hashes)) + np.repeat(
        batch.offsets[:-1] - ngrams.offsets[:-1], counts
    )


def _tokens_at(content: bytes, start: int) -> list[bytes]:
    """Returns `OVERLAP_SIZE` tokens of a text from a byte on; fewer at its end."""
    found = []
    for match in _TOKEN.finditer(content, start):
        found.append(match.group())
        if len(found) == OVERLAP_SIZE:
            break
    return found


class BenchmarkIndex:
    """Searches files for the texts of some benchmarks."""

    def __init__(
        self, files: Sequence[benchmark_files.BenchmarkFile], *, snippets: Sequence[bytes]
    ) -> None:
        """Chooses what is searched, and prepares it.

        Args:
          files: The benchmarks.
          snippets: What is allowed.
        """
        self._files = tuple(files)
        unique: dict[bytes, benchmark_files.BenchmarkText] = {}
        for file in files:
            for text in file.texts:
                unique.setdefault(squeeze(text.text), text)
        self._texts = list(unique)
        self._owners = list(unique.values())
        self._batch = token_hashes.hash_tokens(self._texts)
        self._lengths = np.diff(self._batch.offsets)
        uncovered = ~_covered(self._batch, snippets)
        self._sums = np.zeros(len(uncovered) + 1, dtype=np.int64)
        np.cumsum(uncovered, out=self._sums[1:])
        counts = self._sums[self._batch.offsets[1:]] - self._sums[self._batch.offsets[:-1]]
        self._is_short = self._lengths < MIN_TOKENS
        self._is_allowed = ~self._is_short & (counts < MIN_TOKENS)
        self._choose_ngrams()
        self._choose_overlaps()

    def _choose_ngrams(self) -> None:
        """Makes the set of n-grams, and chooses each searched text's anchor: its rarest one."""
        ngrams = token_hashes.ngram_hashes(self._batch, NGRAM_SIZE)
        is_searched = np.repeat(~self._is_short & ~self._is_allowed, np.diff(ngrams.offsets))
        hashes, counts = np.unique(ngrams.hashes[is_searched], return_counts=True)
        self._ngrams = _make_lookup(hashes)
        self._anchored: dict[int, list[tuple[int, int]]] = {}
        for text in np.flatnonzero(~self._is_short & ~self._is_allowed).tolist():
            # Without the n-grams that hold the first or the last token.
            inner = ngrams.hashes[ngrams.offsets[text] + 1 : ngrams.offsets[text + 1] - 1]
            places = np.searchsorted(hashes, inner)
            best = int(np.argmin(counts[places]))
            self._anchored.setdefault(int(places[best]), []).append((text, best + 1))
        self._is_anchor = np.zeros(len(hashes), dtype=bool)
        self._is_anchor[list(self._anchored)] = True

    def _choose_overlaps(self) -> None:
        """Makes the set of longer n-grams, those left out that allowed snippets cover."""
        ngrams = token_hashes.ngram_hashes(self._batch, OVERLAP_SIZE)
        places = _ngram_places(ngrams, self._batch)
        is_own = self._sums[places + OVERLAP_SIZE] - self._sums[places] >= MIN_TOKENS
        # np.unique gives the first occurrence: the first text that has the n-gram owns it.
        hashes, first = np.unique(ngrams.hashes[is_own], return_index=True)
        self._overlaps = _make_lookup(hashes)
        self._overlap_places = places[is_own][first]

    def counts(self) -> list[dict[str, object]]:
        """Returns what the report says of each file.

        Returns:
          Per file `file`, `num_entries`, and of its texts `num_searched`, `num_too_short` and
          `num_allowed`; `too_short` names up to 20 of those.
        """
        positions = {text: position for position, text in enumerate(self._texts)}
        counts: list[dict[str, object]] = []
        for file in self._files:
            of_text = [positions[squeeze(text.text)] for text in file.texts]
            short = [t for t, p in zip(file.texts, of_text) if self._is_short[p]]
            num_allowed = sum(bool(self._is_allowed[p]) for p in of_text)
            counts.append(
                {
                    "file": file.name,
                    "num_entries": file.num_entries,
                    "num_searched": len(of_text) - len(short) - num_allowed,
                    "num_too_short": len(short),
                    "num_allowed": num_allowed,
                    "too_short": [f"{text.entry} {text.field}" for text in short[:20]],
                }
            )
        return counts

    def find(
        self,
        contents: Sequence[bytes],
        *,
        tokens: token_hashes.TokenBatch,
        ngrams: token_hashes.NgramBatch | None = None,
    ) -> list[tuple[Match, ...]]:
        """Finds what files share with the benchmarks.

        Args:
          contents: The files.
          tokens: Theirs.
          ngrams: Theirs of `NGRAM_SIZE` tokens, in order of occurrence, where the caller has them.

        Returns:
          Per file its matches, in the order of where they begin: of each benchmark text the first
          whole occurrence, and the first run of shared tokens if it begins before that. What stands
          before a file's first match therefore holds none.
        """
        if ngrams is None:
            ngrams = token_hashes.ngram_hashes(tokens, NGRAM_SIZE)
        hits, places = self._ngrams.find(ngrams.hashes)
        pairs: dict[int, set[int]] = {}
        for hit, place in zip(*(a[self._is_anchor[places]].tolist() for a in (hits, places))):
            file = int(np.searchsorted(ngrams.offsets, hit, side="right")) - 1
            at = hit - int(ngrams.offsets[file]) + int(tokens.offsets[file])
            for text, shift in self._anchored[place]:
                if self._has_interior(tokens, text=text, start=at - shift, file=file):
                    pairs.setdefault(file, set()).add(text)
        runs = hits[: max(0, len(hits) - _RUN + 1)]
        runs = runs[hits[_RUN - 1 :] - runs == _RUN - 1]
        shared = np.unique(np.searchsorted(ngrams.offsets, runs, side="right") - 1).tolist()
        found: list[tuple[Match, ...]] = [()] * len(contents)
        for file in sorted({*pairs, *shared}):
            matches = self._exact_matches(contents[file], sorted(pairs.get(file, ())))
            if file in shared:
                matches += self._overlap_matches(contents[file], skipped=matches)
            found[file] = tuple(sorted(matches, key=_order)[:_MAX_FOUND_PER_FILE])
        return found

    def _has_interior(
        self, tokens: token_hashes.TokenBatch, *, text: int, start: int, file: int
    ) -> bool:
        """Whether the file has the text's inner tokens, if the text's first token is at `start`."""
        length = int(self._lengths[text])
        if start < tokens.offsets[file] or start + length > tokens.offsets[file + 1]:
            return False
        first = int(self._batch.offsets[text])
        inner = self._batch.hashes[first + 1 : first + length - 1]
        return np.array_equal(tokens.hashes[start + 1 : start + length - 1], inner)

    def _exact_matches(self, content: bytes, texts: list[int]) -> list[Match]:
        if not texts:
            return []
        squeezed, places = _squeeze_with_places(content)
        found = []
        for text in texts:
            position = squeezed.find(self._texts[text])
            if position >= 0:
                owner = self._owners[text]
                found.append(Match(owner.entry, owner.field, "exact", int(places[position])))
        return found

    def _overlap_matches(self, content: bytes, *, skipped: list[Match]) -> list[Match]:
        """Finds shared runs of tokens that begin before the same field is found as a whole."""
        tokens = token_hashes.hash_tokens([content])
        hits, places = self._overlaps.find(token_hashes.ngram_hashes(tokens, OVERLAP_SIZE).hashes)
        starts = token_hashes.token_starts([content]) if len(hits) else np.zeros(0, np.int64)
        limits = {(match.entry, match.field): match.start for match in skipped}
        found = []
        for hit, place in zip(hits.tolist(), self._overlap_places[places].tolist()):
            text = int(np.searchsorted(self._batch.offsets, place, side="right")) - 1
            owner, start = self._owners[text], int(starts[hit])
            if limits.get((owner.entry, owner.field), len(content)) <= start:
                continue
            inside = place - int(self._batch.offsets[text])
            wanted = _TOKEN.findall(self._texts[text])[inside : inside + OVERLAP_SIZE]
            # Equal hashes of 64 bits are as good as equal tokens; nothing is dropped on trust.
            if _tokens_at(content, start) == wanted:
                limits[owner.entry, owner.field] = start
                found.append(Match(owner.entry, owner.field, "ngram", start))
        return found


def _order(match: Match) -> tuple[int, str, str, str]:
    return match.start, match.entry, match.field, match.kind
