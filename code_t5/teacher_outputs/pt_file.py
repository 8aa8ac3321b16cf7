"""Teacher outputs as one file of torch's: a list with a tuple of tensors for each sample.

    write_pt(outputs, path="cached_train.pt", order=("x", "y", "f0", "dB"))
    samples = open_pt("cached_train.pt", expected={"teacher": description})     # mapped, not read
    x, y, f0, level = samples[5]

`torch.load("cached_train.pt", weights_only=True)` reads it as well, in any program. torch's format
says nothing of where tensors come from; that is said by `cached_train.pt.json` beside it, which
`pt_sidecar` describes.

The file is written from the mapped shards, of which little is in memory at once. torch has no
uint16 and uint32 that it could reckon with; such fields become int32 and int64. torch is imported
when a file is written or opened, not before.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Union

import numpy as np

from code_t5 import errors, library_errors, progress
from code_t5.storage import atomic, fingerprints
from code_t5.teacher_outputs import reader
from code_t5.teacher_outputs.only_writer import clear_disk_errors, only_writer, resolve
from code_t5.teacher_outputs.pt_sidecar import (
    PtInfo,
    hash_ends,
    read_info,
    sidecar_path,
    to_bytes,
)
from code_t5.teacher_outputs.reader import DEFAULT_MEND, TeacherOutputs
from code_t5.teacher_outputs.sample_batches import batch_dtype
from code_t5.teacher_outputs.schema import ArrayField
from code_t5.teacher_outputs.shard_file import Shard, damaged

if TYPE_CHECKING:
    import torch

PathLike = Union[str, "os.PathLike[str]"]

_CONVERTED_ROWS_BYTES = 1 << 24


def write_pt(
    outputs: TeacherOutputs,
    *,
    path: PathLike,
    order: Sequence[str] | None = None,
    overwrite: bool = False,
) -> PtInfo:
    """Writes outputs as a list of tuples of tensors; the same outputs give the same bytes.

    Args:
      outputs: What is written.
      path: The file; it has its name when it is whole.
      order: Names of what is in a tuple; None for all fields, in the order of the schema.
      overwrite: Whether a file of something else that is there is replaced.

    Returns:
      What the sidecar says.

    Raises:
      InputError: There is no such field, or another file is in the way.
      BusyError: Another process writes the same file.
      ArtifactError: A shard is damaged.
      CodeT5Error: The disk is full.
    """
    names = outputs.schema.select(order)
    target = resolve(path)
    with clear_disk_errors(target), only_writer(target):
        present = _present(target, outputs=outputs, order=names)
        if present is not None:
            return present
        if not overwrite:
            _check_free(target)
        atomic.remove_leftovers(target)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.tmp")
        try:
            sha256 = _write_tensors(outputs, temporary, order=names)
            info = PtInfo(
                order=names,
                num_samples=len(outputs),
                fingerprint=outputs.fingerprint,
                fingerprint_parts=outputs.parts,
                size_bytes=temporary.stat().st_size,
                sha256=sha256,
                ends_sha256=hash_ends(temporary),
            )
            # First the sidecar: one without its file is seen to be unfinished, a file alone is
            # anybody's.
            atomic.write_file(sidecar_path(target), to_bytes(info))
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    return info


def _present(
    target: pathlib.Path, *, outputs: TeacherOutputs, order: tuple[str, ...]
) -> PtInfo | None:
    """Returns the sidecar of what is there if that is what is to be written."""
    try:
        info = read_info(target)
    except (errors.ArtifactError, errors.NotBuiltError):
        return None
    found = (info.fingerprint, info.num_samples, info.order)
    return info if found == (outputs.fingerprint, len(outputs), order) else None


def _check_free(target: pathlib.Path) -> None:
    """Looks whether a file may be written: nothing is there, or what is ours and unfinished.

    Raises:
      InputError: A file is in the way.
    """
    if not os.path.lexists(target):
        return
    found = "a file that is not ours"
    if target.is_dir():
        found = "a directory"
    elif sidecar_path(target).is_file():
        try:
            read_info(target)
        except errors.ArtifactError:
            # Killed between sidecar and file.
            return
        found = "other outputs"
    raise errors.InputError(
        f"there is {found} at {target}; wanted a free place; give another, or have it overwritten"
    )


class _HashingFile:
    """A file to write to that knows the hash of what was written, and shows how far it is."""

    def __init__(self, file: IO[bytes], bar: Any) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._bar = bar
        self.error: BaseException | None = None

    def write(self, data: Any) -> int:
        """Writes; torch makes an error of its own of one that is raised here, so it is kept."""
        try:
            written = self._file.write(data)
            self._digest.update(data)
        except BaseException as error:
            self.error = self.error or error
            raise
        self._bar.update(written)
        return written

    def flush(self) -> None:
        """Writes what the file still holds back."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()


def _write_tensors(outputs: TeacherOutputs, path: pathlib.Path, *, order: tuple[str, ...]) -> str:
    """Writes the file and returns its hash.

    Raises:
      OSError: The disk refuses.
      CodeT5Error: torch does.
    """
    import torch

    total = sum(_column_bytes(outputs, name) for name in order)
    bar = progress.progress_bar(description="writing", unit="B", total=total, unit_scale=True)
    with bar, contextlib.ExitStack() as stack:
        fields = [outputs.schema.field(name) for name in order]
        samples: list[tuple[torch.Tensor, ...]] = []
        for index in range(outputs.num_shards):
            shard = outputs.shard(index)
            columns = [
                _tensor_rows(_column(shard, field, folder=path.parent), shard, field)
                for field in fields
            ]
            samples += zip(*columns)
        file = stack.enter_context(open(path, "wb"))
        hashing = _HashingFile(file, bar)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="TypedStorage is deprecated")
                torch.save(samples, hashing)
        except Exception as error:
            if hashing.error is not None:
                raise hashing.error from None
            raise errors.CodeT5Error(
                f"torch cannot write {path} ({library_errors.one_line(error)}); wanted a file of "
                "tensors; look at the outputs with verify()"
            ) from error
        file.flush()
        os.fsync(file.fileno())
    return hashing.sha256


def _column_bytes(outputs: TeacherOutputs, name: str) -> int:
    field = outputs.schema.field(name)
    rows = outputs.num_samples if field.length is None else outputs.num_rows(field.length)
    return rows * field.row_bytes // field.numpy_dtype.itemsize * batch_dtype(field).itemsize


def _column(shard: Shard, field: ArrayField, *, folder: pathlib.Path) -> np.ndarray:
    """Returns a column in a dtype that torch has, mapped: converted, it lies in a nameless file."""
    column, dtype = shard.columns[field.name], batch_dtype(field)
    if dtype == column.dtype.newbyteorder("=") or not column.size:
        return column.astype(dtype, copy=False)
    rows = max(1, _CONVERTED_ROWS_BYTES // field.row_bytes)
    with tempfile.TemporaryFile(dir=folder) as file:
        for start in range(0, len(column), rows):
            file.write(column[start : start + rows].astype(dtype).data.cast("B"))
        file.flush()
        return np.memmap(file, dtype=dtype, mode="r", shape=column.shape)


def _tensor_rows(column: np.ndarray, shard: Shard, field: ArrayField) -> Iterator[torch.Tensor]:
    """Yields what each sample has of a column: views, so that torch saves the column once."""
    import torch

    with warnings.catch_warnings():
        # That the array cannot be written to: nobody does.
        warnings.simplefilter("ignore")
        whole = torch.from_numpy(column)
    if field.length is None:
        return iter(whole.unbind(0))
    offsets = shard.offsets[field.length]
    shard.check_offsets()
    return iter(whole.split(np.diff(offsets).tolist()))


def open_pt(
    path: PathLike, *, expected: Mapping[str, Any] | None = None, mend: str = DEFAULT_MEND
) -> list[tuple[torch.Tensor, ...]]:
    """Opens a file: maps it into memory, and reads what is asked for alone.

    Args:
      path: The file.
      expected: Parts of the fingerprint that must be as given, as for `reader.open_outputs`.
      mend: What to do if it cannot be used; for example the command that makes it.

    Returns:
      A tuple of tensors for each sample. What is written to them stays in this process.

    Raises:
      NotBuiltError: There is no file.
      ArtifactError: It is not whole, or of other outputs; each part that differs is named.
      InputError: There is no part of a name in `expected`.
    """
    info = read_info(path, mend=mend)
    reader.check_parts(info.fingerprint_parts, expected=expected, path=path, mend=mend)
    import torch

    try:
        with warnings.catch_warnings():
            # torch's own, of how its own reader calls it.
            warnings.filterwarnings("ignore", message="TypedStorage is deprecated")
            samples = torch.load(os.fspath(path), weights_only=True, mmap=True)
    except Exception as error:  # Whatever torch's own reader raises for damaged files.
        reason = f"cannot be opened ({library_errors.one_line(error)})"
        raise damaged(path, found=reason, mend=mend) from error
    if not isinstance(samples, list) or len(samples) != info.num_samples:
        raise damaged(path, found="does not hold the samples that its sidecar says", mend=mend)
    return samples


def verify_pt(path: PathLike, *, mend: str = DEFAULT_MEND) -> PtInfo:
    """Reads a whole file and compares its checksum.

    Args:
      path: The file.
      mend: What to do if it is damaged.

    Returns:
      What the sidecar says.

    Raises:
      NotBuiltError: There is no file.
      ArtifactError: It is not the one that was written.
    """
    info = read_info(path, mend=mend)
    found = fingerprints.hash_file(path)
    if found != info.sha256:
        raise damaged(path, found=f"has SHA-256 {found}", mend=mend)
    return info
