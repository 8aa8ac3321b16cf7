"""The questions that full-line completion is measured by: cursors in the files of a split.

The objective `line_completion` draws them from the text itself, so they are the same for every
model and vocabulary. Of more cursors than are wanted, those with the smallest hash of text and
number are taken: a sample of all, and the same for everyone too.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.data import line_metrics, objectives
from code_t5.data.objectives import Documents, Requests
from code_t5.encoding.token_model import TokenModel
from code_t5.encoding.unit_encoder import UnitEncoder
from code_t5.storage import prepared
from code_t5.token_cache.sources.flcc_source import FlccSource

# As gin_configs/objectives/code_line_completion.gin has it.
BYTES_PER_CURSOR = 1000
LINE_START_SHARE = 0.5
# Tokens before the cursor that a prompt holds at most: more than the models of this project read.
_PROMPT_TOKENS = 4096
# Longer than any line.
_ANSWER_TOKENS = 1 << 20


class SourceFile(NamedTuple):
    """One file of a split: its text, and where it is from."""

    repository: str
    path: str
    text: str


class Cursor(NamedTuple):
    """A question with its answer.

    Attributes:
      key: Hash of the file's text and the cursor's number in it.
      repository: That the file is of.
      path: Of the file.
      prompt: The file up to the cursor; of a long one the last 4,095 tokens.
      answer: The rest of the line.
    """

    key: str
    repository: str
    path: str
    prompt: str
    answer: str

    @property
    def is_line_start(self) -> bool:
        """Whether the cursor stands at its line's start."""
        return line_metrics.is_line_start(self.prompt)


def read_files(dataset: prepared.PreparedDataset, split: str) -> Iterator[SourceFile]:
    """Reads the files of a split.

    Args:
      dataset: The data set.
      split: Of the data set.

    Yields:
      The files, in the data set's order.

    Raises:
      NotBuiltError: The data set is not built.
      ArtifactError: It is damaged.
      InputError: It has no such split, or nothing in it.
    """
    source = FlccSource(dataset)
    if split not in source.splits:
        raise errors.InputError(
            f"found no files in the split {split} of {dataset.name}; wanted one of "
            f"{', '.join(source.splits)}; name one, or build the data set with a larger "
            "--validation_fraction and --test_fraction"
        )
    for unit in source.units(split):
        for batch in unit.read():
            for text, (repository, path) in zip(batch.texts, batch.names):
                yield SourceFile(repository, path, text.decode("utf-8"))


def draw_cursors(
    files: Sequence[SourceFile], *, model: TokenModel, num_cursors: int | None = None
) -> list[Cursor]:
    """Draws the cursors of some files.

    Args:
      files: The files.
      model: A vocabulary's, to cut lines by; which one does not matter.
      num_cursors: At most how many; None for all.

    Returns:
      In the order of their keys; those of files without anything but blank lines are left out.
    """
    objective = objectives.LineCompletion(
        {"inputs": _PROMPT_TOKENS, "targets": _ANSWER_TOKENS},
        model=model,
        with_path=False,
        bytes_per_cursor=BYTES_PER_CURSOR,
        line_start_share=LINE_START_SHARE,
        redraw=False,
    )
    chosen = collections.defaultdict[int, dict[int, str]](dict)
    for key, index, number in sorted(_places(files))[:num_cursors]:
        chosen[index][number] = key
    encoder = UnitEncoder(model)
    found: dict[str, Cursor] = {}
    for index, keys in chosen.items():
        file, numbers = files[index], list(keys)
        questions = _questions(objective, encoder, text=file.text, numbers=np.array(numbers))
        for number, (prompt, answer) in zip(numbers, questions):
            if line_metrics.rest_of_line(answer):
                cursor = Cursor(keys[number], file.repository, file.path, prompt, answer)
                found[cursor.key] = cursor
    return [found[key] for key in sorted(found)]


def _places(files: Sequence[SourceFile]) -> Iterator[tuple[str, int, int]]:
    """Yields key, file and number of every cursor; of files with the same text the first's."""
    seen = set()
    for index, file in enumerate(files):
        content = file.text.encode("utf-8")
        digest = hashlib.blake2b(content, digest_size=16).digest()
        if digest in seen or not content:
            continue
        seen.add(digest)
        for number in range(max(1, len(content) // BYTES_PER_CURSOR)):
            salted = digest + number.to_bytes(8, "little")
            yield hashlib.blake2b(salted, digest_size=8).hexdigest(), index, number


def _questions(
    objective: objectives.LineCompletion, encoder: UnitEncoder, *, text: str, numbers: np.ndarray
) -> list[tuple[str, str]]:
    """Returns prompt and answer of some cursors of a file."""
    content = text.encode("utf-8")
    row = encoder.encode([content])
    documents = Documents(row.values, row.offsets, np.array([len(content)]), lambda _: ("", ""))
    requests = Requests(np.zeros(len(numbers), np.int64), numbers, numbers.astype(np.uint64))
    examples = objective.make_examples(documents, requests)
    decode = objective.model.decode
    return [
        (decode(examples.inputs.row(i).tolist()), decode(examples.targets.row(i).tolist()))
        for i in range(len(numbers))
    ]
