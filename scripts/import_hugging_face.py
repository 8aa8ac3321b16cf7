"""Makes a model directory that the trainer continues from of a Hugging Face T5.

    python scripts/import_hugging_face.py HUGGING_FACE_DIR --model_dir MODEL_DIR --task NAME

The directory is local: `config.json`, weights, and the tokenizer, which is compared with the Task's
vocabulary. `docs/exporting.md` says more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors

_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Gets the checkpoint and hugging_face.gin.", required=True
)
_TASK = flags.DEFINE_string("task", None, "The Task that the model will be trained on.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the Task's data set was built.")
_CHECK_VOCABULARY = flags.DEFINE_boolean(
    "check_vocabulary", True, "Compares the Task's vocabulary with the model's tokenizer."
)


def main(argv: Sequence[str]) -> None:
    """Imports the model and prints how to train it.

    Raises:
      InputError: There is not one directory on the command line.
    """
    if len(argv) != 2:
        raise errors.InputError(
            f"found {len(argv) - 1} directories on the command line; wanted one, of a Hugging Face "
            "T5; give HUGGING_FACE_DIR --model_dir=MODEL_DIR"
        )
    # TensorFlow's words on its start are for nobody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from code_t5.training.hugging_face import importing

    path = importing.import_hugging_face(
        argv[1],
        model_dir=_MODEL_DIR.value,
        task=_TASK.value,
        data_dir=_DATA_DIR.value,
        check_vocabulary=_CHECK_VOCABULARY.value,
    )
    print(f"{path.parent} is a model at step 0; train it with")
    print(importing.training_command(path, data_dir=_DATA_DIR.value))


if __name__ == "__main__":
    command_line.run(main)
