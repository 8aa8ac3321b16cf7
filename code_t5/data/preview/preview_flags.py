"""The command line of `scripts/preview_task.py`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from absl import flags

from code_t5.data.preview import preview_config, terminal_style


def define_flags() -> None:
    """Defines the flags; call it once, before they are parsed."""
    default = preview_config.PreviewConfig()
    flags.DEFINE_bool("list", False, "List every Task and Mixture instead.")
    flags.DEFINE_string("mixture_or_task", None, "Task or Mixture; also taken without flag.")
    flags.DEFINE_string("split", default.split, "Split to read.")
    _define_integer("num_examples", default.num_examples, "Examples to show; 0 for numbers alone.")
    _define_integer("num_rows", default.num_rows, "Rows behind the numbers.", least=1)
    _define_integer("num_documents", default.num_documents, "Documents behind settings.", least=1)
    flags.DEFINE_list(
        "sequence_length", [], "Inputs,targets or feature=number,...; by default gin's, or 512."
    )
    flags.DEFINE_bool("pack", None, "Pack examples; by default as gin says, or yes.")
    flags.DEFINE_bool("use_cached", None, "Read the task cache; by default as gin says, or no.")
    flags.DEFINE_list("additional_task_cache_dirs", [], "Folders of cached Tasks.")
    flags.DEFINE_bool("with_path", False, "Repository and path in front of the inputs.")
    # The trainer's modules define these two as well, when they are imported.
    flags.DEFINE_multi_string("gin_file", [], "The trainer's gin files.", allow_override=True)
    flags.DEFINE_multi_string("gin_param", [], "Bindings of gin.", allow_override=True)
    flags.DEFINE_multi_string("module_import", [], "Modules that register Tasks.")
    flags.DEFINE_string("data_dir", None, "Where data sets lie.")
    _define_integer("seed", 0, "Same seed, same examples; -1 for others every time.", least=-1)
    flags.DEFINE_enum("color", default.colour, terminal_style.CHOICES, "Whether to write colours.")
    _define_integer("max_lines", default.max_lines, "Lines shown of each text; 0 for all.")
    flags.DEFINE_string("html", None, "Also write all this to a page, here.")


def _define_integer(name: str, default: int, meaning: str, *, least: int = 0) -> None:
    flags.DEFINE_integer(name, default, meaning, lower_bound=least)


def read_config(arguments: Sequence[str]) -> preview_config.PreviewConfig:
    """Returns what the command line asks for.

    Args:
      arguments: What is left of it after the flags.

    Returns:
      The settings.

    Raises:
      InputError: A flag's value is wrong, or several names are given.
    """
    values = flags.FLAGS
    names = [*arguments, *([values.mixture_or_task] if values.mixture_or_task else [])]
    return preview_config.PreviewConfig(
        name=preview_config.read_name(names),
        split=values.split,
        num_examples=values.num_examples,
        num_rows=values.num_rows,
        num_documents=values.num_documents,
        sequence_length=preview_config.read_lengths(values.sequence_length),
        pack=values.pack,
        use_cached=values.use_cached,
        cache_dirs=tuple(values.additional_task_cache_dirs),
        with_path=values.with_path,
        gin_files=tuple(values.gin_file or ()),
        gin_params=tuple(values.gin_param or ()),
        module_imports=tuple(values.module_import),
        data_dir=values.data_dir,
        seed=None if values.seed < 0 else values.seed,
        colour=values.color,
        html_path=pathlib.Path(values.html) if values.html else None,
        max_lines=values.max_lines,
    )
