"""What lies in an export, and what is read of it before any of it is run.

An *export* is a SavedModel in TensorFlow Serving's layout, `<name>/<version>/`: the version is the
step of the checkpoint, a number. In it lie `saved_model.pb` (the graph), `variables/` (the
weights), `assets.extra/vocabulary/` (a copy of the Task's vocabulary), and the manifest with its
marker, which TensorFlow Serving passes over.

Its signature `serving_default` takes `input_ids`, int32 `[n, max_prompt_tokens]` with padding 0,
and gives `output_ids`, int32 `[n, num_candidates, max_new_tokens]`, and `scores`, float32
`[n, num_candidates]`: sums of log-probabilities in nats, best first. `n` is at most `batch_size`.
"""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.storage import manifest
from code_t5.training import listed_files

FORMAT_NAME = "code_t5_saved_model"
FORMAT_VERSION = 1

SIGNATURE = "serving_default"
INPUT_IDS = "input_ids"
OUTPUT_IDS = "output_ids"
SCORES = "scores"

GRAPH_NAME = "saved_model.pb"
WEIGHTS_PREFIX = "variables/variables"
VOCABULARY_FOLDER = "assets.extra/vocabulary"
_NEEDED = (GRAPH_NAME, f"{WEIGHTS_PREFIX}.index", f"{WEIGHTS_PREFIX}.data-00000-of-00001")
EXPORT_COMMAND = "python scripts/export.py MODEL_DIR --format=saved_model"

_VERSION = r"0|[1-9]\d{0,17}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
# What a graph of ours is far below; the weights are not in it.
_MAX_GRAPH_BYTES = 64 << 20
# Of tokens, candidates, prompts and ids.
MAX_COUNT = 1 << 20
# That a batch of prompts, or of candidates, may hold.
MAX_IDS = 1 << 24


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What an export says of itself.

    Attributes:
      name: The model's, as a server calls it.
      step: Of the checkpoint; the version.
      task: The Task or Mixture that it was trained on.
      objective: Its name; empty if it is none of code_t5's.
      batch_size: Most prompts at once.
      max_prompt_tokens: Of a prompt, the end mark included; of a longer one the end counts.
      max_new_tokens: Most tokens of a candidate.
      num_candidates: Per prompt.
      temperature: 0 for a beam search.
      top_k: Tokens drawn among; 0 for all.
      stop_at_newline: Whether a token with a line feed ends a candidate.
      add_eos: Whether the Task's inputs end with the end of text.
      eos_id: The end of text.
      vocab_size: Ids from 0, sentinels included.
      vocabulary_kind: As `code_t5.encoding.token_model` names it; other kinds have no text here.
      vocabulary_fingerprint: Of the copied vocabulary.
      checkpoint: Name of the checkpoint.
    """

    name: str
    step: int
    task: str
    objective: str
    batch_size: int
    max_prompt_tokens: int
    max_new_tokens: int
    num_candidates: int
    temperature: float
    top_k: int
    stop_at_newline: bool
    add_eos: bool
    eos_id: int
    vocab_size: int
    vocabulary_kind: str
    vocabulary_fingerprint: str
    checkpoint: str


def check_name(name: str) -> None:
    """Refuses a name that is no folder's and no part of an address.

    Args:
      name: Of a model.

    Raises:
      InputError: It is not.
    """
    if not _NAME.fullmatch(name):
        raise errors.InputError(
            f"found the model name {name!r}; wanted letters, digits, '_', '-' and '.', at most 128 "
            "and not '.' first; choose another"
        )


def check_replaceable(version_dir: pathlib.Path) -> None:
    """Refuses a place where something lies that no export wrote.

    Args:
      version_dir: Where an export is to be.

    Raises:
      InputError: It is taken.
    """
    try:
        fields = manifest.read_manifest(
            version_dir, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
        )
    except errors.ArtifactError:
        fields = None
    if fields is None and os.path.lexists(version_dir) and not _is_empty(version_dir):
        raise errors.InputError(
            f"found something at {version_dir} that is no export of ours; wanted nothing there, as "
            "it would be replaced; choose another directory or name, or remove it"
        )


def _is_empty(path: pathlib.Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def write_info(version_dir: pathlib.Path, info: ModelInfo) -> None:
    """Writes the manifest and marker of an export, everything else in it already written.

    Args:
      version_dir: The export.
      info: What it says of itself.
    """
    manifest.write_manifest(
        version_dir,
        {
            "format_name": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
            "model": dataclasses.asdict(info),
            "files": listed_files.list_files(version_dir),
        },
    )


def _damaged(version_dir: pathlib.Path, found: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"{version_dir} {found}; wanted an export as it was written; export again: {EXPORT_COMMAND}"
    )


def _model_info(fields: Any) -> ModelInfo | None:
    """Returns what a manifest says, None if it is not what an export of ours would say."""
    kinds: dict[str, type] = {
        field.name: {"int": int, "float": float, "bool": bool, "str": str}[str(field.type)]
        for field in dataclasses.fields(ModelInfo)
    }
    if not isinstance(fields, dict) or set(fields) != set(kinds):
        return None
    # Exactly so: True is no count.
    if any(type(fields[name]) is not kind for name, kind in kinds.items()):
        return None
    info = ModelInfo(**fields)
    counts = ("batch_size", "max_prompt_tokens", "max_new_tokens", "num_candidates", "vocab_size")
    is_sound = (
        all(1 <= fields[name] <= MAX_COUNT for name in counts)
        and all(0 <= fields[name] <= 1 << 62 for name in ("step", "top_k", "eos_id"))
        and info.batch_size * info.max_prompt_tokens <= MAX_IDS
        and info.batch_size * info.num_candidates * info.max_new_tokens <= MAX_IDS
        and math.isfinite(info.temperature)
        and info.temperature >= 0
        and bool(_NAME.fullmatch(info.name))
    )
    return info if is_sound else None


def read_info(version_dir: pathlib.Path) -> ModelInfo:
    """Reads what an export says of itself, and refuses one that is not whole.

    Args:
      version_dir: The export, `<name>/<version>`.

    Returns:
      What it says.

    Raises:
      InputError: There is no such directory.
      ArtifactError: It is half-written, damaged, or no export of ours.
    """
    if not version_dir.is_dir():
        raise errors.InputError(
            f"found no directory {version_dir}; wanted an exported model's version, such as "
            f"OUTPUT/NAME/300; export one: {EXPORT_COMMAND}"
        )
    fields = manifest.read_manifest(
        version_dir, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
    )
    manifest.check_manifest(version_dir)
    info, files = _model_info(fields.get("model")), fields.get("files")
    if info is None or not isinstance(files, Mapping):
        raise _damaged(version_dir, f"has a {manifest.MANIFEST_NAME} that does not say what it is")
    unlisted = [name for name in _NEEDED if name not in files]
    if unlisted:
        raise _damaged(version_dir, f"lists no {unlisted[0]}")
    found = listed_files.find_damage(version_dir, files)
    if found:
        raise _damaged(version_dir, found)
    size = (version_dir / GRAPH_NAME).stat().st_size
    if size > _MAX_GRAPH_BYTES:
        raise _damaged(version_dir, f"has a graph of {size} bytes")
    return info


def list_versions(model_dir: pathlib.Path) -> list[int]:
    """Returns the versions of a model that are whole, oldest first.

    Args:
      model_dir: `OUTPUT/<name>`.
    """
    if not model_dir.is_dir():
        return []
    names = [path.name for path in model_dir.iterdir() if re.fullmatch(_VERSION, path.name)]
    return sorted(int(name) for name in names if manifest.is_complete(model_dir / name))
