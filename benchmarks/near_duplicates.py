"""Prints how fast near-duplicates are found, and how well, beside peers on the same texts.

    taskset -c 0 python -m benchmarks.near_duplicates --input_dir=SOURCES

reads every `*.py` file below a folder into memory, drops exact copies, and goes from texts to
clusters: with the code of the build, with datasketch, and with rensa's own deduplicator, each of
which compares 5-grams of the same tokens with 256 permutations at the same threshold. Seconds are
the processor's, so that other work beside counts little; MB are 10^6 bytes of text.

What is found is judged by the *true pairs*: all pairs of texts that reach the threshold, found
without any signature. A text that was removed without being in a true pair is *false*; one that
stays although it is a further copy in a true cluster is *missed*.

`--copies=N` takes each text N times, with its letters exchanged by another rule each time: N times
the files, and no copies. `--joined=N` joins these N into one text: as many files, N times the size.
The two show what memory grows with.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib.metadata
import itertools
import pathlib
import random
import re
import statistics
import string
import time
from collections.abc import Iterator, Sequence

import numpy as np
from absl import flags

from code_t5 import command_line, errors
from preprocessing.dedup import buckets, cluster, minhash, near, ngram_sets, tokens

_TOKEN = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")
_BATCH_BYTES = 4_000_000
_SAMPLE_SIZE = 2000


class Phases(dict[str, float]):
    """Processor seconds by phase: on one core the time that passes where nothing else runs."""

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time spent inside."""
        start = time.process_time()
        yield
        self[name] = self.get(name, 0.0) + time.process_time() - start


def _variant(text: bytes, number: int) -> bytes:
    """Exchanges the letters of a text by the rule of that number; 0 keeps them."""
    letters = list(string.ascii_letters)
    random.Random(number).shuffle(letters)
    shuffled = "".join(letters).encode("ascii") if number else string.ascii_letters.encode("ascii")
    return text.translate(bytes.maketrans(string.ascii_letters.encode("ascii"), shuffled))


def read_texts(
    input_dir: pathlib.Path, *, max_file_bytes: int, copies: int, joined: int
) -> list[bytes]:
    """Reads the texts to compare.

    Args:
      input_dir: Searched for `*.py`.
      max_file_bytes: Larger files are left out.
      copies: Variants of each text, as texts of their own.
      joined: Variants of each text, joined into one.

    Returns:
      The texts, each once.

    Raises:
      InputError: There is none.
    """
    texts: dict[bytes, None] = {}
    for path in sorted(input_dir.rglob("*.py")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= max_file_bytes:
            texts[path.read_bytes()] = None
    texts.pop(b"", None)
    if not texts:
        raise errors.InputError(f"{input_dir} has no Python files; check --input_dir")
    found = [b"\n".join(_variant(text, number) for number in range(joined)) for text in texts]
    return [_variant(text, 100 * number) for number in range(copies) for text in found]


def _batches(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    batch, size = [], 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _cluster_ours(texts: Sequence[bytes], config: near.NearDupConfig, phases: Phases) -> np.ndarray:
    signatures = np.empty((len(texts), minhash.NUM_PERMUTATIONS), dtype=np.uint32)
    done = 0
    for batch in _batches(texts):
        with phases.phase("tokens"):
            hashed = tokens.hash_tokens(batch)
        with phases.phase("5-grams"):
            ngrams = tokens.ngram_hashes(hashed, ngram_sets.NGRAM_SIZE)
        with phases.phase("signatures"):
            signatures[done : done + len(batch)] = minhash.sign(ngrams)
        done += len(batch)
    with phases.phase("clusters"):
        found = near.find_clusters(
            signatures, config=config, read_fn=lambda places: [texts[place] for place in places]
        )
    print(f"  {found.counts()}")
    return found.cluster


def _shingles(text: bytes) -> set[bytes]:
    """The 5-grams of a text, as a peer's user has to make them."""
    names = _TOKEN.findall(text)
    return {b" ".join(names[place : place + 5]) for place in range(len(names) - 4)}


def _cluster_datasketch(texts: Sequence[bytes], threshold: float, phases: Phases) -> np.ndarray:
    import datasketch

    lsh = datasketch.MinHashLSH(threshold=threshold, num_perm=minhash.NUM_PERMUTATIONS)
    edges = []
    for place, text in enumerate(texts):
        with phases.phase("5-grams"):
            shingles = list(_shingles(text))
        if not shingles:
            continue
        with phases.phase("signatures"):
            signature = datasketch.MinHash(num_perm=minhash.NUM_PERMUTATIONS)
            signature.update_batch(shingles)
        with phases.phase("clusters"):
            edges.extend((place, other) for other in lsh.query(signature))
            lsh.insert(place, signature, check_duplication=False)
    with phases.phase("clusters"):
        return cluster.label_clusters(len(texts), edges)


def _kept_by_rensa(texts: Sequence[bytes], threshold: float, phases: Phases) -> list[bool]:
    import rensa

    # Left alone it takes so few bands that it finds a third less.
    finder = rensa.RMinHashDeduplicator(
        threshold=threshold, num_perm=minhash.NUM_PERMUTATIONS, use_lsh=True, num_bands=32
    )
    kept: list[bool] = []
    for batch in _batches(texts):
        with phases.phase("5-grams"):
            shingles = [_shingles(text) for text in batch]
        with phases.phase("signatures, clusters"):
            pairs = [(str(len(kept) + place), each) for place, each in enumerate(shingles)]
            with_any = finder.add_pairs([pair for pair in pairs if pair[1]])
            answers = iter(with_any)
            kept.extend(next(answers) if pair[1] else True for pair in pairs)
    return kept


def count_shared(sets: Sequence[np.ndarray]) -> np.ndarray:
    """Counts the n-grams that each pair of a few texts shares, by looking at all of them.

    Args:
      sets: uint64 `[num_ngrams]` each, sorted, without repeats.

    Returns:
      int64 `[num_texts, num_texts]`, above the diagonal.
    """
    count = len(sets)
    owners = np.repeat(np.arange(count), [len(each) for each in sets])
    found = buckets.find_buckets(np.concatenate(sets), owners)
    shared = np.zeros(count * count, dtype=np.int64)
    every = itertools.chain(
        buckets.star_pairs(found), buckets.crossing_pairs(found, np.arange(count))
    )
    for first, second in every:
        shared += np.bincount(first * count + second, minlength=count * count)
    return shared.reshape(count, count)


def true_pairs(sets: Sequence[np.ndarray], threshold: float) -> dict[tuple[int, int], float]:
    """Finds all pairs of texts that reach a similarity.

    Sets that reach it share at least `threshold * n` n-grams, `n` being the size of either. So they
    share one among the rarest `n - ceil(threshold * n) + 1` of each (Chaudhuri, Ganti and Kaushik,
    "A primitive operator for similarity joins", 2006), and only pairs that do are compared.

    Args:
      sets: uint64 `[num_ngrams]` each, sorted, without repeats.
      threshold: Jaccard similarity.

    Returns:
      Similarity by pair of positions, the smaller first.
    """
    values, counts = np.unique(np.concatenate(sets), return_counts=True)
    rare, owners = [], []
    for place, each in enumerate(sets):
        frequency = counts[np.searchsorted(values, each)]
        prefix = len(each) - int(np.ceil(threshold * len(each) - 1e-9)) + 1
        chosen = np.lexsort((each, frequency))[:prefix]
        chosen = chosen[frequency[chosen] > 1]
        rare.append(each[chosen])
        owners.append(np.full(len(chosen), place))
    found = buckets.find_buckets(np.concatenate(rare), np.concatenate(owners))
    packed = [np.zeros(0, dtype=np.int64)]
    every = itertools.chain(
        buckets.star_pairs(found), buckets.crossing_pairs(found, np.arange(len(sets)))
    )
    for first, second in every:
        packed.append(np.unique(first * len(sets) + second))
        if len(packed) == 64:
            packed = [np.unique(np.concatenate(packed))]
    similar = {}
    for pair in np.unique(np.concatenate(packed)).tolist():
        first, second = divmod(pair, len(sets))
        if ngram_sets.is_similar(sets[first], second=sets[second], threshold=threshold):
            similar[first, second] = ngram_sets.jaccard(sets[first], sets[second])
    return similar


def _print_judgement(removed: set[int], true: np.ndarray) -> None:
    """Compares what was removed with the true clusters."""
    sizes = np.bincount(true, minlength=len(true))
    false = sum(sizes[true[place]] == 1 for place in removed)
    left = np.bincount(true[[place not in removed for place in range(len(true))]])
    missed = int(np.maximum(left - 1, 0).sum())
    wanted = len(true) - np.count_nonzero(sizes)
    print(f"  removed {len(removed)}, false {false}, missed {missed} (true copies: {wanted})")


def _removed(labels: np.ndarray) -> set[int]:
    return set(np.flatnonzero(labels != np.arange(len(labels))).tolist())


def _print_speed(name: str, size: float, phases: Phases) -> float:
    total = sum(phases.values())
    shown = ", ".join(f"{phase} {seconds:.2f} s" for phase, seconds in phases.items())
    print(f"{name}: {total:.2f} s, {size / total:.1f} MB/s ({shown})")
    return total


def _print_recall(labels: np.ndarray, similar: dict[tuple[int, int], float]) -> None:
    """Prints how many of the pairs of at least some similarity are in one cluster."""
    for least in (0.7, 0.8, 0.9):
        pairs = np.array([pair for pair, value in similar.items() if value >= least])
        if len(pairs):
            found = int((labels[pairs[:, 0]] == labels[pairs[:, 1]]).sum())
            share = 100 * found / len(pairs)
            print(f"  similarity {least} and more: {found} of {len(pairs)} pairs, {share:.2f} %")


def _print_sample(
    texts: Sequence[bytes], similar: dict[tuple[int, int], float], config: near.NearDupConfig
) -> None:
    """Looks at all pairs of a sample, half of it texts that are in a true pair."""
    source = random.Random(0)
    paired = sorted(set(itertools.chain(*similar)))
    chosen = set(source.sample(paired, min(_SAMPLE_SIZE // 2, len(paired))))
    others = [place for place in range(len(texts)) if place not in chosen]
    chosen.update(source.sample(others, min(_SAMPLE_SIZE - len(chosen), len(others))))
    sample = [texts[place] for place in sorted(chosen)]
    sets = ngram_sets.ngram_sets(sample)
    shared = count_shared(sets)
    sizes = np.array([len(each) for each in sets])
    values = shared / np.maximum(1, sizes[:, None] + sizes[None, :] - shared)
    pairs = {(first, second): values[first, second] for first, second in np.argwhere(values > 0.5)}
    print(f"all {len(sample) * (len(sample) - 1) // 2} pairs of a sample of {len(sample)} texts:")
    labels = _cluster_ours(sample, config, Phases())
    _print_recall(labels, pairs)
    links = [pair for pair, value in pairs.items() if value >= config.threshold]
    true = cluster.label_clusters(len(sample), links)
    wrong = np.count_nonzero(true[labels] != true)
    print(f"  texts in the cluster of one that no chain of true pairs leads to: {wrong}")


def _reset_peak() -> None:
    """Gives freed memory back and makes what is left the peak (glibc, Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _measure_ours(texts: Sequence[bytes], config: near.NearDupConfig) -> tuple[np.ndarray, float]:
    size = sum(map(len, texts)) / 1e6
    _reset_peak()
    before = _peak_bytes()
    phases = Phases()
    labels = _cluster_ours(texts, config, phases)
    total = _print_speed("code_t5", size, phases)
    print(f"  peak memory beyond the texts: {(_peak_bytes() - before) / 1e6:.0f} MB")
    return labels, total


def _print_peers(
    texts: Sequence[bytes], threshold: float, true: np.ndarray, our_seconds: float
) -> None:
    size = sum(map(len, texts)) / 1e6

    def _datasketch(phases: Phases) -> set[int]:
        return _removed(_cluster_datasketch(texts, threshold, phases))

    def _rensa(phases: Phases) -> set[int]:
        kept = _kept_by_rensa(texts, threshold, phases)
        return {place for place, is_kept in enumerate(kept) if not is_kept}

    for name, remove_fn in (("datasketch", _datasketch), ("rensa", _rensa)):
        try:
            shown = f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            print(f"{name} is not installed: pip install {name}")
            continue
        phases = Phases()
        removed = remove_fn(phases)
        seconds = _print_speed(shown, size, phases)
        print(f"  code_t5 takes 1/{seconds / our_seconds:.1f} of that")
        _print_judgement(removed, true)


def main(argv: Sequence[str]) -> None:
    """Reads, measures and judges.

    Args:
      argv: The program's name; everything else is a flag.
    """
    del argv
    values = flags.FLAGS
    config = near.NearDupConfig(threshold=values.threshold)
    texts = read_texts(
        pathlib.Path(values.input_dir),
        max_file_bytes=values.max_file_bytes,
        copies=values.copies,
        joined=values.joined,
    )
    print(f"{len(texts)} texts, {sum(map(len, texts)) / 1e6:.1f} MB")
    seconds = []
    for _ in range(values.repeats):
        labels, total = _measure_ours(texts, config)
        seconds.append(total)
    if not values.judge:
        return
    similar = true_pairs(ngram_sets.ngram_sets(texts), config.threshold)
    true = cluster.label_clusters(len(texts), similar)
    print(f"true: {len(similar)} pairs")
    _print_judgement(_removed(labels), true)
    _print_recall(labels, similar)
    unverified = _cluster_ours(texts, dataclasses.replace(config, verify=False), Phases())
    _print_judgement(_removed(unverified), true)
    _print_sample(texts, similar, config)
    _print_peers(texts, config.threshold, true, statistics.median(seconds))


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "A folder of Python files.", required=True)
    flags.DEFINE_float("threshold", 0.7, "Jaccard similarity of near-duplicates.")
    flags.DEFINE_integer("max_file_bytes", 1_000_000, "Larger files are left out.")
    flags.DEFINE_integer("copies", 1, "Variants of each text, as texts.", lower_bound=1)
    flags.DEFINE_integer("joined", 1, "Variants of each text, joined into one.", lower_bound=1)
    flags.DEFINE_integer("repeats", 3, "How often to measure this code.", lower_bound=1)
    flags.DEFINE_bool("judge", True, "Find the true pairs, and run the peers.")
    command_line.run(main)
