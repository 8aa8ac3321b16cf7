"""What a preview is asked for, as the program's flags give it."""

from __future__ import annotations

import dataclasses
import pathlib

from code_t5 import errors
from code_t5.data.preview import terminal_style

DEFAULT_LENGTH = 512
_FEATURES = ("inputs", "targets")


@dataclasses.dataclass(frozen=True)
class PreviewConfig:
    """What to show, and of what.

    Attributes:
      name: Of the Task or Mixture; None for the one that gin names as MIXTURE_NAME.
      split: Of the data.
      num_examples: How many examples to show; 0 shows the numbers alone.
      num_rows: How many rows to take the numbers from.
      num_documents: How many documents to take lengths from.
      sequence_length: Most tokens by feature; None for gin's, or 512.
      pack: Whether to pack; None for what gin says, or packed.
      use_cached: Whether to read the task cache; None for what gin says, or the source.
      cache_dirs: Folders with cached Tasks.
      with_path: Whether repository and path stand in front of the inputs.
      gin_files: Names below `gin_configs` or t5's own gin folder, or paths; the last one wins.
      gin_params: Bindings; they win over every file.
      module_imports: Modules that register Tasks and Mixtures.
      data_dir: The data directory; None for the environment's default.
      seed: Of shuffling and of the objective; None for other examples every time.
      colour: One of `terminal_style.CHOICES`.
      html_path: Where to write the same as a page; None for nowhere.
      max_lines: Most lines of a text that are shown; 0 for all.
    """

    name: str | None = None
    split: str = "train"
    num_examples: int = 3
    num_rows: int = 256
    num_documents: int = 1000
    sequence_length: dict[str, int] | None = None
    pack: bool | None = None
    use_cached: bool | None = None
    cache_dirs: tuple[str, ...] = ()
    with_path: bool = False
    gin_files: tuple[str, ...] = ()
    gin_params: tuple[str, ...] = ()
    module_imports: tuple[str, ...] = ()
    data_dir: str | None = None
    seed: int | None = 0
    colour: str = terminal_style.AUTO
    html_path: pathlib.Path | None = None
    max_lines: int = 24


def read_lengths(words: list[str]) -> dict[str, int] | None:
    """Reads the sequence lengths of a command line.

    Args:
      words: Two numbers for inputs and targets, or `feature=number` for each feature; none for no
        choice.

    Returns:
      Lengths by feature; None for no choice.

    Raises:
      InputError: They are neither.

    >>> read_lengths(["512", "114"]), read_lengths(["targets=64"]), read_lengths([])
    ({'inputs': 512, 'targets': 114}, {'targets': 64}, None)
    """
    pairs = [word.partition("=")[::2] for word in words]
    if len(words) == len(_FEATURES) and not any("=" in word for word in words):
        pairs = list(zip(_FEATURES, words))
    found = {
        name.strip(): int(number)
        for name, number in pairs
        if name.strip() and number.strip().isdecimal() and int(number) > 0
    }
    if len(found) != len(words):
        raise errors.InputError(
            f"--sequence_length is {','.join(words)!r}; wanted two positive numbers for inputs and "
            "targets, or name=number for each feature; write for example "
            "--sequence_length=512,128"
        )
    return found or None


def read_name(words: list[str]) -> str | None:
    """Reads the name of a Task or Mixture.

    Args:
      words: What the command line names.

    Returns:
      The name; None if there is none.

    Raises:
      InputError: There are several.
    """
    if len(words) > 1:
        raise errors.InputError(
            f"the command line names {len(words)} Tasks or Mixtures: {' '.join(words)}; wanted "
            "one; preview them one by one"
        )
    return words[0] if words else None
