"""Parts: what each worker leaves for a token cache, one file per piece of work.

    tokens (uint16 or uint32) | lengths | sizes | lengths of names (int64 each) | names | footer

The *footer* holds counts and a CRC-32C of everything before it, so that a part that was cut short
or damaged is noticed. A part appears whole or not at all: an interrupted worker's is written again.
Parts are not flushed to the disk; one that the power took with it fails these checks.
"""

from __future__ import annotations

import os
import pathlib
import struct
import uuid
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, Union

import google_crc32c
import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.storage import atomic
from code_t5.token_cache import layout

PathLike = Union[str, "os.PathLike[str]"]

_FOOTER = struct.Struct("<8sqqqqI")
_MAGIC = b"T5PART01"
CHUNK_BYTES = 1 << 22


class PartCounts(NamedTuple):
    """What a part holds.

    Attributes:
      num_documents: In it.
      num_tokens: Of all documents.
      names_bytes: Of all names.
      item_bytes: Of one token: 2 or 4.
    """

    num_documents: int
    num_tokens: int
    names_bytes: int
    item_bytes: int

    @property
    def section_bytes(self) -> tuple[int, int, int, int, int]:
        """Sizes of the part's sections, in the order in which they stand."""
        per_document = 8 * self.num_documents
        tokens_bytes = self.num_tokens * self.item_bytes
        return tokens_bytes, per_document, per_document, per_document, self.names_bytes


class PartWriter:
    """Writes one part, some documents at a time; as a context manager, whole or not at all.

    Attributes:
      largest_id: Of those written; -1 while there is none.
      num_tokens: Written so far.
      num_bytes: Of the texts of the documents written so far.
      crc: CRC-32C of the part, once the block has ended.
    """

    def __init__(self, path: PathLike) -> None:
        """Opens a temporary file beside the part, and removes what a killed writer left there.

        Args:
          path: The part; its directory must exist, and no one else may be writing it.
        """
        self._path = pathlib.Path(path)
        atomic.remove_leftovers(self._path)
        self._file, self._temporary = self._open_temporary()
        self._dtype: np.dtype = layout.SMALL_DTYPE
        self.crc = 0
        self.largest_id = -1
        self.num_tokens = 0
        self.num_bytes = 0
        self._lengths: list[np.ndarray] = []
        self._sizes: list[np.ndarray] = []
        self._names: list[bytes] = []

    def _open_temporary(self) -> tuple[BinaryIO, pathlib.Path]:
        # The name is one that `atomic.remove_leftovers` knows.
        path = self._path.with_name(f".{self._path.name}.{uuid.uuid4().hex[:12]}.tmp")
        return open(path, "w+b"), path

    def __enter__(self) -> PartWriter:
        """Returns the writer."""
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Gives the part its name if the block ended well, else removes it."""
        try:
            if kind is None:
                self._finish()
        finally:
            # On a full disk, closing fails too.
            try:
                self._file.close()
            finally:
                self._temporary.unlink(missing_ok=True)

    def append(
        self,
        documents: ragged.Ragged,
        *,
        sizes: Sequence[int] | np.ndarray,
        names: Sequence[tuple[str, str]],
    ) -> None:
        """Adds documents.

        Args:
          documents: Their ids, from 0 to 2^32 - 1.
          sizes: UTF-8 bytes of each document's text.
          names: Repository and path of each document.

        Raises:
          ValueError: There are not as many sizes or names as documents, or an id is out of range.
          InputError: The name of a repository holds a line end.
        """
        lengths = np.diff(documents.offsets)
        if not len(lengths) == len(sizes) == len(names):
            raise ValueError(f"{len(lengths)} documents, {len(sizes)} sizes, {len(names)} names")
        encoded = list(map(_encode_name, names))
        values = documents.values[documents.offsets[0] : documents.offsets[-1]]
        if len(values):
            smallest = 0 if values.dtype.kind == "u" else int(values.min())
            largest = int(values.max())
            if smallest < 0 or largest > np.iinfo(layout.LARGE_DTYPE).max:
                raise ValueError(f"ids from {smallest} to {largest} do not fit uint32")
            if largest > np.iinfo(self._dtype).max:
                self._widen()
            self.largest_id = max(self.largest_id, largest)
        self._write(values.astype(self._dtype, copy=False))
        self.num_tokens += len(values)
        self._lengths.append(lengths.astype("<i8"))
        self._sizes.append(np.asarray(sizes, dtype="<i8"))
        self.num_bytes += int(self._sizes[-1].sum())
        self._names.extend(encoded)

    def _write(self, data: np.ndarray) -> None:
        content = data.tobytes()
        self.crc = google_crc32c.extend(self.crc, content)
        self._file.write(content)

    def _widen(self) -> None:
        """Writes the tokens again with four bytes each."""
        old, old_path = self._file, self._temporary
        self._file, self._temporary = self._open_temporary()
        self._dtype, self.crc = layout.LARGE_DTYPE, 0
        old.seek(0)
        try:
            for chunk in iter(lambda: old.read(CHUNK_BYTES), b""):
                self._write(np.frombuffer(chunk, dtype=layout.SMALL_DTYPE).astype(self._dtype))
        finally:
            old.close()
            old_path.unlink(missing_ok=True)

    def _finish(self) -> None:
        empty = np.zeros(0, dtype="<i8")
        name_lengths = np.fromiter(map(len, self._names), dtype="<i8", count=len(self._names))
        for rows in (self._lengths, self._sizes):
            self._write(np.concatenate([empty, *rows]))
        self._write(name_lengths)
        self._write(np.frombuffer(b"".join(self._names), dtype=np.uint8))
        names_bytes = int(name_lengths.sum())
        counts = (len(self._names), self.num_tokens, names_bytes, self._dtype.itemsize)
        self._file.write(_FOOTER.pack(_MAGIC, *counts, self.crc))
        self._file.flush()
        os.replace(self._temporary, self._path)


def _encode_name(name: tuple[str, str]) -> bytes:
    repository, path = name
    if layout.NAME_SEPARATOR in repository:
        raise errors.InputError(
            f"the repository {repository!r} has a line end in its name; wanted none; rename it"
        )
    return f"{repository}{layout.NAME_SEPARATOR}{path}".encode("utf-8", "surrogateescape")


def _damaged(path: pathlib.Path, found: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"{path} {found}; wanted a whole part of a token cache; remove it and run the command again"
    )


def read_part_counts(path: PathLike) -> PartCounts:
    """Reads the footer of a part.

    Args:
      path: The part.

    Returns:
      What it holds.

    Raises:
      ArtifactError: The file is missing, cut short or no part.
    """
    part = pathlib.Path(path)
    try:
        with open(part, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _FOOTER.size))
            footer = file.read()
    except OSError as error:
        raise _damaged(part, f"cannot be read ({error.strerror})") from error
    if len(footer) != _FOOTER.size or not footer.startswith(_MAGIC):
        raise _damaged(part, "has no footer")
    counts = PartCounts(*_FOOTER.unpack(footer)[1:5])
    if sum(counts.section_bytes) + _FOOTER.size != size:
        raise _damaged(part, f"has {size} bytes, not what its footer says")
    return counts


def read_sections(path: PathLike) -> Iterator[tuple[int, bytes]]:
    """Yields the content of a part in chunks of bounded size, checksum verified at the end.

    Args:
      path: The part.

    Yields:
      Which section, counted from 0, and some of its bytes; whole numbers in each chunk.

    Raises:
      ArtifactError: The part is damaged; what was yielded before must be thrown away.
    """
    part = pathlib.Path(path)
    counts = read_part_counts(part)
    crc = 0
    with open(part, "rb") as file:
        for section, left in enumerate(counts.section_bytes):
            while left:
                chunk = file.read(min(left, CHUNK_BYTES))
                crc = google_crc32c.extend(crc, chunk)
                left -= len(chunk)
                yield section, chunk
                if not chunk:
                    break
        footer = file.read()
    if crc != _FOOTER.unpack(footer)[5]:
        raise _damaged(part, "does not have the checksum that its footer says")


def read_checksum(path: PathLike) -> int:
    """Reads a part from end to end.

    Args:
      path: The part.

    Returns:
      Its CRC-32C, which is the one that its footer says.

    Raises:
      ArtifactError: The part is missing or damaged.
    """
    for _ in read_sections(path):
        pass
    with open(path, "rb") as file:
        file.seek(-_FOOTER.size, os.SEEK_END)
        return int(_FOOTER.unpack(file.read())[5])
