"""How to build a token cache, by the names of the provider's arguments."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Union

from code_t5.token_cache.building import cache_place

PathLike = Union[str, "os.PathLike[str]"]


@dataclasses.dataclass(frozen=True)
class BuildConfig:
    """How to build a cache.

    Attributes:
      cache_dir: The cache.
      use_eos_token: Whether each document ends with the tokenizer's end of text.
      num_workers: Processes; 0 for one per processor. Never changes what is written.
      overwrite: Whether to replace a cache that is there, even an equal one.
      encoder: Name of the engine that turns text into ids; None for the quickest one that proves
        equal to the tokenizer.
    """

    cache_dir: PathLike
    use_eos_token: bool = True
    num_workers: int = 0
    overwrite: bool = False
    encoder: str | None = None

    @property
    def path(self) -> pathlib.Path:
        """The cache, links resolved.

        Raises:
          InputError: No directory is named, or none that can be made.
        """
        return cache_place.resolve(self.cache_dir)
