"""Exports a trained model: for Hugging Face's libraries, or as a SavedModel that is served.

    python scripts/export.py MODEL_DIR --format hugging_face
    python scripts/export.py MODEL_DIR --format saved_model --name code --stop_at_newline

It goes below the model directory, or to --output_dir.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors

_FORMAT = flags.DEFINE_enum(
    "format", None, ["hugging_face", "saved_model"], "What to write.", required=True
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Gets the export.")
_STEP = flags.DEFINE_integer("step", None, "Of the checkpoint; the newest by default.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the model's data set was built.")
_NAME = flags.DEFINE_string("name", "code_t5", "SavedModel: what a server calls the model.")
_MAX_PROMPT_TOKENS = flags.DEFINE_integer("max_prompt_tokens", None, "SavedModel: of a prompt.")
_MAX_NEW_TOKENS = flags.DEFINE_integer("max_new_tokens", 64, "SavedModel: of a candidate.")
_NUM_CANDIDATES = flags.DEFINE_integer("num_candidates", 1, "SavedModel: per prompt.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "SavedModel: most prompts at once.")
_TEMPERATURE = flags.DEFINE_float("temperature", 0.0, "SavedModel: above 0 it draws.")
_TOP_K = flags.DEFINE_integer("top_k", 0, "SavedModel: draw among so many tokens; 0 for all.")
_STOP_AT_NEWLINE = flags.DEFINE_boolean("stop_at_newline", False, "SavedModel: end with the line.")


def main(argv: Sequence[str]) -> None:
    """Exports, and prints where to.

    Raises:
      InputError: There is not one model directory on the command line.
    """
    if len(argv) != 2:
        raise errors.InputError(
            f"found {len(argv) - 1} model directories on the command line; wanted one; give "
            f"MODEL_DIR --format={_FORMAT.value}"
        )
    places = {"step": _STEP.value, "data_dir": _DATA_DIR.value, "output_dir": _OUTPUT_DIR.value}
    if _FORMAT.value == "hugging_face":
        from code_t5.training.hugging_face import opening

        print(opening.export_in_child(argv[1], **places))
        return
    from code_t5.training.saved_model import export

    names = ["name", "max_prompt_tokens", "max_new_tokens", "num_candidates", "batch_size"]
    names += ["temperature", "top_k", "stop_at_newline"]
    config = export.ExportConfig(**{name: flags.FLAGS[name].value for name in names})
    print(export.export_saved_model(argv[1], config=config, **places))


if __name__ == "__main__":
    command_line.run(main)
