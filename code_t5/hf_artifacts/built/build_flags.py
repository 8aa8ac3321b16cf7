"""The flags of `scripts/build_dataset.py`, and the command line that asks for a request again."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Union

from absl import flags

from code_t5 import errors
from code_t5.hf_artifacts import cache_root, requests, slurm_setup
from code_t5.hf_artifacts.built.build import BuildOptions, Outcome
from code_t5.hf_artifacts.built.built_request import (
    DEFAULT_SEED,
    PADDINGS,
    BuiltRequest,
    TokenizingOptions,
)
from code_t5.hf_artifacts.requests import DataFiles

LIST_FLAGS = ("splits", "text_columns", "data_files")
# What says where the libraries keep things; --cache_dir says it all at once.
_PLACES = ("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE")
_TOKENIZING = ("text_columns", "label_column", "max_length", "padding", "add_special_tokens")

PathLike = Union[str, "os.PathLike[str]"]


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags; call it once, before they are parsed.

    Args:
      values: Gets them.
    """
    string = functools.partial(flags.DEFINE_string, default=None, flag_values=values)
    several = functools.partial(flags.DEFINE_list, default=None, flag_values=values)
    string("dataset", help="Data set on the Hub, or a folder of its files.")
    string("config", help="Which of its configurations; by default the only one.")
    string("revision", help="Of the repository.")
    string("data_dir", help="Folder in the data set.")
    several("data_files", help="Files of the data set; SPLIT=FILE to say of which split.")
    several("splits", help="Which splits; by default all.")
    flags.DEFINE_float("subset", 0.0, "Share of the rows; 0.0 is all.", flag_values=values)
    flags.DEFINE_integer("seed", DEFAULT_SEED, "Chooses these rows.", flag_values=values)
    string("output_dir", default="data", help="Where data sets are built.")
    string("cache_dir", help="Root that precache.py filled; by default HF_HOME, or ~/hf-cache.")
    flags.DEFINE_boolean("rebuild", False, "Replaces what is there.", flag_values=values)
    string("tokenizer_name", help="Makes ids of text: a tokenizer on the Hub, or a folder.")
    several("text_columns", help="Column of text or of words; two for pairs.")
    string("label_column", help="Its labels go with the ids; those of words to their first pieces.")
    flags.DEFINE_integer(
        "max_length", None, "Most ids of a row.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_enum("padding", "none", PADDINGS, "Fills rows up.", flag_values=values)
    flags.DEFINE_boolean(
        "add_special_tokens", True, "The tokenizer's own tokens around rows.", flag_values=values
    )
    flags.DEFINE_integer(
        "num_workers", 1, "Processes that make ids.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_integer(
        "batch_size", 1000, "Rows made ids at a time.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_float(
        "wait_minutes",
        60.0,
        "For another job that builds the same.",
        lower_bound=0.0,
        flag_values=values,
    )


def read_flags(
    values: flags.FlagValues = flags.FLAGS,
) -> tuple[BuiltRequest, list[str], BuildOptions]:
    """Returns what the flags ask for: what, which splits, and how.

    Args:
      values: The flags.

    Raises:
      InputError: They do not fit together.
    """
    given = values.flag_values_dict()
    if not given["dataset"]:
        raise errors.InputError("no data set was named; wanted one; add --dataset=NAME")
    tokenizing = None
    if given["tokenizer_name"] is not None:
        fields = {name: given[name] for name in _TOKENIZING}
        fields["text_columns"] = tuple(given["text_columns"] or ())
        tokenizing = TokenizingOptions(given["tokenizer_name"], **fields)
    elif lone := [name for name in _TOKENIZING if values[name].present]:
        raise errors.InputError(
            f"--{lone[0]} was given without --tokenizer_name; wanted the tokenizer that makes ids; "
            "name it, or leave the other out"
        )
    names = ("dataset", "config", "revision", "data_dir", "subset", "seed")
    request = BuiltRequest(
        **{name: given[name] for name in names},
        data_files=requests.read_data_files(given["data_files"]),
        tokenizing=tokenizing,
    )
    request.check()
    how = ("output_dir", "rebuild", "num_workers", "batch_size", "wait_minutes")
    options = BuildOptions(**{name: given[name] for name in how})
    return request, list(given["splits"] or ()), options


def point_libraries(
    values: flags.FlagValues = flags.FLAGS,
    *,
    environment: MutableMapping[str, str] = os.environ,
) -> None:
    """Makes the libraries, which are not imported yet, use the cache that is asked for.

    Without `--cache_dir` an environment that names a place is left as it is.

    Args:
      values: The flags.
      environment: Is changed.

    Raises:
      InputError: No directory can be where `--cache_dir` says.
    """
    named = values["cache_dir"].value
    if named is None and any(environment.get(name) for name in _PLACES):
        return
    root = cache_root.root_of_flag(named, environment=environment)
    if named is None and not root.path.is_dir():
        return
    token = slurm_setup.find_token(environment)
    if token is not None:
        environment["HF_TOKEN_PATH"] = token
    places = root.environment(is_offline=True)
    switches = cache_root.OFFLINE_FLAGS
    environment.update({name: path for name, path in places.items() if name not in switches})


def as_arguments(
    request: BuiltRequest, *, splits: Sequence[str], output_dir: PathLike = "data"
) -> list[str]:
    """Returns the arguments that ask for a request, quoted for a shell.

    Args:
      request: What.
      splits: Which splits.
      output_dir: Where data sets are built.
    """
    given: list[tuple[str, object]] = [("dataset", request.dataset), ("config", request.config)]
    given += [("revision", request.revision), ("data_dir", request.data_dir)]
    given.append(("data_files", _join_files(request.data_files)))
    if not request.takes_all_rows:
        given += [("subset", request.subset), ("seed", request.seed)]
    options = request.tokenizing
    if options is not None:
        given.append(("tokenizer_name", options.tokenizer_name))
        default = TokenizingOptions(options.tokenizer_name)
        for name in _TOKENIZING:
            value = getattr(options, name)
            if value != getattr(default, name):
                given.append((name, ",".join(value) if isinstance(value, tuple) else value))
    if os.fspath(output_dir) != "data":
        given.append(("output_dir", os.fspath(output_dir)))
    words = [f"--{name}={value}" for name, value in given if value is not None]
    return [shlex.quote(word) for word in [*words, *(["--splits", *splits] if splits else [])]]


def describe(outcome: Outcome) -> list[str]:
    """Returns what to print of a build.

    Args:
      outcome: Of the build.
    """
    built = outcome.built
    known = f"{built.dataset}, {built.config}"
    known += f", commit {built.commit}" if built.commit else ""
    did = f"wrote {outcome.num_new} split(s)" if outcome.num_new else "there already, as written"
    rows = [
        f"  {name}: {split.num_rows} rows"
        + (f" of {split.num_source_rows}" if split.num_rows != split.num_source_rows else "")
        for name, split in built.splits.items()
    ]
    size = f"  {built.size_bytes / 1e6:.1f} MB"
    note = [outcome.note] if outcome.note else []
    return [f"{built.directory}: {known}: {did}", *rows, size, *note]


def _join_files(files: DataFiles) -> str | None:
    if not files:
        return None
    if isinstance(files, Mapping):
        pairs = [
            (split, file)
            for split, given in files.items()
            for file in ([given] if isinstance(given, str) else given)
        ]
        return ",".join(f"{split}={file}" for split, file in pairs)
    return files if isinstance(files, str) else ",".join(files)
