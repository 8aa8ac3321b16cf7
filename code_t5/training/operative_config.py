"""Takes up the gin configuration that a model was trained with.

The trainer writes `operative_config.gin` into the model directory: every binding that the training
used. gin's configuration is global to a process, so only programs call this, never the library.
A model directory may be of somebody else: before gin is given the file, its imports are looked at
(`code_t5.training.gin_statements`).
"""

from __future__ import annotations

import copy
import pathlib
from collections.abc import Sequence

from code_t5 import errors
from code_t5.training import gin_statements

FILE_NAME = "operative_config.gin"


def find(model_dir: pathlib.Path, *, module_imports: Sequence[str] = ()) -> pathlib.Path:
    """Returns the configuration of a trained model, which may be given to gin.

    Args:
      model_dir: The model directory.
      module_imports: Modules that the user trusts beside the trainer's and ours.

    Raises:
      InputError: The model directory holds none, or it imports what nobody has asked for.
      ArtifactError: It is damaged.
    """
    path = model_dir / FILE_NAME
    if not path.is_file():
        raise errors.InputError(
            f"found no {FILE_NAME} in {model_dir}; wanted a directory that the trainer has trained "
            "in; train first"
        )
    return gin_statements.check_imports(path, module_imports=module_imports)


def parse(model_dir: pathlib.Path, *, module_imports: Sequence[str] = ()) -> None:
    """Makes the configuration of a trained model this process's gin configuration.

    Args:
      model_dir: The model directory.
      module_imports: Modules that the user trusts beside the trainer's and ours.

    Raises:
      InputError: The model directory holds none, or it imports what nobody has asked for.
      ArtifactError: It is damaged.
    """
    path = find(model_dir, module_imports=module_imports)
    import gin
    import t5.models.mesh_transformer  # registers what the file names  # noqa: F401

    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config_file(str(path))


def sequence_length() -> dict[str, int]:
    """Returns the lengths of inputs and targets in the configuration taken up."""
    import gin

    # A copy is how gin itself turns references to macros into their values.
    return copy.deepcopy(
        gin.query_parameter("mesh_tensorflow.transformer.utils.run.sequence_length")
    )
