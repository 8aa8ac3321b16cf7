"""Loads and saves Hugging Face tokenizers, and says what decides on their ids.

A tokenizer is *fast* if it is one of the library `tokenizers` underneath, and *slow* if it is
written in Python. No code that comes with a tokenizer is run. transformers is imported where it is
needed, for it imports a good deal itself.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from absl import logging

from code_t5 import errors
from code_t5.library_errors import one_line
from code_t5.storage import fingerprints
from code_t5.token_cache.tokenizing import hub_files

HUGGING_FACE = "hugging_face"
_NOT_BLANK = re.compile(r"\S")


def list_files(folder: pathlib.Path) -> list[str]:
    """Returns the files below a folder, by their sorted paths within it."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def version_of(distribution: str) -> str:
    """Returns the version of a distribution, or "absent"."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def read_head(text: str) -> tuple[dict[str, Any], int]:
    """Reads the fields of a JSON object that stand before its field `model`.

    Args:
      text: The object; of a `tokenizer.json` nearly all is the model, which stands last.

    Returns:
      The fields, and where the model's name begins.

    Raises:
      ValueError: It is no such object.
    """
    decoder = json.JSONDecoder()
    fields: dict[str, Any] = {}
    position = text.index('"')
    while True:
        name, after = decoder.raw_decode(text, position)
        if name == "model":
            return fields, position
        start = _NOT_BLANK.search(text, text.index(":", after) + 1)
        if start is None:
            raise ValueError("tokenizer.json is no JSON object")
        fields[name], after = decoder.raw_decode(text, start.start())
        position = text.index('"', after)


def backend_hash(tokenizer_json: str) -> str:
    """Returns the hash of what decides on ids in a `tokenizer.json`.

    Args:
      tokenizer_json: As `tokenizers` writes it; the model, nearly all of it, is not parsed.

    Raises:
      ValueError: It is no such object.
    """
    fields, position = read_head(tokenizer_json)
    model = fingerprints.hash_bytes(tokenizer_json[position:].encode("utf-8"))
    return fingerprints.hash_json([{**fields, "padding": None, "truncation": None}, model])


def identity(tokenizer: Any, files: Mapping[str, str]) -> dict[str, Any]:
    """Returns JSON that changes whenever the ids of a text may.

    Args:
      tokenizer: A Hugging Face tokenizer.
      files: SHA-256 of each of its files, by name.
    """
    parts = {
        "kind": HUGGING_FACE,
        "class": type(tokenizer).__name__,
        "eos_id": tokenizer.eos_token_id,
        "split_special_tokens": bool(getattr(tokenizer, "split_special_tokens", False)),
    }
    if getattr(tokenizer, "is_fast", False):
        return {**parts, "tokenizer": backend_hash(tokenizer.backend_tokenizer.to_str())}
    libraries = ("transformers", "sentencepiece")
    return {
        **parts,
        "files": dict(files),
        "libraries": {name: version_of(name) for name in libraries},
    }


def _import_transformers() -> Any:
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise errors.InputError(
            "transformers is not installed; wanted it to load and save a Hugging Face tokenizer; "
            "install it with: pip install 'code_t5[hf]'"
        ) from error
    return transformers


def load_folder(folder: str, *, is_fast: bool) -> Any:
    """Loads what `save_pretrained` wrote, without asking the network.

    Args:
      folder: Where it wrote.
      is_fast: Whether the tokenizer was fast.

    Raises:
      ArtifactError: The installed library cannot load it.
    """
    transformers = _import_transformers()
    try:
        return transformers.AutoTokenizer.from_pretrained(
            folder, use_fast=is_fast, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # Each tokenizer class raises its own.
        raise errors.ArtifactError(
            f"transformers {transformers.__version__} cannot load the tokenizer {folder}: "
            f"{one_line(error)}; wanted what save_pretrained wrote; "
            "install the version that wrote it, or build the cache again"
        ) from error


def load_by_name(name: str, *, local_files_only: bool) -> Any:
    """Loads a tokenizer from the Hub, or from a folder.

    Args:
      name: On the Hub, or of the folder.
      local_files_only: Whether not to ask the Hub. Where the Hub cannot be asked, what was fetched
        before is loaded, with a warning.

    Raises:
      InputError: It cannot be loaded.
    """
    transformers = _import_transformers()
    revision, silent = None, None
    if not local_files_only and not os.path.isdir(name):
        try:
            revision = hub_files.fetch_tokenizer(name)
        except hub_files.HubSilentError as error:
            silent, local_files_only = str(error).partition(";")[0], True
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            name,
            revision=revision or "main",
            local_files_only=local_files_only,
            trust_remote_code=False,
        )
    except Exception as error:  # Each tokenizer class raises its own.
        is_missing = silent is not None and isinstance(error, OSError)
        found = f"{silent}, and it was not fetched before" if is_missing else one_line(error)
        raise errors.InputError(
            f"cannot load the tokenizer {name!r}: {found}; wanted the name of a tokenizer on the "
            "Hub that can be asked, or a folder that save_pretrained wrote; check tokenizer_name "
            "and the network"
        ) from error
    if silent:
        logging.warning("tokenizer %s: %s; it is loaded as it was fetched before", name, silent)
    return tokenizer


def as_hugging_face(tokenizer: Any) -> Any:
    """Returns the tokenizer itself, or one of `tokenizers` in the form of the others.

    Args:
      tokenizer: What the user handed in.

    Raises:
      InputError: It is no tokenizer.
    """
    import tokenizers

    transformers = _import_transformers()
    if isinstance(tokenizer, tokenizers.Tokenizer):
        return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    if isinstance(tokenizer, transformers.PreTrainedTokenizerBase):
        return tokenizer
    raise errors.InputError(
        f"the tokenizer is a {type(tokenizer).__name__}; wanted a Hugging Face tokenizer; load one "
        "with transformers.AutoTokenizer, or pass tokenizer_name"
    )


def save(tokenizer: Any, folder: pathlib.Path) -> None:
    """Writes a tokenizer's own files.

    Args:
      tokenizer: A Hugging Face tokenizer.
      folder: Must exist, and be empty.

    Raises:
      InputError: It cannot be saved, or the folder is not empty.
    """
    present = list_files(folder)
    if present:
        raise errors.InputError(
            f"the folder {folder} for the tokenizer holds {present[0]}; wanted an empty one; name "
            "another"
        )
    try:
        tokenizer.save_pretrained(os.fspath(folder))
    except Exception as error:  # Each tokenizer class raises its own.
        raise errors.InputError(
            f"the tokenizer {type(tokenizer).__name__} cannot be saved: {one_line(error)}; wanted "
            "one whose save_pretrained works; load it from its own files"
        ) from error
