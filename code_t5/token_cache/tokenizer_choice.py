"""Which tokenizer encodes a cache, and its files while the cache is built.

The files are stored in a temporary folder first, since they decide with the source whether the
cache that is there is the one that is asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any, Union

from code_t5 import errors
from code_t5.storage import prepared
from code_t5.token_cache.tokenizing import tokenizer_files
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

PathLike = Union[str, "os.PathLike[str]"]


@dataclasses.dataclass(frozen=True)
class TokenizerChoice:
    """Which tokenizer encodes: exactly one of the three.

    Attributes:
      tokenizer: A Hugging Face tokenizer.
      tokenizer_name: Its name on the Hub, or a folder.
      vocabulary_dir: A vocabulary of code_t5.
    """

    tokenizer: Any = None
    tokenizer_name: str | None = None
    vocabulary_dir: PathLike | None = None

    def check(self) -> None:
        """Refuses anything but exactly one.

        Raises:
          InputError: There is none, or more than one.
        """
        fields = [field.name for field in dataclasses.fields(self)]
        given = [name for name in fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise errors.InputError(
                f"got {' and '.join(given) or 'no tokenizer'}; wanted one of tokenizer and "
                "tokenizer_name; pass one"
            )

    @property
    def config(self) -> dict[str, Any]:
        """What was asked for, by the names of the caller's arguments."""
        if self.vocabulary_dir is not None:
            return {"vocabulary": os.path.basename(os.path.abspath(self.vocabulary_dir))}
        name = self.tokenizer_name
        if name is None:
            name = getattr(self.tokenizer, "name_or_path", None) or None
        return {"tokenizer_name": None if name is None else str(name)}

    def store(self, folder: PathLike, *, local_files_only: bool = False) -> StoredTokenizer:
        """Writes the tokenizer's files.

        Args:
          folder: To write to.
          local_files_only: Whether not to ask the Hub.

        Returns:
          The stored tokenizer.
        """
        if self.vocabulary_dir is not None:
            return tokenizer_files.store_vocabulary(self.vocabulary_dir, folder)
        return tokenizer_files.store_tokenizer(
            self.tokenizer,
            tokenizer_name=None if self.tokenizer_name is None else str(self.tokenizer_name),
            local_files_only=local_files_only,
            folder=folder,
        )


@contextlib.contextmanager
def stored_tokenizer(
    choice: TokenizerChoice, *, local_files_only: bool = False
) -> Iterator[StoredTokenizer]:
    """Yields the tokenizer's files in a folder that lives as long as the block.

    Args:
      choice: Which tokenizer.
      local_files_only: Whether not to ask the Hub.

    Yields:
      The stored tokenizer.
    """
    choice.check()
    with tempfile.TemporaryDirectory(prefix="code_t5_tokenizer_") as folder:
        yield choice.store(folder, local_files_only=local_files_only)


def choose_flcc_tokenizer(
    dataset: prepared.PreparedDataset, *, choice: TokenizerChoice, vocabulary: str | None
) -> TokenizerChoice:
    """Returns what encodes a prepared data set: its own vocabulary unless something is named.

    Args:
      dataset: The data set.
      choice: What the caller named; nothing for its own vocabulary.
      vocabulary: Name of another vocabulary of the data directory, or a folder.

    Raises:
      InputError: There is no such vocabulary.
    """
    if vocabulary is None:
        is_named = choice != TokenizerChoice()
        return choice if is_named else TokenizerChoice(vocabulary_dir=dataset.vocabulary_dir)
    folder = pathlib.Path(vocabulary)
    if len(folder.parts) == 1:
        folder = dataclasses.replace(dataset, vocabulary=vocabulary).vocabulary_dir
    if not folder.is_dir():
        known = sorted(
            path.name for path in dataset.vocabulary_dir.parent.glob("*") if path.is_dir()
        )
        raise errors.InputError(
            f"there is no vocabulary {folder}; wanted one of {', '.join(known) or '(none)'}, or a "
            "folder; name one of these"
        )
    return dataclasses.replace(choice, vocabulary_dir=folder)
