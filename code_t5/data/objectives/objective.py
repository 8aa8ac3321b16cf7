"""What an objective is: documents in, examples out, many at a time, without TensorFlow.

A *document* is one source file's tokens, without an end of text. An *example* is what a model is
given (`inputs`) and what it must write (`targets`), made from one document; neither holds its end
of text yet. A document gives a number of examples that follows from its length or size alone, and a
*request* asks for one of them: it names the document, the number of the example in it, and a *key*,
from which everything random follows. So an example depends on its request alone: not on the
batch it is made in, nor on what was made before.

Lengths are those of features with their end of text: an example's inputs and targets have one token
less at most.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from code_t5 import errors
from code_t5.data.objectives import headers
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.token_model import TokenModel


@dataclasses.dataclass(frozen=True)
class Documents:
    """Source files' tokens.

    Attributes:
      tokens: uint16, uint32 or int32 `[total]`: all documents, one after the other; may be a memory
        map.
      offsets: int64 `[num_documents + 1]`: where each begins.
      sizes: int64 `[num_documents]`: UTF-8 bytes of each document's text.
      names: Gives the repository and the path of a document, by its position.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    names: Callable[[int], tuple[str, str]]

    @property
    def lengths(self) -> np.ndarray:
        """How many tokens each document has, int64 `[num_documents]`."""
        return np.diff(self.offsets)


@dataclasses.dataclass(frozen=True)
class Requests:
    """Which examples to make.

    Attributes:
      documents: int64 `[num_requests]`: positions in the documents.
      numbers: int64 `[num_requests]`: from 0 to the document's number of examples - 1.
      keys: uint64 `[num_requests]`: everything random follows from them; see `keys.mix_keys`.
    """

    documents: np.ndarray
    numbers: np.ndarray
    keys: np.ndarray


@dataclasses.dataclass(frozen=True)
class Examples:
    """Examples, one row per request.

    Attributes:
      inputs: int32; may be empty.
      targets: int32; never empty.
    """

    inputs: Ragged
    targets: Ragged


class Objective(abc.ABC):
    """Makes examples of documents.

    Attributes:
      name: As in the names of Tasks.
      version: Raised whenever the same request comes to give another example.
      least_inputs: Shortest length of the inputs that it can work with, end of text included.
      least_targets: And of the targets.
      needs_sizes: Whether `Documents.sizes` are read; otherwise they may be anything.
      model: The vocabulary's.
      with_path: Whether repository and path are put in front of the inputs.
      inputs_room: Most tokens of the document in an example's inputs.
      targets_room: Most tokens in its targets.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    least_inputs: ClassVar[int] = 1
    least_targets: ClassVar[int] = 2
    needs_sizes: ClassVar[bool] = False

    def __init__(
        self, sequence_length: Mapping[str, int], *, model: TokenModel, with_path: bool = False
    ) -> None:
        """Works out the room that there is.

        Args:
          sequence_length: Most tokens of `inputs` and `targets`, end of text included.
          model: The vocabulary's.
          with_path: Put a line with repository and path in front of the inputs; see `headers`.

        Raises:
          InputError: A length is too short for the objective.
        """
        self.sequence_length = {name: int(sequence_length[name]) for name in ("inputs", "targets")}
        self.model = model
        self.with_path = bool(with_path)
        reserved = headers.MAX_HEADER_TOKENS if self.with_path else 0
        least = {"inputs": self.least_inputs + reserved, "targets": self.least_targets}
        for feature, found in self.sequence_length.items():
            if found < least[feature]:
                path = " with a path" if reserved and feature == "inputs" else ""
                raise errors.InputError(
                    f"the length of {feature} is {found}, too short for the objective "
                    f"{self.name}{path}; wanted at least {least[feature]}; set "
                    "utils.run.sequence_length (or --sequence_length)"
                )
        self.inputs_room = self.sequence_length["inputs"] - 1 - reserved
        self.targets_room = self.sequence_length["targets"] - 1
        self._headers = headers.Headers(model) if self.with_path else None

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but the documents and the vocabulary that decides on an example, for JSON."""
        return {
            "objective": self.name,
            "version": self.version,
            "sequence_length": self.sequence_length,
            "with_path": self.with_path,
        }

    @abc.abstractmethod
    def num_examples(self, documents: Documents) -> np.ndarray:
        """Says how many examples each document gives, from lengths and sizes alone.

        Args:
          documents: The documents; their tokens are not read.

        Returns:
          int64 `[num_documents]`.
        """

    def make_examples(self, documents: Documents, requests: Requests) -> Examples:
        """Makes examples.

        Args:
          documents: The documents.
          requests: Which examples of them.

        Returns:
          One per request, in their order.

        Raises:
          InputError: A request asks for an example that its document does not give.
        """
        examples = self._make_examples(documents, requests)
        if self._headers is None:
            return examples
        first = self._headers.of_documents(documents.names, requests.documents)
        return Examples(headers.join_rows(first, examples.inputs), examples.targets)

    @abc.abstractmethod
    def _make_examples(self, documents: Documents, requests: Requests) -> Examples:
        """Makes examples without headers; see `make_examples`."""
