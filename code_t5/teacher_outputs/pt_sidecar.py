"""The sidecar of a `.pt` file of teacher outputs: what it was made of, and how it is known again.

cached_train.pt.json
format_name, format_version       code_t5_teacher_outputs_pt, 1
fingerprint, fingerprint_parts    of the outputs that the file was made of
num_samples, order                how many tuples, and the names of what is in one
size_bytes, sha256                of the file
ends_sha256                       of its first and last 64 KiB: its last hold a checksum of each
array, so that it is known again without being read
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any, Union

from code_t5 import errors
from code_t5.storage import fingerprints
from code_t5.teacher_outputs.reader import DEFAULT_MEND
from code_t5.teacher_outputs.shard_file import damaged

PathLike = Union[str, "os.PathLike[str]"]

FORMAT_NAME = "code_t5_teacher_outputs_pt"
FORMAT_VERSION = 1
_END_BYTES = 1 << 16
_MAX_SIDECAR_BYTES = 1 << 24


@dataclasses.dataclass(frozen=True)
class PtInfo:
    """What a sidecar says.

    Attributes:
      order: Names of what is in a tuple.
      num_samples: How many tuples there are.
      fingerprint: Of the outputs that the file was made of.
      fingerprint_parts: Everything that decided on them.
      size_bytes: Of the file.
      sha256: Of the file.
      ends_sha256: Of its beginning and end.
    """

    order: tuple[str, ...]
    num_samples: int
    fingerprint: str
    fingerprint_parts: dict[str, Any]
    size_bytes: int
    sha256: str
    ends_sha256: str


def sidecar_path(path: PathLike) -> pathlib.Path:
    """Returns where the sidecar of a file is.

    >>> sidecar_path("cached_train.pt").name
    'cached_train.pt.json'
    """
    file = pathlib.Path(path)
    return file.with_name(f"{file.name}.json")


def to_bytes(info: PtInfo) -> bytes:
    """Returns the content of a sidecar.

    Args:
      info: What it says.
    """
    fields = {
        "format_name": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        **dataclasses.asdict(info),
    }
    return (json.dumps(fields, indent=2, sort_keys=True) + "\n").encode("ascii")


def hash_ends(path: PathLike) -> str:
    """Returns the SHA-256 of the beginning and the end of a file.

    Args:
      path: The file.
    """
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read(_END_BYTES))
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_BYTES))
        digest.update(file.read())
    return digest.hexdigest()


def read_info(path: PathLike, *, mend: str = DEFAULT_MEND) -> PtInfo:
    """Reads the sidecar of a file, and looks whether the file is the one that it is about.

    Args:
      path: The file.
      mend: What to do if it cannot be used.

    Returns:
      What the sidecar says.

    Raises:
      NotBuiltError: There is no file.
      ArtifactError: It has no sidecar, or is another, cut short or of another version.
    """
    file, sidecar = pathlib.Path(path), sidecar_path(path)
    if not file.is_file():
        raise errors.NotBuiltError(
            f"there is no file {path}; wanted teacher outputs; check the path, or {mend}"
        )
    info = _read_sidecar(sidecar, mend=mend)
    try:
        size = file.stat().st_size
        is_same = size == info.size_bytes and hash_ends(file) == info.ends_sha256
    except OSError as error:
        raise damaged(file, found=f"cannot be read ({error.strerror})", mend=mend) from error
    if size != info.size_bytes:
        raise damaged(file, found=f"has {size:,} bytes, not {info.size_bytes:,}", mend=mend)
    if not is_same:
        raise damaged(file, found=f"is not the file that {sidecar.name} is about", mend=mend)
    return info


def _read_sidecar(sidecar: pathlib.Path, *, mend: str) -> PtInfo:
    """Reads a sidecar.

    Raises:
      ArtifactError: It is missing, damaged or of another version.
    """
    try:
        if sidecar.stat().st_size > _MAX_SIDECAR_BYTES:
            raise ValueError("too large")
        fields = json.loads(sidecar.read_bytes())
        found = fields.pop("format_name"), fields.pop("format_version")
        if found != (FORMAT_NAME, FORMAT_VERSION):
            raise damaged(
                sidecar, found=f"says format {found[0]!r} version {found[1]!r}", mend=mend
            )
        info = PtInfo(**{**fields, "order": tuple(fields["order"])})
    except OSError as error:
        raise errors.ArtifactError(
            f"cannot read {sidecar} ({error.strerror}); wanted what says which teacher the "
            f"file beside it comes from; put it back, or {mend}"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise damaged(sidecar, found="cannot be read", mend=mend) from error
    is_sound = (
        isinstance(info.fingerprint_parts, dict)
        and info.fingerprint == fingerprints.hash_json(info.fingerprint_parts)
        and type(info.size_bytes) is int
        and type(info.num_samples) is int
        and all(isinstance(name, str) for name in info.order)
    )
    if not is_sound:
        raise damaged(sidecar, found="is not as it was written", mend=mend)
    return info
