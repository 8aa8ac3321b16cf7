"""Decisions that need more than one file: which is a copy of which, by whatever comparison.

The arrays are indexed by `file_id` and lie on disk. A *cluster* is a set of files that are copies
of each other, exact or near; it is named by the smallest `file_id` in it. Of a cluster one file is
kept: the one whose licence is best (permissive before unknown before other), and of equal ones the
one with the smallest `file_id`. That depends on no order of work.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib

import numpy as np

from code_t5.storage import fingerprints
from preprocessing import filters

NONE = 0
EXACT = 1
NEAR = 2
LEAK = 3
# Position is the reason's number.
VERDICTS = (filters.KEPT, filters.EXACT_DUPLICATE, filters.NEAR_DUPLICATE, filters.SPLIT_LEAK)


@dataclasses.dataclass(frozen=True)
class Decisions:
    """What comparing files decided; every array is `[num_files]`.

    Attributes:
      reason: uint8; why a candidate is dropped, `NONE` for every other file.
      duplicate_of: int64; `file_id` of the kept copy of a dropped one, -1 for every other file.
      cluster_id: int64; name of the cluster, -1 for a file without copies.
    """

    reason: np.ndarray
    duplicate_of: np.ndarray
    cluster_id: np.ndarray

    def drop(self, file_ids: np.ndarray, *, kept: np.ndarray, reason: int) -> None:
        """Drops files for the sake of others, and everything that pointed at them follows.

        Args:
          file_ids: int64 `[num_dropped]`, each at most once.
          kept: int64 `[num_dropped]`, the kept copy of each.
          reason: Why.
        """
        if not len(file_ids):
            return
        self.reason[file_ids] = reason
        self.duplicate_of[file_ids] = kept
        order = np.argsort(file_ids, kind="stable")
        names, targets = file_ids[order], kept[order]
        # Copies of a dropped file are copies of the one it was dropped for, and so on from there.
        while True:
            old = np.asarray(self.duplicate_of)
            at = np.minimum(np.searchsorted(names, old), len(names) - 1)
            follows = names[at] == old
            if not follows.any():
                return
            self.duplicate_of[follows] = targets[at][follows]

    def rename_clusters(self, names: np.ndarray, targets: np.ndarray) -> None:
        """Gives clusters other names, each at once.

        Args:
          names: int64 `[num_names]`, sorted, without repeats.
          targets: int64 `[num_names]`; what each is called from now on.
        """
        if not len(names):
            return
        old = np.asarray(self.cluster_id)
        at = np.minimum(np.searchsorted(names, old), len(names) - 1)
        follows = names[at] == old
        self.cluster_id[follows] = targets[at][follows]

    def fingerprint(self) -> str:
        """Returns a hash of which files are dropped."""
        return fingerprints.hash_bytes(np.ascontiguousarray(self.reason).tobytes())


def create(work_dir: str | os.PathLike[str], num_files: int) -> Decisions:
    """Makes decisions that say nothing yet.

    Args:
      work_dir: Gets the arrays' files; earlier ones are replaced.
      num_files: Of the data set.

    Returns:
      The decisions.
    """

    def array(name: str, dtype: type, value: int) -> np.ndarray:
        path = pathlib.Path(work_dir, f"decisions-{name}.npy")
        made = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(num_files,))
        made[:] = value
        return made

    return Decisions(
        reason=array("reason", np.uint8, NONE),
        duplicate_of=array("duplicate_of", np.int64, -1),
        cluster_id=array("cluster_id", np.int64, -1),
    )
