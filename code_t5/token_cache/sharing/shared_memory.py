"""One copy of a split in memory for all processes of this machine that read it.

Mapped files are shared too, but only while the kernel keeps their pages, and a slow or distant
file system is read again after that. A *shared split* is a copy in memory (`shared_segments`) that
stays until the last process that reads it has ended. It is found by its content: the checksums of
its files in the manifest. Each file is hashed as it is copied, so what is shared is what was
written.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import mmap
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors, progress
from code_t5.storage import fingerprints
from code_t5.token_cache import layout, reader
from code_t5.token_cache.sharing import free_memory, shared_segments
from code_t5.token_cache.token_split import TokenSplit

_FIELDS = {
    layout.TOKENS: "tokens",
    layout.OFFSETS: "offsets",
    layout.SIZES: "sizes",
    layout.NAMES: "name_bytes",
    layout.NAMES_OFFSETS: "name_offsets",
}
# Arrays begin where a page does, as in a file that is mapped.
_ALIGNMENT = mmap.PAGESIZE
_CHUNK_BYTES = 4 << 20
# What the machine keeps for everything else.
_RESERVE_BYTES = 64 << 20


class _Piece(NamedTuple):
    """One file of a split in the segment.

    Attributes:
      field: Of the `TokenSplit`.
      path: The file.
      start: Where it begins in the segment.
      num_bytes: Its size.
      sha256: What it must hash to.
    """

    field: str
    path: pathlib.Path
    start: int
    num_bytes: int
    sha256: str


def shared_split(cache: reader.TokenCacheReader, name: str) -> TokenSplit:
    """Opens a split in memory that all processes of this user and machine share.

    The first to ask copies the files, and the others wait for it. The memory is free when the last
    of them has dropped the split or ended, even if they were killed.

    Args:
      cache: The opened cache.
      name: Of the split.

    Returns:
      The split; its arrays are read-only.

    Raises:
      InputError: There is no such split, or no room in memory.
      ArtifactError: A file is missing, cut short or not the one that was written.
    """
    split = cache.split(name)
    pieces = _pieces(cache, name)
    last = pieces[-1]
    size = last.start + last.num_bytes
    where = f"split {name!r} of {cache.cache_dir}"
    segment = shared_segments.SegmentRegistry(shared_segments.default_registry_dir()).open_segment(
        fingerprints.hash_json([[piece.sha256, piece.num_bytes] for piece in pieces])[:32],
        size=size,
        fill_fn=functools.partial(_copy, pieces=pieces, where=where),
        check_fn=functools.partial(_check_room, size=size, where=where),
    )
    arrays: dict[str, Any] = {
        piece.field: _array(segment, piece=piece, like=split) for piece in pieces
    }
    # Memory behind no file cannot be given back.
    return dataclasses.replace(split, **arrays, maps=None)


def _array(segment: mmap.mmap, *, piece: _Piece, like: TokenSplit) -> np.ndarray:
    array: np.ndarray = getattr(like, piece.field)
    # The header of a .npy file stands before the array.
    start = piece.start + piece.num_bytes - array.nbytes
    return np.frombuffer(segment, dtype=array.dtype, count=array.size, offset=start)


def _pieces(cache: reader.TokenCacheReader, name: str) -> list[_Piece]:
    pieces = []
    start = 0
    for array, field in _FIELDS.items():
        file_name = layout.array_name(name, array)
        path = cache.cache_dir / file_name
        sha256 = cache.sha256.get(file_name)
        if not isinstance(sha256, str):
            raise errors.ArtifactError(
                f"the manifest of {cache.cache_dir} has no checksum of {file_name}; wanted one to "
                "know shared memory by; remove the cache and run the command that builds it again"
            )
        num_bytes = path.stat().st_size
        pieces.append(_Piece(field, path, start, num_bytes, sha256))
        start += -(-num_bytes // _ALIGNMENT) * _ALIGNMENT
    return pieces


def _check_room(*, size: int, where: str) -> None:
    available = free_memory.available_bytes()
    if available is not None and size + _RESERVE_BYTES > available:
        raise errors.InputError(
            f"{where} takes {size / 1e6:,.1f} MB of shared memory and {available / 1e6:,.1f} MB "
            f"are free; wanted {_RESERVE_BYTES / 1e6:.0f} MB more than it takes; free memory, or "
            "read the cache without use_shared_memory"
        )


def _copy(descriptor: int, *, pieces: list[_Piece], where: str) -> None:
    """Copies the files and checks that they are those of the manifest."""
    total = sum(piece.num_bytes for piece in pieces)
    with progress.progress_bar(
        description="copying to shared memory", unit="B", total=total, unit_scale=True
    ) as bar:
        for piece in pieces:
            found = _copy_file(descriptor, piece=piece, bar=bar, where=where)
            if found != piece.sha256:
                raise errors.ArtifactError(
                    f"{piece.path} has SHA-256 {found}; wanted {piece.sha256}, which the manifest "
                    "gives; remove the cache and run the command that builds it again"
                )


def _copy_file(descriptor: int, *, piece: _Piece, bar: progress.tqdm, where: str) -> str:
    """Returns the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(min(_CHUNK_BYTES, piece.num_bytes)))
    place, stop = piece.start, piece.start + piece.num_bytes
    with open(piece.path, "rb", buffering=0) as file:
        while place < stop:
            num_read = file.readinto(buffer[: stop - place])
            if not num_read:
                break
            chunk = buffer[:num_read]
            digest.update(chunk)
            while chunk:
                try:
                    num_written = os.pwrite(descriptor, chunk, place)
                except OSError as error:
                    raise errors.InputError(
                        f"{where} did not fit into shared memory ({error.strerror}); wanted "
                        f"{stop / 1e6:,.1f} MB; free memory, or read the cache without "
                        "use_shared_memory"
                    ) from error
                place += num_written
                chunk = chunk[num_written:]
            bar.update(num_read)
    return digest.hexdigest()
