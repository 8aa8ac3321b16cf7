"""Documents that can be walked only once, on the disk while their cache is built.

They lie in a folder beside the cache, which is removed in the end. Where that cannot be written
(a cache that is only to be read, a full disk), they go on in a temporary folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from typing import BinaryIO, Union

from absl import logging

from code_t5 import errors
from code_t5.storage import atomic

PathLike = Union[str, "os.PathLike[str]"]

_LOCK_NAME = "lock"
_BUFFER_BYTES = 1 << 20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Spool:
    """Where documents are written to; `open_spool` makes one."""

    def __init__(self, cache: pathlib.Path, stack: contextlib.ExitStack) -> None:
        """Makes the folder.

        Args:
          cache: The cache that the documents are for.
          stack: Removes what is made here.
        """
        self._cache = cache
        self._stack = stack
        self._is_temporary = False
        try:
            self._folder = stack.enter_context(_folder_beside(cache))
        except OSError as error:
            # If it is the cache's own place that does not do, the build says so.
            self._folder = self._make_temporary(error)

    def _make_temporary(self, error: OSError) -> pathlib.Path:
        try:
            folder = self._stack.enter_context(_temporary_folder())
        except OSError as other:
            raise self._no_room(other, num_bytes=0) from other
        logging.warning(
            "documents cannot be written beside %s (%s): they go to the temporary folder %s",
            self._cache, error.strerror, folder,
        )  # fmt: skip
        self._is_temporary = True
        return folder

    def _no_room(self, error: OSError, *, num_bytes: int) -> errors.InputError:
        return errors.InputError(
            f"no room for documents in {tempfile.gettempdir()} and beside {self._cache} "
            f"({error.strerror}); wanted more than {num_bytes:,} bytes; free some, or set TMPDIR "
            "to a folder that has them"
        )

    @contextlib.contextmanager
    def open_file(self, name: str) -> Iterator[SpoolFile]:
        """Yields a new file to write documents to.

        Args:
          name: Of the file.

        Raises:
          InputError: There is no room for it anywhere.
        """
        try:
            file = SpoolFile(self._folder / name)
        except OSError as error:
            file = SpoolFile(self._other_folder(error, num_bytes=0) / name)
        try:
            yield file
            self.write(file)
        finally:
            file.close()

    def write(self, file: SpoolFile) -> None:
        """Writes what a file holds back, elsewhere if there is no room where it lies.

        Args:
          file: Of this spool.

        Raises:
          InputError: There is no room for it anywhere.
        """
        while file.held:
            try:
                file.flush()
            except OSError as error:
                folder = self._other_folder(error, num_bytes=file.num_bytes + len(file.held))
                try:
                    file.move(folder / os.path.basename(file.path))
                except OSError as other:
                    raise self._no_room(other, num_bytes=file.num_bytes) from other

    def _other_folder(self, error: OSError, *, num_bytes: int) -> pathlib.Path:
        if error.errno not in _NO_ROOM:
            raise error
        if self._is_temporary:
            raise self._no_room(error, num_bytes=num_bytes) from error
        self._folder = self._make_temporary(error)
        return self._folder


class SpoolFile:
    """A file of documents.

    Attributes:
      path: Where it lies now.
      num_bytes: What of it is written.
      held: What is to be written.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Makes the file.

        Args:
          path: Of it.
        """
        self.path = os.fspath(path)
        self.num_bytes = 0
        self.held = bytearray()
        self._file: BinaryIO = open(path, "w+b", buffering=0)  # noqa: SIM115 - closed by `close`

    @property
    def is_full(self) -> bool:
        """Whether enough is held to be written."""
        return len(self.held) >= _BUFFER_BYTES

    def flush(self) -> None:
        """Writes what is held."""
        while self.held:
            written = self._file.write(self.held)
            self.num_bytes += written
            del self.held[:written]

    def move(self, path: pathlib.Path) -> None:
        """Copies what is written to another file, and goes on there.

        Args:
          path: Of the other.
        """
        self._file.seek(0)
        with open(path, "wb") as file:
            shutil.copyfileobj(self._file, file)
        self.close()
        os.unlink(self.path)
        self.path = os.fspath(path)
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115 - closed by `close`
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


@contextlib.contextmanager
def _temporary_folder() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="code_t5_documents_") as folder:
        yield pathlib.Path(folder)


@contextlib.contextmanager
def _folder_beside(cache: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder beside a cache; what a killed process left there is removed."""
    parent = cache.with_name(f".{cache.name}.documents")
    try:
        with atomic.lock(parent / _LOCK_NAME, purpose=f"reading documents for {cache}"):
            for leftover in parent.iterdir():
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
            folder = parent / uuid.uuid4().hex[:12]
            folder.mkdir()
            yield folder
            shutil.rmtree(parent, ignore_errors=True)
    except errors.BusyError:
        raise
    except BaseException:
        shutil.rmtree(parent, ignore_errors=True)
        raise
