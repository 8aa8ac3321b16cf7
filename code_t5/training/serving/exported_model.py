"""An exported model (`code_t5.training.saved_model`) as the server runs it.

TensorFlow is loaded when one is made. Only what a model can read of a prompt is encoded, so that a
prompt of a megabyte takes no longer than one of a page.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from code_t5.training.prompts import GAP_OBJECTIVES, Gap
from code_t5.training.saved_model import exported
from code_t5.training.saved_model.text_runner import TextRunner
from code_t5.training.serving.predictions import Prediction, Prompt, ScoredText

# No vocabulary of ours has longer tokens: a run of spaces, or a long word.
_MAX_CHARACTERS_PER_TOKEN = 64
# What a beam has that never was one.
_LEAST_SCORE = -1e8


class ExportedModel:
    """A model that is loaded and ready; its attributes are those of a `ServedModel`."""

    def __init__(self, version_dir: pathlib.Path) -> None:
        """Loads an export and runs it once.

        Args:
          version_dir: The export, `<name>/<version>`.

        Raises:
          InputError: There is no such directory.
          NotBuiltError: There is no vocabulary in it.
          ArtifactError: It is half-written, damaged, or no export of ours.
        """
        self._texts = TextRunner(version_dir)
        info = self._texts.runner.model_info
        self.name = info.name
        self.version = info.step
        self.batch_size = info.batch_size
        self.num_candidates = info.num_candidates
        self.max_prompt_tokens = info.max_prompt_tokens
        self.max_new_tokens = info.max_new_tokens
        self.vocab_size = info.vocab_size
        self.reads_suffix = info.objective in GAP_OBJECTIVES
        self.signature_def = read_signatures(version_dir)

    def predict(self, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Returns a prediction per prompt.

        Args:
          prompts: At most `batch_size`.

        Raises:
          ArtifactError: The export's graph does not do what an export of ours does.
        """
        rows = [self._encode(prompt) for prompt in prompts]
        input_ids = np.zeros((len(rows), max(map(len, rows))), np.int32)
        for row, ids in zip(input_ids, rows):
            row[: len(ids)] = ids
        found = self._texts.runner.predict(input_ids)
        texts = self._texts.decode(found)
        return [
            _prediction(
                [ScoredText(one.text, one.score) for one in candidates],
                ids=ids,
                num_prompt_tokens=len(row),
            )
            for row, candidates, ids in zip(rows, texts, found.output_ids)
        ]

    def _encode(self, prompt: Prompt) -> Sequence[int]:
        """Returns the ids that the model reads."""
        if prompt.token_ids is not None:
            return prompt.token_ids
        most = self.max_prompt_tokens * _MAX_CHARACTERS_PER_TOKEN
        prefix = (prompt.text or "")[-most:]
        return self._texts.encode(Gap(prefix, prompt.suffix[:most]) if prompt.suffix else prefix)


def _prediction(
    candidates: list[ScoredText], *, ids: np.ndarray, num_prompt_tokens: int
) -> Prediction:
    """Returns a prediction, in which no text stands twice."""
    is_real = [math.isfinite(one.score) and one.score > _LEAST_SCORE for one in candidates]
    best: dict[str, float] = {}
    for one, real in zip(candidates, is_real):
        if real:
            best.setdefault(one.text, one.score)
    return Prediction(
        candidates=tuple(ScoredText(*one) for one in best.items()),
        output_ids=ids.tolist(),
        scores=[one.score if real else None for one, real in zip(candidates, is_real)],
        num_prompt_tokens=num_prompt_tokens,
        num_new_tokens=int(np.count_nonzero(ids)),
    )


def read_signatures(version_dir: pathlib.Path) -> dict[str, Any]:
    """Returns what an export's graph says of its inputs and outputs.

    Args:
      version_dir: An export that has been loaded.

    Returns:
      By the signature's name, in the form of TensorFlow Serving's metadata.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((version_dir / exported.GRAPH_NAME).read_bytes())
    return {
        name: {
            "inputs": {one: _tensor(info) for one, info in signature.inputs.items()},
            "outputs": {one: _tensor(info) for one, info in signature.outputs.items()},
            "method_name": signature.method_name,
        }
        for graph in model.meta_graphs
        for name, signature in graph.signature_def.items()
    }


def _tensor(info: Any) -> dict[str, Any]:
    """Returns a tensor's type, shape and name as Protocol Buffers write them in JSON."""
    from tensorflow.core.framework import types_pb2

    shape = info.tensor_shape
    return {
        "dtype": types_pb2.DataType.Name(info.dtype),
        "tensor_shape": {
            "dim": [{"size": str(one.size), "name": one.name} for one in shape.dim],
            "unknown_rank": shape.unknown_rank,
        },
        "name": info.name,
    }
