"""The held-out side of the leak measurement: an index of its n-grams.

The *held-out* texts are those of every split but the first. Their n-grams are written to a work
directory once (`prepare_shard`) and then indexed in *parts* of bounded size (`build_part`): a part
holds some of the texts with their 5-grams, and one range of the hashes of all 13-grams. Every shard
of another split is looked up in every part (`lookup`).

No pair of similar texts is missed. A text that reaches Jaccard similarity t with a held-out text of
n distinct 5-grams shares at least `ceil(t * n)` of them, its *required* number. Of each held-out
text the most common 5-grams (licence headers) may be left out of the index as long as fewer than
the required number are: whoever shares the required number then still shares one that is indexed.
Shared indexed 5-grams are counted, and what could reach the required number is compared in full.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from code_t5.storage import tfrecords
from preprocessing import splits
from preprocessing.dedup import ngram_sets, tokens

LONG_NGRAM_SIZE = 13
_BATCH_BYTES = 1 << 20
# 5-grams of at most so many texts of a part are always indexed: looking them up is cheap.
_MAX_RARE_TEXTS = 8
_MAX_FILTER_BITS = 26
_MAX_BUCKET_BITS = 24
NAME_DTYPE = "S64"


# The files of a part, one array each.
PART_ARRAYS = (
    *("names", "codes", "counts", "offsets", "sets", "required", "needed"),
    *("keys", "starts", "postings", "filter", "buckets", "long", "long_filter", "long_buckets"),
)


@dataclasses.dataclass(frozen=True)
class HeldOutShard:
    """A held-out shard whose n-grams lie in the work directory.

    Attributes:
      split: Which split it belongs to.
      stem: Start of the paths of its arrays.
      num_texts: In it.
      num_long: Distinct 13-grams.
    """

    split: str
    stem: str
    num_texts: int
    num_long: int

    def load(self, name: str) -> np.ndarray:
        """Opens one of `names`, `counts`, `sets`, `long`, without reading it."""
        return load(f"{self.stem}.{name}.npy")


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of the index.

    Attributes:
      first_text: Of the held-out texts, counted over all shards.
      stop_text: After the last one.
      long_start: Smallest hash of a 13-gram in the part.
      long_stop: After the largest, at most 2^64.
    """

    first_text: int
    stop_text: int
    long_start: int
    long_stop: int


@dataclasses.dataclass(frozen=True)
class BuiltPart:
    """What is known of a part once it is written.

    Attributes:
      part: Which part.
      names: S64 `[num_texts]`; content hashes.
      codes: int8 `[num_texts]`; position in `splits.SPLITS`.
      long_masks: uint8 `[num_long]`; the splits that hold each 13-gram, bit `i` for the `i`-th.
    """

    part: Part
    names: np.ndarray
    codes: np.ndarray
    long_masks: np.ndarray


def load(path: str | pathlib.Path) -> np.ndarray:
    """Opens an array of the work directory without reading all of it."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def read_batches(path: pathlib.Path) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Reads a shard about a megabyte at a time.

    Args:
      path: The shard.

    Yields:
      Content hashes and texts.
    """
    names: list[bytes] = []
    texts: list[bytes] = []
    size = 0
    for name, text in tfrecords.read_features(path, ["content_hash", "text"]):
        if isinstance(name, bytes) and isinstance(text, bytes):
            names.append(name)
            texts.append(text)
            size += len(text)
        if size >= _BATCH_BYTES:
            yield names, texts
            names, texts, size = [], [], 0
    if names:
        yield names, texts


def prepare_shard(shard: tuple[str, str], *, dataset_dir: str, work_dir: str) -> HeldOutShard:
    """Writes the n-grams of a held-out shard to the work directory.

    Args:
      shard: Its split and its file name.
      dataset_dir: Where the shard is.
      work_dir: Gets `<name>.<array>.npy`.

    Returns:
      Where the n-grams are, and how many.
    """
    split, name = shard
    names: list[bytes] = []
    counts, sets, long_ngrams = ([np.empty(0, dtype)] for dtype in (np.int64, np.uint64, np.uint64))
    for batch_names, texts in read_batches(pathlib.Path(dataset_dir, name)):
        names += batch_names
        hashed = tokens.hash_tokens(texts)
        unique = tokens.unique_ngrams(tokens.ngram_hashes(hashed, ngram_sets.NGRAM_SIZE))
        counts.append(np.diff(unique.offsets))
        sets.append(unique.hashes)
        long_ngrams.append(np.unique(tokens.ngram_hashes(hashed, LONG_NGRAM_SIZE).hashes))
    distinct = np.unique(np.concatenate(long_ngrams))
    prepared = HeldOutShard(split, str(pathlib.Path(work_dir, name)), len(names), len(distinct))
    for array, values in (
        ("names", np.array(names, dtype=NAME_DTYPE)),
        ("counts", np.concatenate(counts)),
        ("sets", np.concatenate(sets)),
        ("long", distinct),
    ):
        np.save(f"{prepared.stem}.{array}.npy", values, allow_pickle=False)
    return prepared


def plan_parts(shards: Sequence[HeldOutShard], *, max_ngrams: int) -> list[Part]:
    """Cuts the held-out side into parts.

    Args:
      shards: All held-out shards.
      max_ngrams: Most 5-grams and most 13-grams in a part, unless a single text has more.

    Returns:
      At least one part; together they hold each text and each 13-gram once.
    """
    counts = np.concatenate([shard.load("counts") for shard in shards])
    cuts, size = [0], 0
    for text, count in enumerate(counts.tolist()):
        if size + count > max_ngrams and text > cuts[-1]:
            cuts.append(text)
            size = 0
        size += count
    num_long = sum(shard.num_long for shard in shards)
    num_parts = max(len(cuts), -(-num_long // max_ngrams))
    cuts += [len(counts)] * (num_parts + 1 - len(cuts))
    bounds = [(index << 64) // num_parts for index in range(num_parts + 1)]
    return [Part(*pair) for pair in zip(cuts, cuts[1:], bounds, bounds[1:])]


def places_in(size: int, hashes: np.ndarray) -> np.ndarray:
    """Returns each hash's place in an array whose size is a power of two, from its upper bits."""
    return (hashes >> np.uint64(65 - size.bit_length())).view(np.int64)


def _filter_table(keys: np.ndarray) -> np.ndarray:
    """Returns a table that tells of most hashes at once that they are not among the keys."""
    table = np.zeros(1 << min(_MAX_FILTER_BITS, (16 * len(keys)).bit_length() + 1), dtype=bool)
    table[places_in(len(table), keys)] = True
    return table


def _bucket_table(keys: np.ndarray) -> np.ndarray:
    """Returns where the keys with the same upper bits begin in `keys`, and the number of keys."""
    size = 1 << min(_MAX_BUCKET_BITS, len(keys).bit_length() + 1)
    counts = np.bincount(places_in(size, keys), minlength=size)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def _slice(shards: Sequence[HeldOutShard], part: Part) -> dict[str, np.ndarray]:
    """Reads what a part's texts left in the work directory."""
    names, counts, sets, codes = [], [], [], []
    first = 0
    for shard in shards:
        start, stop = (
            min(max(text - first, 0), shard.num_texts) for text in (part.first_text, part.stop_text)
        )
        all_counts = shard.load("counts")
        begin, end = int(all_counts[:start].sum()), int(all_counts[:stop].sum())
        names.append(shard.load("names")[start:stop])
        counts.append(all_counts[start:stop])
        sets.append(shard.load("sets")[begin:end])
        codes.append(np.full(stop - start, splits.SPLITS.index(shard.split), dtype=np.int8))
        first += shard.num_texts
    arrays = {"names": names, "counts": counts, "sets": sets, "codes": codes}
    return {name: np.concatenate(values) for name, values in arrays.items()}


def _run_starts(values: np.ndarray) -> np.ndarray:
    """Returns where runs of equal values begin, and the number of values."""
    is_first = np.ones(len(values) + 1, dtype=bool)
    np.not_equal(values[1:], values[:-1], out=is_first[1:-1])
    return np.flatnonzero(is_first) if len(values) else np.zeros(1, dtype=np.int64)


def _index_texts(counts: np.ndarray, sets: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """Makes the inverted index of a part's 5-grams."""
    offsets = np.concatenate([[0], np.cumsum(counts)])
    text = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    order = np.argsort(sets, kind="stable")
    starts = _run_starts(sets[order])
    sizes = np.diff(starts)
    num_texts = np.empty(len(sets), dtype=np.int32)
    num_texts[order] = np.repeat(sizes, sizes)
    # The margin keeps a product like 0.7 * 10, rounded up, from asking for one too many.
    required = np.maximum(1, np.ceil(threshold * counts - 1e-6)).astype(np.int64)
    common = np.flatnonzero(num_texts > _MAX_RARE_TEXTS)
    common = common[np.lexsort((-num_texts[common], text[common]))]
    of_text = np.bincount(text[common], minlength=len(counts))
    place = np.arange(len(common)) - np.repeat(np.cumsum(of_text) - of_text, of_text)
    skipped = common[place < required[text[common]] - 1]
    is_indexed = np.ones(len(sets), dtype=bool)
    is_indexed[skipped] = False
    rows = order[is_indexed[order]]
    keys = sets[rows]
    starts = _run_starts(keys)
    return {
        "offsets": offsets,
        "required": required,
        "needed": required - np.bincount(text[skipped], minlength=len(counts)),
        "keys": keys[starts[:-1]],
        "starts": starts,
        "postings": text[rows],
    }


def _long_ngrams(shards: Sequence[HeldOutShard], part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Returns the 13-grams of a part's range, sorted, and in which splits each is, as bits."""
    pieces: list[np.ndarray] = [np.empty(0, np.uint64)]
    bits: list[np.ndarray] = [np.empty(0, np.uint8)]
    for split in sorted({shard.split for shard in shards}):
        found = [np.empty(0, np.uint64)]
        for shard in shards:
            if shard.split == split:
                hashes = shard.load("long")
                start, stop = (
                    len(hashes) if bound >> 64 else int(np.searchsorted(hashes, np.uint64(bound)))
                    for bound in (part.long_start, part.long_stop)
                )
                found.append(hashes[start:stop])
        pieces.append(np.unique(np.concatenate(found)))
        bits.append(np.full(len(pieces[-1]), 1 << splits.SPLITS.index(split), dtype=np.uint8))
    keys, inverse = np.unique(np.concatenate(pieces), return_inverse=True)
    masks = np.bincount(inverse, weights=np.concatenate(bits), minlength=len(keys))
    return keys, masks.astype(np.uint8)


def build_part(
    shards: Sequence[HeldOutShard], *, part: Part, threshold: float, part_dir: str
) -> BuiltPart:
    """Writes a part of the index.

    Args:
      shards: All held-out shards.
      part: Which part.
      threshold: Jaccard similarity from which on texts are similar.
      part_dir: Gets one file per array.

    Returns:
      What the caller needs to read the results.
    """
    arrays = _slice(shards, part)
    arrays.update(_index_texts(arrays["counts"], arrays["sets"], threshold))
    arrays["long"], masks = _long_ngrams(shards, part)
    for keys, prefix in (("keys", ""), ("long", "long_")):
        arrays[f"{prefix}filter"] = _filter_table(arrays[keys])
        arrays[f"{prefix}buckets"] = _bucket_table(arrays[keys])
    pathlib.Path(part_dir).mkdir(exist_ok=True)
    for name in PART_ARRAYS:
        np.save(pathlib.Path(part_dir, f"{name}.npy"), arrays[name], allow_pickle=False)
    return BuiltPart(part, arrays["names"], arrays["codes"], masks)
