"""Measures what the splits of a data set have in common, on the shards as written.

Of two splits the *first* comes earlier in train, validation, test, and the *second* is the more
held-out one. A text of the second split *leaks* when the first one holds an *exact* copy (an equal
content hash) or a *near* copy: Jaccard similarity of their sets of token 5-grams at or above the
threshold. Both are found by looking up every text, not by sketches, so that a pair that
deduplication missed shows. Texts of fewer than 5 tokens have no 5-grams: they are only compared
exactly. Shared 13-grams are counted too; some are no harm, every licence header is one.

Memory and disk are bounded: the held-out side is indexed in parts (`held_out_index`), and
every shard is read once for each part.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors, parallel, progress
from code_t5.storage import atomic
from preprocessing import records, splits
from preprocessing.leaks import held_out_index, lookup

MAX_PART_NGRAMS = 16_000_000
# Up to about so many bytes of text the distinct 13-grams of the first split are counted exactly.
_EXACT_COUNT_BYTES = 1 << 25


@dataclasses.dataclass(frozen=True)
class NearPair:
    """Two similar texts in different splits.

    Attributes:
      content_hash_first: Of the text in the first split.
      content_hash_second: Of the text in the second.
      first_split: The less held-out split.
      second_split: The more held-out one.
      jaccard: Their similarity.
    """

    content_hash_first: str
    content_hash_second: str
    first_split: str
    second_split: str
    jaccard: float


@dataclasses.dataclass(frozen=True)
class SplitLeaks:
    """What two splits have in common.

    Attributes:
      first: The less held-out split.
      second: The more held-out one.
      exact: Texts of the second that have an exact copy in the first.
      near: Texts of the second that have a near copy in the first; exact ones do not count.
      first_ngrams: Distinct 13-grams of the first.
      first_ngrams_estimated: Whether that number is an estimate, from a sample by hash.
      second_ngrams: Distinct 13-grams of the second.
      shared_ngrams: Those that are in both.
    """

    first: str
    second: str
    exact: int
    near: int
    first_ngrams: int
    first_ngrams_estimated: bool
    second_ngrams: int
    shared_ngrams: int

    def as_json(self) -> dict[str, Any]:
        """Returns the pair's line of the report."""
        return {
            **dataclasses.asdict(self),
            "ngram_size": held_out_index.LONG_NGRAM_SIZE,
            "share_of_second": self.shared_ngrams / max(1, self.second_ngrams),
        }


@dataclasses.dataclass(frozen=True)
class LeakReport:
    """What was measured.

    Attributes:
      threshold: Jaccard similarity from which on texts are near copies.
      pairs: Every pair of splits.
      near_pairs: The near copies, by first split and content hash, most similar first; of each text
        in a first split at most 8.
    """

    threshold: float
    pairs: tuple[SplitLeaks, ...]
    near_pairs: tuple[NearPair, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns what the report says under `leaks`."""
        return {
            "threshold": self.threshold,
            "pairs": [pair.as_json() for pair in self.pairs],
        }


class _Tally:
    """Adds up what was found in all shards and parts."""

    def __init__(self) -> None:
        self.exact: dict[tuple[str, str], set[int]] = collections.defaultdict(set)
        self.near: dict[tuple[str, str], set[int]] = collections.defaultdict(set)
        self.ngrams: dict[str, int] = collections.defaultdict(int)
        self.shared: dict[tuple[str, str], int] = collections.defaultdict(int)
        self.near_pairs: dict[tuple[str, str], list[NearPair]] = collections.defaultdict(list)
        self.sample = np.empty(0, dtype=np.uint64)

    def add_shard(
        self, found: lookup.SearchResult, *, split: str, index: held_out_index.BuiltPart
    ) -> None:
        """Adds what one shard has in common with one part, 13-grams excepted."""
        for texts, seen in ((found.exact_texts, self.exact), (found.near_texts, self.near)):
            for text in texts.tolist():
                seen[split, splits.SPLITS[index.codes[text]]].add(index.part.first_text + text)
        for name, text, jaccard in zip(
            found.pair_names.tolist(), found.pair_texts.tolist(), found.pair_jaccard.tolist()
        ):
            pair = NearPair(
                content_hash_first=name.decode("ascii"),
                content_hash_second=bytes(index.names[text]).decode("ascii"),
                first_split=split,
                second_split=splits.SPLITS[index.codes[text]],
                jaccard=jaccard,
            )
            best = self.near_pairs[split, pair.content_hash_first]
            best.append(pair)
            best.sort(key=lambda each: (-each.jaccard, each.content_hash_second))
            del best[lookup.MAX_PAIRS_PER_TEXT :]
        self.sample = np.union1d(self.sample, found.long_sample)

    def add_long(
        self, index: held_out_index.BuiltPart, seen: np.ndarray, present: list[str]
    ) -> None:
        """Adds the 13-grams of one part; bool `seen` tells which the first split holds."""
        for split in present[1:]:
            self.ngrams[split] += _count_masks(index.long_masks, split)
            self.shared[present[0], split] += _count_masks(index.long_masks[seen], split)
        for first, second in itertools.combinations(present[1:], 2):
            self.shared[first, second] += _count_masks(index.long_masks, first, second)

    def all_near_pairs(self) -> Iterator[NearPair]:
        """Yields them by first split and content hash, most similar first."""
        for _, pairs in sorted(
            self.near_pairs.items(), key=lambda item: (splits.SPLITS.index(item[0][0]), item[0][1])
        ):
            yield from pairs


def _count_masks(masks: np.ndarray, *names: str) -> int:
    """Counts the 13-grams that are in all of the named splits."""
    bits = sum(1 << splits.SPLITS.index(name) for name in names)
    return int(np.count_nonzero((masks & bits) == bits))


def _sampling_rate(num_bytes: int) -> int:
    """Returns of how many 13-grams one is sampled, a power of two."""
    return 1 << max(0, -(-num_bytes // _EXACT_COUNT_BYTES) - 1).bit_length()


@dataclasses.dataclass(frozen=True)
class _Measurement:
    """One run over the shards.

    Attributes:
      shards: All of them.
      present: The splits that have one, the least held-out first.
      dataset_dir: Where the shards are.
      work_dir: For the index.
      threshold: Of near copies.
      sampling_rate: Of the 13-grams of the first split.
    """

    shards: Sequence[records.Shard]
    present: list[str]
    dataset_dir: str
    work_dir: str
    threshold: float
    sampling_rate: int

    def run(self, pool: parallel.WorkerPool, max_part_ngrams: int) -> _Tally:
        """Measures everything."""
        prepare_fn = functools.partial(
            held_out_index.prepare_shard, dataset_dir=self.dataset_dir, work_dir=self.work_dir
        )
        held_out = [
            (shard.split, shard.name) for shard in self.shards if shard.split in self.present[1:]
        ]
        prepared = list(pool.map(prepare_fn, held_out))
        parts = held_out_index.plan_parts(prepared, max_ngrams=max_part_ngrams)
        # The last split's texts are in the index, and no other split is more held out.
        searched = [shard for shard in self.shards if shard.split in self.present[:-1]]
        total = len(parts) * sum(shard.num_examples for shard in searched)
        tally = _Tally()
        with progress.progress_bar(description="measuring leaks", unit="file", total=total) as bar:
            for number, part in enumerate(parts):
                index = held_out_index.build_part(
                    prepared, part=part, threshold=self.threshold, part_dir=self._part_dir(number)
                )
                seen = np.zeros(len(index.long_masks), dtype=bool)
                search_fn = functools.partial(lookup.search_shard, search=self._search(number))
                names = [(shard.split, shard.name) for shard in searched]
                for shard, found in zip(searched, pool.map(search_fn, names)):
                    tally.add_shard(found, split=shard.split, index=index)
                    seen |= np.unpackbits(found.long_seen, count=len(seen)).view(bool)
                    bar.update(shard.num_examples)
                tally.add_long(index, seen, self.present)
                shutil.rmtree(self._part_dir(number))
        return tally

    def _part_dir(self, number: int) -> str:
        return os.path.join(self.work_dir, f"part-{number:05d}")

    def _search(self, number: int) -> lookup.Search:
        # Once is enough for the sample.
        return lookup.Search(
            dataset_dir=self.dataset_dir,
            part_dir=self._part_dir(number),
            threshold=self.threshold,
            first_split=self.present[0],
            sample_bound=0 if number else (1 << 64) // self.sampling_rate,
        )

    def report(self, tally: _Tally) -> LeakReport:
        """Turns sums into the report."""
        ngrams = {**tally.ngrams, self.present[0]: len(tally.sample) * self.sampling_rate}
        pairs = tuple(
            SplitLeaks(
                first=first,
                second=second,
                exact=len(tally.exact[first, second]),
                near=len(tally.near[first, second]),
                first_ngrams=ngrams[first],
                first_ngrams_estimated=first == self.present[0] and self.sampling_rate > 1,
                second_ngrams=ngrams[second],
                shared_ngrams=tally.shared[first, second],
            )
            for first, second in itertools.combinations(self.present, 2)
        )
        return LeakReport(self.threshold, pairs, tuple(tally.all_near_pairs()))


def measure_leaks(
    shards: Sequence[records.Shard],
    *,
    dataset_dir: pathlib.Path,
    threshold: float,
    pool: parallel.WorkerPool,
    work_dir: pathlib.Path | None = None,
    max_part_ngrams: int = MAX_PART_NGRAMS,
) -> LeakReport:
    """Measures what each pair of splits has in common.

    Args:
      shards: All shards of the data set.
      dataset_dir: Where they are.
      threshold: Jaccard similarity from which on texts are near copies.
      pool: Workers.
      work_dir: Gets a folder for the index, removed at the end; None for the system's place.
      max_part_ngrams: Of the held-out side that are indexed at a time.

    Returns:
      The report. It does not depend on workers, parts or the order of the shards.

    Raises:
      InputError: `threshold` is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise errors.InputError(
            f"the threshold of near copies is {threshold}; wanted a number above 0 and at most 1; "
            "change it"
        )
    present = [split for split in splits.SPLITS if any(shard.split == split for shard in shards)]
    if len(present) < 2:
        return LeakReport(threshold, (), ())
    first_bytes = sum(shard.num_bytes for shard in shards if shard.split == present[0])
    with tempfile.TemporaryDirectory(prefix="leaks-", dir=work_dir) as folder:
        measurement = _Measurement(
            shards=shards,
            present=present,
            dataset_dir=str(dataset_dir),
            work_dir=folder,
            threshold=threshold,
            sampling_rate=_sampling_rate(first_bytes),
        )
        return measurement.report(measurement.run(pool, max_part_ngrams))


def choose_drops(near_pairs: Iterable[NearPair]) -> dict[str, str]:
    """Chooses what to drop so that none of the pairs is left.

    Of each pair the text on the less held-out side goes, unless the other one goes itself because
    it leaks into a split that is still more held out.

    Args:
      near_pairs: As measured.

    Returns:
      Content hash of each text to drop, and of the text, one that stays, that it leaks into.
    """
    drops: dict[str, str] = {}
    for pair in sorted(
        near_pairs,
        key=lambda pair: (
            -splits.SPLITS.index(pair.first_split),
            -pair.jaccard,
            pair.content_hash_second,
            pair.content_hash_first,
        ),
    ):
        if pair.content_hash_second not in drops:
            drops.setdefault(pair.content_hash_first, pair.content_hash_second)
    return drops


def write_leak_report(path: pathlib.Path, leaks: Mapping[str, Any]) -> None:
    """Writes the leak report.

    Args:
      path: The file.
      leaks: What the build's report says under `leaks`.
    """
    text = json.dumps(leaks, indent=2, sort_keys=True)
    atomic.write_file(path, f"{text}\n".encode("ascii"))
