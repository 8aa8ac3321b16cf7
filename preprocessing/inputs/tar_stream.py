"""Reads a tar archive of unknown origin once, front to back, in bounded memory.

A *member* is one entry of the archive. The *headers* of a member (long names, extended headers,
sparse maps) are read whole by `tarfile`, so they are capped; a member's data is only handed out.
Nothing here writes to the disk.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import pathlib
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Callable

from code_t5 import errors, progress
from preprocessing import flcc_layout

_BUFFER_BYTES = 256 << 10
# The longest real headers hold a path of a few kB.
_MAX_HEADER_BYTES = 1 << 20
_XZ_MEMORY_BYTES = 512 << 20
_BLOCK_BYTES = tarfile.BLOCKSIZE


class BrokenArchive(Exception):
    """The archive is damaged or not what it should be; its text says how."""


class _PackedFile:
    """The file on the disk: moves the progress bar and hashes what passes."""

    def __init__(self, file: BinaryIO, bar: Any) -> None:
        self._file, self._bar = file, bar
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        self._bar.update(len(data))
        return data


class _XzFile:
    """Unpacks xz; unlike `lzma.open`, with a limit on the memory that a file may ask for."""

    def __init__(self, file: _PackedFile) -> None:
        self._file = file
        self._rest = b""
        self._decoder = self._new_decoder()

    @staticmethod
    def _new_decoder() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)

    def read(self, size: int) -> bytes:
        """Returns the next bytes, at most `size`; none at the end.

        Raises:
          EOFError: The compressed data end early.
        """
        while True:
            if self._decoder.eof:
                # Streams may follow one another, with zeros between them.
                self._rest = (self._decoder.unused_data or self._rest).lstrip(b"\0")
                self._rest = self._rest or self._file.read(_BUFFER_BYTES).lstrip(b"\0")
                if not self._rest:
                    return b""
                self._decoder = self._new_decoder()
            packed, self._rest = self._rest, b""
            if self._decoder.needs_input and not packed:
                packed = self._file.read(_BUFFER_BYTES)
                if not packed:
                    raise EOFError("the compressed data end early")
            data = self._decoder.decompress(packed, size)
            if data:
                return data


def _unpacker(path: pathlib.Path, file: BinaryIO, packed: _PackedFile) -> Any:
    """Returns a reader of the plain tar, chosen by the file's first bytes.

    Raises:
      InputError: The file is compressed in another way, or is empty.
    """
    start = file.read(6)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=packed, mode="rb")  # type: ignore[call-overload]
    if start[:3] == b"BZh":
        return bz2.BZ2File(packed)  # type: ignore[call-overload]
    if start == b"\xfd7zXZ\x00":
        return _XzFile(packed)
    others = {b"PK": "zip", b"\x28\xb5": "zstd", b"7z": "7z", b"Ra": "rar"}
    kind = others.get(start[:2])
    if kind or not start:
        raise errors.InputError(
            f"{path} is {'a ' + kind + ' file' if kind else 'empty'}; wanted a tar archive, plain "
            "or packed with gzip, bzip2 or xz; check the path, or pack it so"
        )
    return packed


class _BoundedReader:
    """Plain tar bytes up to a limit that moves on with the members.

    Attributes:
      position: Bytes handed out.
    """

    def __init__(self, stream: Any, *, max_bytes: int) -> None:
        self._stream, self._max_bytes = stream, max_bytes
        self._wanted = 0
        self._limit = _MAX_HEADER_BYTES
        self._recent = b""
        self.position = 0

    def expect(self, data_end: int) -> None:
        """Sets where the current member's data must end; headers may be read beyond."""
        if data_end > self._max_bytes:
            self._refuse_size()
        self._wanted, self._limit = data_end, data_end + _MAX_HEADER_BYTES

    def _refuse_size(self) -> None:
        raise BrokenArchive(f"it unpacks to more than {self._max_bytes:,} bytes")

    def read(self, size: int) -> bytes:
        """Returns the next unpacked bytes, at most `size`; none at the end.

        Raises:
          BrokenArchive: The archive is cut off, or unpacks to more than its limits allow.
        """
        data: bytes = self._stream.read(size)
        self.position += len(data)
        if not data and self.position < self._wanted:
            raise BrokenArchive("it ends in the middle of a file")
        if self.position > self._max_bytes + 2 * _BUFFER_BYTES:
            self._refuse_size()
        if self.position > self._limit + 2 * _BUFFER_BYTES:
            raise BrokenArchive(f"it has headers of more than {_MAX_HEADER_BYTES:,} bytes")
        if data:
            self._recent = self._recent[-_BUFFER_BYTES:] + data
        return data

    def check_end(self, data_end: int) -> None:
        """Checks that the mark of the archive's end follows the last member, and reads the rest.

        Raises:
          BrokenArchive: The archive was cut off, or its checksum is wrong.
        """
        start = data_end - (self.position - len(self._recent))
        if self._recent[start : start + _BLOCK_BYTES] != bytes(_BLOCK_BYTES):
            raise BrokenArchive("it was cut off, or something else follows its files")
        self._limit = self._max_bytes
        while self.read(_BUFFER_BYTES):
            pass


@contextlib.contextmanager
def _errors_of_archives() -> Iterator[None]:
    """Turns what damaged archives make the standard library raise into `BrokenArchive`."""
    try:
        yield
    except EOFError as error:
        raise BrokenArchive(
            "its compressed data end early, as of an unfinished download"
        ) from error
    except OSError as error:
        # gzip and bz2 report damage so; an error of the disk has a number.
        if error.errno is not None:
            raise
        raise BrokenArchive("its compressed data are damaged") from error
    except (zlib.error, lzma.LZMAError) as error:
        raise BrokenArchive("its compressed data are damaged") from error
    except (tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise BrokenArchive("it is no tar archive, or its headers are damaged") from error


class MemberReader:
    """Hands out the members of an archive one after the other.

    Attributes:
      num_members: Members seen so far.
    """

    def __init__(self, reader: _BoundedReader, *, max_members: int) -> None:
        self._reader, self._max_members = reader, max_members
        self.num_members = 0
        with _errors_of_archives():
            self._tar = tarfile.open(
                fileobj=reader,  # type: ignore[arg-type]
                mode="r|",
                bufsize=_BUFFER_BYTES,
                encoding="utf-8",
                errors="surrogateescape",
            )

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Yields the members in their order.

        Raises:
          BrokenArchive: The archive is damaged, cut off or larger than allowed.
        """
        while True:
            with _errors_of_archives():
                member = self._tar.next()
            if member is None:
                break
            self.num_members += 1
            if self.num_members > self._max_members:
                raise BrokenArchive(f"it has more than {self._max_members:,} members")
            self._reader.expect(self._tar.offset)
            yield member
            # tarfile remembers all members and global headers; a stream has no use for them.
            self._tar.members = []  # type: ignore[attr-defined]
            self._tar.pax_headers = {}
        with _errors_of_archives():
            self._reader.check_end(self._tar.offset)

    def read(self, member: tarfile.TarInfo) -> bytes:
        """Returns the data of the member that was yielded last.

        Args:
          member: A plain file, not sparse.

        Returns:
          All of its bytes; the caller has looked at its size.

        Raises:
          BrokenArchive: The archive is damaged or cut off.
        """
        with _errors_of_archives():
            file = self._tar.extractfile(member)
            data = b"" if file is None else file.read()
        if len(data) != member.size:
            raise BrokenArchive("it ends in the middle of a file")
        return data


@contextlib.contextmanager
def open_members(
    path: pathlib.Path, *, max_members: int, max_unpacked_bytes: int
) -> Iterator[tuple[MemberReader, Callable[[], str]]]:
    """Opens a tar archive, plain or packed with gzip, bzip2 or xz.

    Args:
      path: The archive.
      max_members: More make the archive refused.
      max_unpacked_bytes: More tar bytes make it refused, whether or not they are wanted.

    Yields:
      `(members, sha256)`: the reader, and a function that gives the SHA-256 of what was read of the
      file, in hexadecimal: of all of it once the members are through.

    Raises:
      InputError: The file is missing, unreadable or of another kind.
      BrokenArchive: Its beginning is damaged.
    """
    printable = flcc_layout.printable_name(os.fspath(path))
    try:
        file = open(path, "rb")
        size_bytes = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise errors.InputError(
            f"cannot read the archive {printable}: {error.strerror}; wanted a tar archive; check "
            "the path and its permissions"
        ) from error
    with (
        file,
        progress.progress_bar(
            description="unpacking", total=size_bytes, unit="B", unit_scale=True
        ) as bar,
    ):
        packed = _PackedFile(file, bar)
        stream = _unpacker(path, file, packed)
        reader = _BoundedReader(stream, max_bytes=max_unpacked_bytes)
        members = MemberReader(reader, max_members=max_members)
        yield members, packed.digest.hexdigest
