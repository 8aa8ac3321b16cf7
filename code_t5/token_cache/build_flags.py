"""The flags of `scripts/build_token_cache.py`: the provider's arguments, by their names."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from code_t5 import errors
from code_t5.token_cache import provider_build
from code_t5.token_cache.building.build_config import BuildConfig
from code_t5.token_cache.sources import row_options

# What only one kind of source takes.
_HUB_ONLY = ("dataset_config_name", "data_dir", "data_files", "revision")
_ROWS_ONLY = ("split", "mapping_column_name", "validation_split", "seed")
_SOURCES = ("dataset_name", "dataset_dir", "flcc_name")


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags; call it once, before they are parsed.

    Args:
      values: Gets them.
    """
    string = functools.partial(flags.DEFINE_string, default=None, flag_values=values)
    yes_or_no = functools.partial(flags.DEFINE_boolean, default=False, flag_values=values)
    string("cache_dir", default="cache", help="The cache.")
    _define_source_flags(values)
    string("tokenizer_name", help="Tokenizer on the Hub, or a folder.")
    string("vocabulary", help="For --flcc_name: a vocabulary of its data directory.")
    yes_or_no("use_eos_token", default=True, help="Ends each document with the end of text.")
    flags.DEFINE_integer(
        "num_workers", 0, "Processes; 0 for one per processor.", lower_bound=0, flag_values=values
    )
    string("encoder", help="Engine; by default the quickest that proves equal.")
    yes_or_no("overwrite", help="Replaces the cache that is there.")
    yes_or_no(
        "estimate",
        help="Builds nothing: says from a sample what would be built. A data set of the Hub is "
        "fetched for it, all of it.",
    )
    yes_or_no("verify", help="Writes nothing: reads all of the cache and checks it.")


def _define_source_flags(values: flags.FlagValues) -> None:
    string = functools.partial(flags.DEFINE_string, default=None, flag_values=values)
    several = functools.partial(flags.DEFINE_list, default=None, flag_values=values)
    string("dataset_name", help="Data set on the Hub, or a folder of its files.")
    string("dataset_config_name", help="Which of its configurations.")
    string("data_dir", help="Folder in the data set.")
    several("data_files", help="Files of the data set; SPLIT=FILE to say of which split.")
    string("revision", help="Of the data set.")
    string("dataset_dir", help="Folder that datasets.save_to_disk wrote.")
    string("flcc_data_dir", help="Data directory of this project's data sets.")
    string("flcc_name", help="Data set there.")
    flags.DEFINE_multi_string(
        "split",
        None,
        "Split, or part of one (train[:10%]); NAME=SPLIT, repeated, for several.",
        flag_values=values,
    )
    several("mapping_column_name", help="Columns of text, joined by a line end.")
    string("validation_split", help="Share or number of train's rows for a validation split.")
    seed = row_options.DEFAULT_SEED
    flags.DEFINE_integer("seed", seed, "Chooses these rows.", flag_values=values)


def source_kind(values: flags.FlagValues = flags.FLAGS) -> str:
    """Returns what was asked for: `hub`, `disk` or `flcc`.

    Args:
      values: The flags.

    Raises:
      InputError: Not exactly one source was given, or a flag that it does not take.
    """
    given = [name for name in _SOURCES if values[name].value is not None]
    if len(given) != 1:
        wanted = " or ".join(f"--{name}" for name in _SOURCES)
        raise errors.InputError(
            f"{' and '.join(f'--{name}' for name in given) or 'no source'} was given; wanted one "
            f"of {wanted}; give one"
        )
    kind = {"dataset_name": "hub", "dataset_dir": "disk", "flcc_name": "flcc"}[given[0]]
    foreign = [] if kind == "hub" else list(_HUB_ONLY)
    foreign += _ROWS_ONLY if kind == "flcc" else ("flcc_data_dir", "vocabulary")
    for name in foreign:
        if values[name].present:
            raise errors.InputError(
                f"--{name} was given with --{given[0]}, which does not take it; wanted the flags "
                "of one source; leave it out"
            )
    return kind


def read_flags(values: flags.FlagValues = flags.FLAGS) -> provider_build.BuildRequest:
    """Returns what the flags ask for.

    Args:
      values: The flags.

    Raises:
      InputError: The flags do not fit together.
      CodeT5Error: There is no such data set.
    """
    kind, given = source_kind(values), values.flag_values_dict()
    names = ["tokenizer_name", "use_eos_token", "num_workers", "overwrite", "encoder", "cache_dir"]
    if kind == "flcc":
        if given["flcc_data_dir"] is None:
            raise errors.InputError(
                "--flcc_name was given alone; wanted --flcc_data_dir with it; name the folder in "
                "which flcc/ lies"
            )
        more = {
            "data_dir": given["flcc_data_dir"],
            "name": given["flcc_name"],
            "vocabulary": given["vocabulary"],
        }
    else:
        names += ["dataset_dir"] if kind == "disk" else ["dataset_name", *_HUB_ONLY]
        names += _ROWS_ONLY
        more = {
            "validation_split": _number(given["validation_split"]),
            "split": _mapping(given["split"]),
            "data_files": _mapping(given["data_files"], keeps_lists=True),
        }
    arguments = {**{name: given[name] for name in names}, **more}
    return provider_build.read_request(f"from_{kind}", arguments)


def cache_path(values: flags.FlagValues = flags.FLAGS) -> pathlib.Path:
    """Returns where the cache is, or will be.

    Args:
      values: The flags.
    """
    return BuildConfig(values["cache_dir"].value).path


def _number(text: str | None) -> float | int | None:
    """Returns a share (with a point) or a number of documents."""
    if text is None:
        return None
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError as error:
        raise errors.InputError(
            f"--validation_split is {text!a}; wanted a share as 0.05, or a number of documents as "
            "1000; give one"
        ) from error


def _mapping(entries: Sequence[str] | None, *, keeps_lists: bool = False) -> Any:
    """Returns a lone entry as it is, and `NAME=VALUE` entries as a mapping."""
    if not entries:
        return None
    named = [entry.partition("=") for entry in entries]
    if all(separator for _, separator, _ in named):
        if not keeps_lists:
            return {name: value for name, _, value in named}
        names = dict.fromkeys(name for name, _, _ in named)
        return {name: [value for other, _, value in named if other == name] for name in names}
    return list(entries) if keeps_lists or len(entries) > 1 else entries[0]
