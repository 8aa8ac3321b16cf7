"""Near-duplicates as Beam steps: texts meet by the hashes of their bands, pairs by their texts.

Words as in `preprocessing.dedup.near`. A step's elements are unit numbers. First each unit's bands
go to *bins*, one band and one range of its hashes each; a bin finds its buckets' pairs and sends
them to the unit of the pair's first text; there the texts are read and compared, and the pairs that
are similar come back as a *table* of positions. One step does this for the stars of all buckets, a
second for the pairs across the clusters that the stars made.

The launcher then walks through the same search as the local build, but looks each comparison up in
the table instead of reading texts. The tables hold every pair that the search can ask for, so
clusters and counts are the same; the launcher sees positions and signatures, never a text.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from code_t5 import errors
from preprocessing import unit_store
from preprocessing.beam import beam_exact, beam_files, beam_pool, beam_runner
from preprocessing.dedup import apply, buckets, minhash, near, ngram_sets

STARS = "stars"
CROSSING = "crossing"
_BAND_DTYPE = np.dtype([("hash", "<u8"), ("position", "<i8")])
_PAIR_DTYPE = np.dtype([("first", "<i8"), ("second", "<i8")])
# 16 MB of rows in a bin.
_MAX_BIN_ROWS = 1 << 20


def _load(step_dir: str, name: str) -> np.ndarray:
    return np.load(pathlib.Path(step_dir, name), mmap_mode="r", allow_pickle=False)


def bins_of_unit(
    unit_index: int, *, work_dir: str, near_dir: str, threshold: float
) -> Iterator[Any]:
    """Yields the band hashes of one unit's survivors by bin.

    Args:
      unit_index: Which unit.
      work_dir: The work directory of a finished scan.
      near_dir: Holds `survivors.npy` and `starts.npy`.
      threshold: Of the similarity.

    Yields:
      `(bin, bytes of _BAND_DTYPE)`.
    """
    survivors, starts = _load(near_dir, "survivors.npy"), _load(near_dir, "starts.npy")
    start, stop = int(starts[unit_index]), int(starts[unit_index + 1])
    if start == stop:
        return
    signatures = unit_store.read_signatures(work_dir, unit_index)[survivors["row"][start:stop]]
    bands = minhash.choose_bands(threshold)
    num_ranges = -(-len(survivors) // _MAX_BIN_ROWS)
    rows = np.empty(stop - start, _BAND_DTYPE)
    rows["position"] = np.arange(start, stop)
    for band in range(bands.num_bands):
        rows["hash"] = minhash.hash_band(signatures, bands=bands, band=band)
        ranges = beam_files.range_of(rows["hash"], num_ranges)
        for range_index in np.unique(ranges).tolist():
            yield band * num_ranges + range_index, rows[ranges == range_index].tobytes()


def pairs_of_bin(
    group: tuple[int, Iterable[bytes]],
    *,
    work_dir: str,
    near_dir: str,
    phase: str,
    threshold: float,
) -> Iterator[Any]:
    """Yields the likely pairs of one bin's buckets by the unit of the first text.

    Args:
      group: The bin and its rows, in any order.
      work_dir: Holds the signatures of the survivors.
      near_dir: Holds `survivors.npy`, and for the second step `labels.npy`.
      phase: `STARS` or `CROSSING`.
      threshold: Of the similarity.

    Yields:
      `(unit_index, bytes of _PAIR_DTYPE)`.
    """
    rows = np.frombuffer(b"".join(group[1]), _BAND_DTYPE)
    rows = rows[np.argsort(rows["position"])]
    found = buckets.find_buckets(rows["hash"], rows["position"])
    if phase == STARS:
        chunks = buckets.star_pairs(found)
    else:
        chunks = buckets.crossing_pairs(found, _load(near_dir, "labels.npy"))
    units = _load(near_dir, "survivors.npy")["unit"]
    signatures = _load(work_dir, apply.SIGNATURES_NAME)
    limit = minhash.match_limit(threshold, num_sigmas=near.CUT_SIGMAS)
    for first, second in chunks:
        # Low bytes, as in the local search: they agree wherever the numbers do.
        equal = signatures[first].astype(np.uint8) == signatures[second].astype(np.uint8)
        likely = np.count_nonzero(equal, axis=1) >= limit
        pairs = np.empty(np.count_nonzero(likely), _PAIR_DTYPE)
        pairs["first"], pairs["second"] = first[likely], second[likely]
        unit_of_pair = units[pairs["first"]]
        for unit_index in np.unique(unit_of_pair).tolist():
            yield unit_index, pairs[unit_of_pair == unit_index].tobytes()


def similar_pairs(
    group: tuple[int, Iterable[bytes]],
    *,
    work_dir: str,
    near_dir: str,
    phase: str,
    threshold: float,
) -> Iterator[Any]:
    """Compares the texts of the pairs whose first text is in one unit.

    Args:
      group: The unit and its pairs, in any order and with repeats.
      work_dir: The work directory of a finished scan.
      near_dir: Holds `survivors.npy`, and gets the pairs that are similar.
      phase: `STARS` or `CROSSING`.
      threshold: Of the similarity.

    Yields:
      Nothing: the pairs are in the file `<phase>-<unit>.npy`.
    """
    unit_index, values = group
    pairs = np.unique(np.frombuffer(b"".join(values), _PAIR_DTYPE))
    rows = _load(near_dir, "survivors.npy")
    sets = ngram_sets.SetReader(
        functools.partial(unit_store.read_texts, rows=rows, work_dir=work_dir)
    )
    alike = np.zeros(len(pairs), dtype=bool)
    block = ngram_sets.READ_TEXTS // 2
    for start in range(0, len(pairs), block):
        chunk = pairs[start : start + block].tolist()
        of_text = sets.read(position for pair in chunk for position in pair)
        for offset, (first, second) in enumerate(chunk):
            alike[start + offset] = ngram_sets.is_similar(
                of_text[first], second=of_text[second], threshold=threshold
            )
    path = pathlib.Path(near_dir, f"{phase}-{unit_index:06d}.npy")
    beam_files.write_array(path, pairs[alike])
    yield from ()


class _TableSearch(near.Search):
    """The local search, with a table of similar pairs in the place of texts."""

    def __init__(self, signatures: np.ndarray, config: near.NearDupConfig) -> None:
        super().__init__(signatures, config=config, read_fn=_read_nothing)
        self.similar: set[tuple[int, int]] = set()

    def link_similar(self, pairs: list[tuple[int, int]]) -> None:
        for first, second in pairs:
            if self.clusters.find(first) == self.clusters.find(second):
                continue
            self.num_compared += 1
            if (first, second) in self.similar:
                self.num_linked += 1
                self.clusters.link(first, second)


def _read_nothing(positions: np.ndarray) -> list[bytes]:
    raise errors.CodeT5Error(
        f"the launcher was asked for {len(positions)} texts; wanted none; this is a defect"
    )


class _Steps:
    """What the steps of one search have in common."""

    def __init__(
        self,
        pool: beam_pool.BeamPool,
        *,
        work_dir: str,
        survivors: np.ndarray,
        threshold: float,
        num_units: int,
    ) -> None:
        self._pool = pool
        self._work_dir = work_dir
        self._num_units = num_units
        self._threshold = threshold
        self.folder = pool.call_dir("near")
        starts = np.searchsorted(survivors["unit"], np.arange(num_units + 1))
        beam_files.write_array(self.folder / "survivors.npy", survivors)
        beam_files.write_array(self.folder / "starts.npy", starts)

    def find_similar(self, phase: str) -> set[tuple[int, int]]:
        """Runs one step and returns its table."""
        near_dir = str(self.folder)
        bind = functools.partial
        self._pool.runner.run(
            f"near {phase}",
            elements=range(self._num_units),
            functions=[
                bind(bins_of_unit, work_dir=self._work_dir, near_dir=near_dir,
                     threshold=self._threshold),
                beam_runner.GROUP,
                bind(pairs_of_bin, work_dir=self._work_dir, near_dir=near_dir, phase=phase,
                     threshold=self._threshold),
                beam_runner.GROUP,
                bind(similar_pairs, work_dir=self._work_dir, near_dir=near_dir, phase=phase,
                     threshold=self._threshold),
            ],
        )  # fmt: skip
        found = beam_files.read_arrays(self.folder, pattern=f"{phase}-*.npy", dtype=_PAIR_DTYPE)
        return set(found.tolist())


def prepare_near_duplicates(
    pool: beam_pool.BeamPool,
    *,
    work_dir: str,
    num_units: int,
    num_candidates: int,
    config: near.NearDupConfig,
) -> None:
    """Finds the clusters of near-duplicates and leaves them where the comparison looks for them.

    Args:
      pool: Whose runner works.
      work_dir: The work directory of a finished scan.
      num_units: Number of scanned units.
      num_candidates: Records in all units.
      config: What counts as a near-duplicate; without verification no text is read, and nothing is
        left for a cluster to do.
    """
    if not (config.enabled and config.verify):
        return
    kept = beam_exact.find_kept_rows(
        pool, work_dir=work_dir, num_units=num_units, num_candidates=num_candidates
    )
    survivors = apply.survivors_of(kept)
    path = apply.clusters_path(work_dir, survivors)
    if path.with_suffix(".json").exists():
        return
    steps = _Steps(
        pool, work_dir=work_dir, survivors=survivors, threshold=config.threshold,
        num_units=num_units,
    )  # fmt: skip
    signatures = apply.gather_signatures(work_dir, survivors)
    found = _search(steps, signatures, config)
    del signatures
    pathlib.Path(work_dir, apply.SIGNATURES_NAME).unlink()
    apply.write_clusters(path, found)


def _search(
    steps: _Steps, signatures: np.ndarray, config: near.NearDupConfig
) -> near.NearDuplicates:
    """Searches as `near.find_clusters` does, with a step before each of its two halves."""
    search = _TableSearch(signatures, config)
    search.similar = steps.find_similar(STARS)
    search.look_at_stars()
    beam_files.write_array(steps.folder / "labels.npy", search.clusters.labels())
    search.similar |= steps.find_similar(CROSSING)
    search.look_at_crossing()
    return search.result()
