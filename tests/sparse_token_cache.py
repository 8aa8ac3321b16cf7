"""Token caches that are huge and take no room: files of zeros with something at their end."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from code_t5.storage import fingerprints, manifest
from code_t5.token_cache import layout


def write_sparse(
    path: pathlib.Path, *, dtype: str, length: int, pieces: dict[int, Sequence[int]]
) -> None:
    """Writes an array that is all zeros, and takes no room, but for some pieces.

    Args:
      path: The `.npy` file.
      dtype: As in its header.
      length: Of the array.
      pieces: What stands from some places on.
    """
    with open(path, "wb") as file:
        header = {"descr": dtype, "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(file, header)
        begin = file.tell()
        for place, values in pieces.items():
            content = np.array(values, dtype=dtype)
            file.seek(begin + place * content.itemsize)
            file.write(content.tobytes())
        file.seek(0, os.SEEK_END)
        file.truncate(begin + length * np.dtype(dtype).itemsize)


def write_cache(
    folder: pathlib.Path,
    *,
    num_tokens: int,
    ends: Sequence[int],
    pieces: dict[int, Sequence[int]],
    dtype: str = "<u2",
) -> pathlib.Path:
    """Writes a cache with the split `train`.

    Args:
      folder: The cache.
      num_tokens: In it.
      ends: Where its documents end.
      pieces: Tokens that are not 0, by their places.
      dtype: Of the tokens.

    Returns:
      The cache.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_sparse(folder / "train.npy", dtype=dtype, length=num_tokens, pieces=pieces)
    names = [f"r\n{number}".encode() for number in range(len(ends))]
    np.save(folder / "train.offsets.npy", np.array([0, *ends], dtype=np.int64))
    np.save(folder / "train.sizes.npy", np.ones(len(ends), dtype=np.int64))
    np.save(folder / "train.names.npy", np.frombuffer(b"".join(names), dtype=np.uint8))
    np.save(folder / "train.names_offsets.npy", np.cumsum([0, *map(len, names)]))
    counts = {"num_documents": len(ends), "num_tokens": num_tokens, "num_bytes": len(ends)}
    fields = {
        "format_name": layout.FORMAT_NAME,
        "format_version": layout.FORMAT_VERSION,
        "dtype": np.dtype(dtype).name,
        "splits": {"train": counts},
        "sha256": {},
        "fingerprint": fingerprints.hash_json({}),
        "fingerprint_parts": {},
    }
    manifest.write_manifest(folder, fields)
    return folder
