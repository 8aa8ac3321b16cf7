"""Exports a trained model: for Hugging Face's libraries, or as a SavedModel that is served.

    python scripts/export.py MODEL_DIR --format hugging_face
    python scripts/export.py MODEL_DIR --format saved_model --name code --stop_at_newline

It goes below the model directory, or to --output_dir.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors
from code_t5.training.saved_model import export_flags

_FORMATS = ["hugging_face", "saved_model"]
_FORMAT = flags.DEFINE_enum("format", None, _FORMATS, "What to write.", required=True)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Gets the export.")
_STEP = flags.DEFINE_integer("step", None, "Of the checkpoint; the newest by default.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the model's data set was built.")
export_flags.define()
flags.adopt_module_key_flags(export_flags)


def main(argv: Sequence[str]) -> None:
    """Exports, and prints where to.

    Raises:
      InputError: There is not one model directory, or a flag is of the other format.
    """
    if len(argv) != 2:
        raise errors.InputError(
            f"found {len(argv) - 1} model directories on the command line; wanted one; give "
            f"MODEL_DIR --format={_FORMAT.value}"
        )
    places = {"step": _STEP.value, "data_dir": _DATA_DIR.value, "output_dir": _OUTPUT_DIR.value}
    if _FORMAT.value == "hugging_face":
        export_flags.check_none_given()
        from code_t5.training.hugging_face import opening

        print(opening.export_in_child(argv[1], **places))
        return
    from code_t5.training.saved_model import export

    config = export.ExportConfig(**export_flags.settings())
    modules = export_flags.module_imports()
    print(export.export_saved_model(argv[1], config=config, module_imports=modules, **places))


if __name__ == "__main__":
    command_line.run(main)
