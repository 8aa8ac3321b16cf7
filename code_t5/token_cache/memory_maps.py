"""Arrays of `.npy` files, mapped read-only, of which little stays resident however much is read.

What a process has read of a mapped file counts as its memory until it is *given back*; the kernel
then still has it at hand, as with any file that was read. A small file is simply mapped. Of a
*large* one, rows are read with `pread`: it leaves nothing behind, reports a file that was cut
short, and costs less than mapping each place anew after it was given back.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import weakref
from typing import BinaryIO, Union

import numpy as np

PathLike = Union[str, "os.PathLike[str]"]

# Files of more bytes are large.
RESIDENT_BYTES = 512 << 20
# What the kernel maps around a place that is read.
_PLACE_BYTES = 64 << 10
# Longer rows are copied from the map: one `pread` is for at most 2 GB.
_MAX_PREAD_BYTES = 1 << 24


class MappedArray:
    """The one-dimensional array of a `.npy` file.

    Attributes:
      array: Read-only; a view of the map.
      extra_bytes: How many bytes the file has behind the array.
      is_large: Whether the file has more than `RESIDENT_BYTES`.
    """

    def __init__(self, path: PathLike) -> None:
        """Opens a file; reads its header alone.

        Args:
          path: The file.

        Raises:
          OSError: It cannot be opened or mapped.
          ValueError: It is no `.npy` file or no regular file, is cut short, or holds other than
            numbers.
        """
        with _open_regular(path) as file:
            shape, dtype = _read_header(file)
            self._offset = file.tell()
            size = os.fstat(file.fileno()).st_size
            num_items = int(np.prod(shape, dtype=object))
            self.extra_bytes = size - self._offset - num_items * dtype.itemsize
            if self.extra_bytes < 0:
                raise ValueError(f"it is {-self.extra_bytes} bytes too short")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.is_large = size > RESIDENT_BYTES
            self._descriptor = os.dup(file.fileno()) if self.is_large else -1
        if self.is_large:
            weakref.finalize(self, os.close, self._descriptor)
        flat = np.frombuffer(self._map, dtype=dtype, count=num_items, offset=self._offset)
        self.array = flat.reshape(shape)
        self._touched_bytes = 0

    def read_rows(self, starts: np.ndarray, *, width: int) -> np.ndarray:
        """Copies stretches of one length; for large files.

        Args:
          starts: int64 `[num_rows]`, places in the array.
          width: Numbers of each; all must lie in the array.

        Returns:
          `[num_rows, width]`, of the array's dtype; the caller's to change.

        Raises:
          OSError: The file cannot be read, or was cut short since it was opened.
        """
        item_bytes = self.array.itemsize
        row_bytes = width * item_bytes
        if row_bytes > _MAX_PREAD_BYTES:
            return self._copy_rows(starts, width=width)
        places = (starts * item_bytes + self._offset).tolist()
        descriptor, pread = self._descriptor, os.pread
        content = bytearray().join([pread(descriptor, row_bytes, place) for place in places])
        if len(content) != row_bytes * len(places):
            raise OSError("it was cut short since it was opened")
        return np.frombuffer(content, dtype=self.array.dtype).reshape(len(places), width)

    def _copy_rows(self, starts: np.ndarray, *, width: int) -> np.ndarray:
        rows = np.empty((len(starts), width), dtype=self.array.dtype)
        for row, start in zip(rows, starts.tolist()):
            row[:] = self.array[start : start + width]
            self.give_back()
        return rows

    def note_places(self, num_places: int) -> None:
        """Counts places that were read from the map, and gives them back when they are many.

        Args:
          num_places: How many, far from each other.
        """
        self._touched_bytes += num_places * _PLACE_BYTES
        if self.is_large and self._touched_bytes > RESIDENT_BYTES:
            self.give_back()

    def give_back(self) -> None:
        """Lets the kernel have what was read of the map; reading it again brings it back."""
        self._map.madvise(mmap.MADV_DONTNEED)
        self._touched_bytes = 0


def _open_regular(path: PathLike) -> BinaryIO:
    """Opens a file; a link, a pipe or a device is none, and is not waited for."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ValueError("it is a symbolic link") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is no regular file")
    return os.fdopen(descriptor, "rb")


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"it has version {version} of the .npy format")
    try:
        shape, _, dtype = readers[version](file)
    except Exception as error:  # Whatever parsers of Python's source raise for damaged headers.
        found = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"its header cannot be read ({found})") from error
    if min(shape, default=0) < 0:
        raise ValueError(f"it has the shape {list(shape)}")
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return shape, dtype
