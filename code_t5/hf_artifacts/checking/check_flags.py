"""The flags of `scripts/check_hf_cache.py`, and what they ask for."""

from __future__ import annotations

import functools

from absl import flags

from code_t5 import errors
from code_t5.hf_artifacts import cache_root
from code_t5.hf_artifacts.checking import load_target, loader_check, report, report_text

LIST_FLAGS = ("only", *loader_check.LIST_FLAGS)
# What says which artefacts of a whole root are checked, and how.
_OF_A_ROOT = ("only", "no_hash", "no_load", "plain", "run_metrics", "seconds")


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags; call it once, before they are parsed.

    Args:
      values: Gets them.
    """
    yes_or_no = functools.partial(flags.DEFINE_boolean, flag_values=values)
    flags.DEFINE_string(
        "cache_dir",
        None,
        "The cache; by default an existing HF_HOME, else ~/hf-cache.",
        flag_values=values,
    )
    yes_or_no("json", False, "Prints JSON.")
    yes_or_no("no_hash", False, "Reads no contents: looks at names and sizes alone.")
    yes_or_no("no_load", False, "Loads nothing.")
    flags.DEFINE_list("only", [], "Checks the artefacts of these names alone.", flag_values=values)
    yes_or_no("plain", False, "Every data set must load by `datasets` itself, too.")
    yes_or_no(
        "run_metrics",
        None,
        "Runs metrics' scripts, with no network; by default those that you fetched.",
    )
    flags.DEFINE_float(
        "seconds",
        load_target.DEFAULT_SECONDS,
        "The longest that loading one artefact may take.",
        lower_bound=1.0,
        flag_values=values,
    )
    loader_check.define_flags(values)


def read_root(values: flags.FlagValues = flags.FLAGS) -> cache_root.CacheRoot:
    """Returns the root that is checked.

    Args:
      values: The flags.

    Raises:
      InputError: No directory can be there.
    """
    return cache_root.root_of_flag(values["cache_dir"].value)


def read_flags(values: flags.FlagValues = flags.FLAGS) -> report.CheckConfig:
    """Returns what the flags ask for.

    Args:
      values: The flags.
    """
    return report.CheckConfig(
        is_hashing=not values["no_hash"].value,
        is_loading=not values["no_load"].value,
        names=tuple(values["only"].value),
        is_plain=values["plain"].value,
        run_metrics=values["run_metrics"].value,
        seconds=values["seconds"].value,
    )


def run(values: flags.FlagValues = flags.FLAGS) -> int:
    """Checks what the flags ask for, prints what was found, and returns the exit status.

    Args:
      values: The flags.

    Returns:
      0, or 1 if something is not good.

    Raises:
      InputError: The flags do not fit together.
      CodeT5Error: There is nothing to check.
    """
    if loader_check.is_asked(values):
        foreign = [name for name in _OF_A_ROOT if values[name].present]
        if foreign:
            raise errors.InputError(
                f"--{foreign[0]} was given with --dataset; wanted it where a whole cache is "
                "checked; leave one of them out"
            )
        return loader_check.run(values)
    found = report.check_root(read_root(values), read_flags(values))
    lines = [report_text.as_json(found)] if values["json"].value else report_text.describe(found)
    print("\n".join(lines))
    return 0 if found.is_good else 1
