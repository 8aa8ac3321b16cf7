"""The flags of `scripts/export.py` that only a SavedModel has."""

from __future__ import annotations

from typing import Any

from absl import flags

from code_t5 import errors

_SETTINGS = (
    *("name", "max_prompt_tokens", "max_new_tokens", "num_candidates", "batch_size"),
    *("temperature", "top_k", "stop_at_newline"),
)
_MODULE_IMPORT = "module_import"


def define() -> None:
    """Defines the flags."""
    flags.DEFINE_string("name", "code_t5", "SavedModel: what a server calls the model.")
    flags.DEFINE_integer("max_prompt_tokens", None, "SavedModel: of a prompt.")
    flags.DEFINE_integer("max_new_tokens", 64, "SavedModel: of a candidate.")
    flags.DEFINE_integer("num_candidates", 1, "SavedModel: per prompt.")
    flags.DEFINE_integer("batch_size", 4, "SavedModel: most prompts at once.")
    flags.DEFINE_float("temperature", 0.0, "SavedModel: above 0 it draws.")
    flags.DEFINE_integer("top_k", 0, "SavedModel: draw among so many tokens; 0 for all.")
    flags.DEFINE_boolean("stop_at_newline", False, "SavedModel: end with the line.")
    flags.DEFINE_multi_string(
        _MODULE_IMPORT, [], "SavedModel: one more module that the configuration may import."
    )


def settings() -> dict[str, Any]:
    """Returns the settings of an export, by their names in `ExportConfig`."""
    return {name: flags.FLAGS[name].value for name in _SETTINGS}


def module_imports() -> tuple[str, ...]:
    """Returns the modules that the trainer is to import, ours first."""
    return ("code_t5", *flags.FLAGS[_MODULE_IMPORT].value)


def check_none_given() -> None:
    """Refuses these flags beside another format.

    Raises:
      InputError: One is on the command line.
    """
    given = [name for name in (*_SETTINGS, _MODULE_IMPORT) if flags.FLAGS[name].present]
    if given:
        raise errors.InputError(
            f"found --{given[0]}, which is of a SavedModel, with another format; wanted it with "
            "--format=saved_model only; leave it out, or export in that format"
        )
