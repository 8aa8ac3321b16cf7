"""Token caches of ids that a test lists, without a tokenizer."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from code_t5.encoding.ragged import Ragged
from code_t5.token_cache import parts, writer

# 38 tokens in a row, so that a window's first token says which window it is.
DOCUMENTS = [list(range(100, 120)), [120], list(range(121, 138))]


def write_cache(
    folder: pathlib.Path,
    documents: Sequence[Sequence[int]] = DOCUMENTS,
    *,
    made_from: str = "a list",
) -> pathlib.Path:
    """Writes a cache with the split `train`.

    Args:
      folder: To make; the cache is in it.
      documents: The ids of each.
      made_from: Decides on the fingerprint.

    Returns:
      The cache.
    """
    folder.mkdir(exist_ok=True)
    with parts.PartWriter(folder / "part") as part:
        part.append(
            Ragged.from_rows(documents, dtype=np.int64),
            sizes=[len(document) for document in documents],
            names=[("someone/something", f"{place}.py") for place in range(len(documents))],
        )
    writer.join_parts(
        folder / "cache",
        parts={"train": [folder / "part"]},
        fingerprint_parts={"made_from": made_from},
    )
    return folder / "cache"
