"""Loads the model of an export, whoever wrote it.

An export may be of somebody else, its manifest too. Its settings are read as bounded JSON, its
weights compared with them before there is a model, and nothing else that lies there counts: neither
`generation_config.json`, which would change what is found, nor code.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding.token_model import TokenModel
from code_t5.training.hugging_face import exporting, source_model
from code_t5.training.hugging_face.opening import HuggingFaceExport

# Longer texts are asked of no T5; memory grows with their square.
_MAX_LENGTH = 1 << 16


def load_model(export: HuggingFaceExport, *, vocabulary: TokenModel) -> Any:
    """Returns an export's model.

    Args:
      export: The export, opened.
      vocabulary: Its vocabulary.

    Returns:
      A `transformers.T5ForConditionalGeneration` in float32, ready for `generate`.

    Raises:
      ArtifactError: Settings, weights and vocabulary do not fit each other, or are damaged.
    """
    lengths = export.sequence_length
    if not all(1 <= length <= _MAX_LENGTH for length in lengths.values()):
        raise _unfit(export, found=f"has the lengths {lengths}", wanted=f"1 to {_MAX_LENGTH}")
    try:
        architecture, num_rows = source_model.read_config(export.directory)
        arrays = source_model.read_weights(
            export.directory, architecture=architecture, num_embeddings=num_rows
        )
    except errors.InputError as error:
        raise errors.ArtifactError(f"the export cannot be loaded: {error}") from error
    if vocabulary.vocab_size > num_rows:
        raise _unfit(
            export,
            found=f"has {num_rows} embeddings",
            wanted=f"one for each of its vocabulary's {vocabulary.vocab_size} ids",
        )
    wrong = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if wrong:
        raise errors.ArtifactError(
            f"{wrong[0]} of the export {export.directory} is not finite; wanted numbers: its "
            "training went wrong before that step; take an earlier one with --step"
        )
    config = exporting.model_config(architecture, num_embeddings=num_rows, num_inputs=lengths)
    return _build(config, arrays)


def _unfit(export: HuggingFaceExport, *, found: str, wanted: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"the export {export.directory} {found}; wanted {wanted}; remove it and export again with "
        "scripts/export.py"
    )


def _build(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    """Returns the model with these weights."""
    # transformers imports TensorFlow where it finds one, unless it is told not to.
    os.environ.setdefault("USE_TF", "0")
    import torch
    import transformers

    settings = transformers.T5Config(**config)
    # Without storage: no weight is drawn at random that is replaced anyway.
    with torch.device("meta"):
        model: Any = transformers.T5ForConditionalGeneration(settings)
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    return model.eval()
