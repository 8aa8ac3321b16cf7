"""Writes a T5 student as an export to Hugging Face, with which code_t5 completes.

    python scripts/complete.py FILE:LINE:COLUMN --model_dir students/t5_dev_top32/student
    python scripts/import_hugging_face.py students/t5_dev_top32/student MODEL_DIR

`code_t5.training.hugging_face.opening` says what an export is. It holds the vocabulary that the
teacher has, which is looked for by its fingerprint; where it is not found, configuration and
weights are written alone.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from absl import logging

from code_t5 import errors
from code_t5.encoding import piece_model
from code_t5.storage import fingerprints, prepared
from code_t5.training.hugging_face import exporting, opening, tokenizer_files
from code_t5.training.hugging_face.architecture import Architecture
from code_t5.training.hugging_face.trained_task import TrainedTask

# Other names of the embeddings.
_ALIASES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")


def find_vocabulary(
    parts: Mapping[str, Any], *, settings: Mapping[str, Any]
) -> pathlib.Path | None:
    """Returns the directory of the vocabulary that a teacher has.

    Args:
      parts: Of the teacher's outputs.
      settings: Where it may be: `vocabulary_dir`, or below `hf_dir` or `data_dir`.

    Returns:
      The directory; None if none of these, or of the default data directory, holds it.

    Raises:
      InputError: The `vocabulary_dir` that was given is another.
    """
    wanted = dict(parts.get("vocabulary") or {}).get("fingerprint")
    given = settings.get("vocabulary_dir")
    if given is not None:
        place = pathlib.Path(os.path.expanduser(given))
        if _fingerprint(place) != wanted:
            raise errors.InputError(
                f"--vocabulary_dir {given} is {_fingerprint(place)}; wanted the teacher's "
                f"vocabulary {wanted}; give its directory, or leave the flag out"
            )
        return place
    places = []
    if settings.get("hf_dir") is not None:
        places.append(pathlib.Path(settings["hf_dir"]).expanduser() / opening.VOCABULARY_FOLDER)
    data_dir = settings.get("data_dir")
    folder = prepared.find_data_dir() if data_dir is None else os.path.expanduser(data_dir)
    places += [pathlib.Path(one.vocabulary_dir) for one in prepared.known_datasets(folder)]
    return next((place for place in places if wanted and _fingerprint(place) == wanted), None)


def _fingerprint(place: pathlib.Path) -> str | None:
    """Returns the fingerprint of a vocabulary; None if there is none."""
    try:
        found: str = piece_model.read_vocabulary_manifest(place)["fingerprint"]
    except errors.CodeT5Error:
        return None
    return found


@dataclasses.dataclass(frozen=True)
class StudentSaver:
    """Writes a student.

    Attributes:
      architecture: The student's.
      parts: Of its teacher's outputs.
      lengths: Most tokens of inputs and targets.
      vocabulary_dir: The teacher's vocabulary; None if it is not there.
    """

    architecture: Architecture
    parts: Mapping[str, Any]
    lengths: dict[str, int]
    vocabulary_dir: pathlib.Path | None

    def save(self, folder: pathlib.Path, *, network: Any) -> None:
        """Writes the student.

        Args:
          folder: An empty directory.
          network: Its `transformers.T5ForConditionalGeneration`.

        Raises:
          CodeT5Error: The vocabulary is damaged.
        """
        import safetensors.numpy

        state = network.state_dict()
        arrays = {
            name: tensor.detach().cpu().float().contiguous().numpy()
            for name, tensor in state.items()
            if name not in _ALIASES
        }
        if self.vocabulary_dir is None:
            logging.warning(
                "The teacher's vocabulary was not found: the student is written without it, and "
                "scripts/complete.py cannot read it; give --vocabulary_dir"
            )
            config = network.config.to_diff_dict()
            tokenizer_files.write_json(folder / exporting.CONFIG_NAME, config)
            path = folder / opening.WEIGHTS_NAME
            safetensors.numpy.save_file(arrays, path, metadata={"format": "pt"})
            return
        hashes = {name: fingerprints.hash_bytes(array.tobytes()) for name, array in arrays.items()}
        exporting.write_export(
            folder,
            arrays=arrays,
            model=self.architecture,
            task=self._task(),
            vocabulary_dir=self.vocabulary_dir,
            fields={
                "step": 0,
                "checkpoint_sha256": fingerprints.hash_json(hashes),
                "configuration_sha256": fingerprints.hash_json(network.config.to_diff_dict()),
            },
        )

    def _task(self) -> TrainedTask:
        data = dict(self.parts.get("data") or {})
        objective = dict(data.get("objective") or {}).get("objective")
        return TrainedTask(str(data.get("task")), objective, dict(self.lengths))
