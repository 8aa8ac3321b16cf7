"""What T5 teachers are asked about: examples of a Task, any of them found at once.

An *input* is an example of the Task: the tokens that the encoder gets and those that the decoder
has to write, each with its end of text. It follows from its number, the seed and the split by the
formula of the trainer's resumable data (`code_t5.data.example_stream`), so nothing but what is
asked for is read. Tokens lie in the Task's cache; where there is none yet, it is written first.
Nothing here needs TensorFlow or torch.
"""

from __future__ import annotations

import os
import pathlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.data.example_stream import TaskStream
from code_t5.data.objectives import OBJECTIVES, Documents, Objective, mix_keys
from code_t5.data.row_stream import STREAM_VERSION
from code_t5.data.task_cache import build, check, layout, task_datasets
from code_t5.encoding import piece_model, token_model
from code_t5.encoding.ragged import Ragged
from code_t5.storage import fingerprints, prepared
from code_t5.token_cache.reader import TokenCacheReader
from code_t5.training.teachers.teacher import VALIDATION

# Below the data directory.
CACHES_FOLDER = "task_caches"
MAX_VALIDATION_SAMPLES = 256


class TaskInput(NamedTuple):
    """One example.

    Attributes:
      inputs: int32 `[num_inputs]`, the end of text last.
      targets: int32 `[num_targets]`, the same.
    """

    inputs: np.ndarray
    targets: np.ndarray


class TaskInputs:
    """The examples of a Task, by number, seed and split.

    Attributes:
      task: Name of the Task.
      vocabulary_dir: Its vocabulary.
    """

    def __init__(
        self,
        task: str,
        *,
        reader: TokenCacheReader,
        objective: Objective,
        vocabulary_dir: pathlib.Path,
    ) -> None:
        """Reads nothing yet.

        Args:
          task: Name of the Task.
          reader: Its tokens.
          objective: What makes examples of them.
          vocabulary_dir: Its vocabulary.
        """
        self.task = task
        self.vocabulary_dir = vocabulary_dir
        self._reader = reader
        self._objective = objective
        self._documents: dict[str, Documents] = {}
        self._newest: tuple[tuple[int, str], TaskStream] | None = None

    @property
    def vocabulary_description(self) -> dict[str, Any]:
        """What tells the vocabulary from any other, as JSON values."""
        fields = piece_model.read_vocabulary_manifest(self.vocabulary_dir)
        return {name: fields[name] for name in ("fingerprint", "vocab_size")}

    @property
    def description(self) -> dict[str, Any]:
        """What tells these examples from any other, as JSON values."""
        return {
            "kind": "task",
            "task": self.task,
            "tokens": self._reader.fingerprint,
            "tokens_sha256": fingerprints.hash_json(self._reader.sha256),
            "objective": self._objective.settings,
            "stream_version": STREAM_VERSION,
        }

    def num_available(self, split: str) -> int | None:
        """Returns how many examples there are; None for no end: after all, they are cut anew.

        Args:
          split: `train` or `validation`.

        Raises:
          InputError: The split holds no example.
        """
        stream = self._stream(split, seed=0)
        return min(stream.num_examples, MAX_VALIDATION_SAMPLES) if split == VALIDATION else None

    def draw(self, numbers: Sequence[int], *, seed: int, split: str) -> list[TaskInput]:
        """Returns some examples.

        Args:
          numbers: Of the examples.
          seed: Another one gives another order, and other cuts or masks.
          split: `train` or `validation`.

        Returns:
          The examples, in the order of `numbers`.

        Raises:
          InputError: The split holds no example.
          ArtifactError: The Task's cache is damaged.
        """
        stream = self._stream(split, seed=seed)
        examples = stream.at(np.array(list(numbers), dtype=np.int64))
        ends = zip(_with_eos(examples.inputs), _with_eos(examples.targets))
        return [TaskInput(*features) for features in ends]

    def _stream(self, split: str, *, seed: int) -> TaskStream:
        if self._newest is None or self._newest[0] != (seed, split):
            # As a training's with this seed.
            own_seed = int(mix_keys(seed, zlib.crc32(self.task.encode()))[0])
            stream = TaskStream(
                self._open(split),
                objective=self._objective,
                seed=own_seed,
                vocab_size=self._objective.model.vocab_size,
            )
            self._newest = (seed, split), stream
        return self._newest[1]

    def _open(self, split: str) -> Documents:
        if split not in self._documents:
            tokens = self._reader.split(split)
            tokens.check_offsets()
            documents = Documents(tokens.tokens, tokens.offsets, tokens.sizes, tokens.names)
            self._documents[split] = documents
        return self._documents[split]


def _with_eos(rows: Ragged) -> list[np.ndarray]:
    return [
        np.append(rows.row(index), piece_model.EOS_ID).astype(np.int32)
        for index in range(rows.num_rows)
    ]


def open_task(
    task: str,
    *,
    data_dir: str,
    lengths: Mapping[str, int],
    objective: str | None = None,
    task_cache_dir: str | None = None,
) -> TaskInputs:
    """Opens the examples of a Task; writes its cache first where there is none.

    Args:
      task: Name of the Task.
      data_dir: Where its data set was built.
      lengths: Most tokens of `inputs` and `targets`.
      objective: For a Task that fixes none; None for none.
      task_cache_dir: Where the cache is; None for a folder of the data directory.

    Returns:
      The examples.

    Raises:
      InputError: There is no such Task, it has no objective, or a length is too short.
      NotBuiltError: Its data set is not built, or the cache holds no tokens.
      ArtifactError: Data set or cache are damaged, or the cache is stale.
      VocabularyMismatchError: The data set was built with another vocabulary than the one there.
      BusyError: Another process writes the cache.
    """
    (dataset,) = task_datasets.resolve_tasks([task], data_dir=data_dir)
    fixed = prepared.task_table([dataset], OBJECTIVES)[task][1]
    chosen = fixed or objective
    if chosen is None:
        names = ", ".join(f"{task}_{one}" for one in OBJECTIVES)
        raise errors.InputError(
            f"the Task {task} leaves its objective to gin, which is not read here; wanted one that "
            f"fixes it: {names}; give one of these as --task"
        )
    made = _make_objective(chosen, dataset=dataset, lengths=lengths)
    folder = pathlib.Path(task_cache_dir or os.path.join(data_dir, CACHES_FOLDER), task)
    reader = _open_tokens(folder, dataset=dataset)
    return TaskInputs(task, reader=reader, objective=made, vocabulary_dir=dataset.vocabulary_dir)


def _make_objective(
    name: str, *, dataset: prepared.PreparedDataset, lengths: Mapping[str, int]
) -> Objective:
    """Sets an objective up.

    Raises:
      InputError: A length is too short for it.
    """
    model = token_model.load_token_model(dataset.vocabulary_dir)
    try:
        return OBJECTIVES[name](lengths, model=model)
    except errors.InputError as error:
        # gin adds lines; what to set stands last in the first of them.
        found = str(error).partition("\n")[0].rpartition("; ")[0]
        raise errors.InputError(
            f"{found}; give a larger --inputs_length or --targets_length"
        ) from None


def _open_tokens(folder: pathlib.Path, *, dataset: prepared.PreparedDataset) -> TokenCacheReader:
    """Opens the tokens of a Task.

    Raises:
      NotBuiltError: The cache is one of seqio's own, without tokens.
      ArtifactError: It is damaged or stale.
      CodeT5Error: It cannot be written.
    """
    if not folder.exists():
        build.cache_tasks(
            build.CacheConfig(
                tasks=(folder.name,),
                output_cache_dir=str(folder.parent),
                data_dir=dataset.data_dir,
            )
        )
    tokens = folder / layout.TOKENS_NAME
    if not tokens.is_dir():
        raise errors.NotBuiltError(
            f"{folder} holds no {layout.TOKENS_NAME}, as if seqio's script had written it; wanted "
            "what scripts/cache_tasks.py writes; run: "
            f"{layout.cache_command(folder, data_dir=dataset.data_dir)}"
        )
    check.check_task_cache(folder, dataset=dataset)
    return TokenCacheReader(tokens)
