"""Local files and folders, read by `datasets` itself: only addresses must be kept from it."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from code_t5 import errors, library_errors
from code_t5.hf_artifacts.loading import cards, places
from code_t5.hf_artifacts.loading.tried import RefusedError


def check_local(given: Mapping[str, Any]) -> None:
    """Refuses addresses: the offline flags keep `datasets` from the Hub alone.

    Args:
      given: The arguments of `load_dataset`.

    Raises:
      InputError: A file lies on the network, or a folder's README.md says so.
    """
    named = [given.get("data_dir"), given.get("data_files")]
    folder = pathlib.Path(given["path"])
    if folder.is_dir():
        try:
            card = cards.read_card(folder)
        except RefusedError as error:
            raise errors.InputError(
                f"{folder} cannot be read: {error}; wanted a folder of data files; correct it"
            ) from error
        named += [
            [config.get("data_files"), config.get("data_dir")] for config in card.configs.values()
        ]
    for text in _texts(named):
        if "://" in text and not text.startswith("file://"):
            raise errors.InputError(
                f"{library_errors.hide_secrets(text)} is an address and an offline flag is set; "
                "wanted local files; fetch it where there is a network and name the file"
            )


def writable_cache(cache_dir: str | os.PathLike[str] | None) -> str:
    """Returns where `datasets` may put what it prepares.

    Args:
      cache_dir: As it was given; a scratch directory takes the place of one that cannot be
        written.
    """
    import datasets

    wanted = pathlib.Path(os.path.expanduser(cache_dir or datasets.config.HF_DATASETS_CACHE))
    there = next((path for path in (wanted, *wanted.parents) if path.exists()), wanted)
    return os.fspath(wanted if os.access(there, os.W_OK) else places.make_scratch_dir())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, (str, os.PathLike)):
        yield os.fspath(value)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts(part)
