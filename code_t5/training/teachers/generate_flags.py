"""The flags of `scripts/generate_cached_dataset.py`, and what they ask for."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Callable

from absl import flags

from code_t5 import errors
from code_t5.training.teachers import estimate, generating, registry, verifying
from code_t5.training.teachers.generating import GenerationConfig
from code_t5.training.teachers.registry import Setting
from code_t5.training.teachers.teacher import TRAIN, VALIDATION

_DEFINE_FNS: dict[str, Callable[..., Any]] = {
    "string": flags.DEFINE_string,
    "integer": flags.DEFINE_integer,
    "float": flags.DEFINE_float,
    "boolean": flags.DEFINE_boolean,
}
# What says nothing to a cache that is there already.
_NOT_TO_VERIFY = ("num_samples", "validation", "seed", "overwrite", "num_workers")


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags; call it once, before they are parsed.

    Args:
      values: Gets them.
    """
    string = functools.partial(flags.DEFINE_string, flag_values=values)
    number = functools.partial(flags.DEFINE_integer, flag_values=values)
    yes_or_no = functools.partial(flags.DEFINE_boolean, default=False, flag_values=values)
    known = ", ".join(registry.teacher_names())
    string("config", None, f"The teacher: its number, or {known}.")
    number("num_samples", None, "How many training samples.")
    yes_or_no("validation", help="The validation samples, which are the same every time.")
    string("output", None, "Where they go: NAME.pt for a file of torch's, else a directory.")
    number("batch_size", generating.DEFAULT_BATCH_SIZE, "Samples that are asked about at once.")
    number("seed", None, "Draws the training samples; without it they differ each time.")
    string("device", "auto", "auto, cpu, cuda, or several with commas: cuda:0,cuda:1.")
    number("num_workers", 0, "Processes; 0 for one per GPU, or one per processor.", lower_bound=0)
    yes_or_no("overwrite", help="Replaces other outputs that are there.")
    yes_or_no("estimate", help="Writes nothing: says bytes and time from a probe.")
    yes_or_no("verify", help="Writes nothing: checks --output, and asks the teacher again.")
    number("num_asked", verifying.DEFAULT_NUM_ASKED, "For --verify: samples to ask about again.")
    define_settings(values)


def define_settings(
    values: flags.FlagValues = flags.FLAGS, *, settings: Sequence[Setting] | None = None
) -> None:
    """Defines a flag for each setting; None stands for one that was not given.

    Args:
      values: Gets them.
      settings: None for those of the teachers.
    """
    for setting in registry.all_settings() if settings is None else settings:
        choices = f", of {' or '.join(setting.choices)}" if setting.choices else ""
        default = "" if setting.default is None else f" By default {setting.default}{choices}."
        define_fn = _DEFINE_FNS[setting.kind]
        define_fn(setting.name, None, setting.help + default, flag_values=values)


def read_settings(
    values: flags.FlagValues = flags.FLAGS, *, settings: Sequence[Setting] | None = None
) -> dict[str, Any]:
    """Returns the settings that were given.

    Args:
      values: The flags.
      settings: None for those of the teachers.
    """
    wanted = registry.all_settings() if settings is None else settings
    found = {setting.name: values[setting.name].value for setting in wanted}
    return {name: value for name, value in found.items() if value is not None}


def run(values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """Does what the flags ask for.

    Args:
      values: The flags.

    Returns:
      Lines that say what there is.

    Raises:
      InputError: The flags do not fit together.
      CodeT5Error: See `generating.generate` and `verifying.verify`.
    """
    if values["output"].value is None:
        raise errors.InputError(
            "no output was given; wanted --output NAME.pt or --output DIRECTORY; give one"
        )
    if values["estimate"].value and values["verify"].value:
        raise errors.InputError("--estimate was given with --verify; wanted one of them; choose")
    if values["verify"].value:
        return _verify(values)
    config, output = read_config(values), str(values["output"].value)
    if values["estimate"].value:
        return estimate.describe(estimate.estimate(config, output=output))
    found = generating.generate(config, output=output)
    plan = found.plan
    seed = "" if config.split == VALIDATION else f", seed {plan.seed}"
    return [
        f"{found.path}: {plan.num_samples:,} {config.split} samples of "
        f"{plan.parts['teacher']['name']}{seed}, {found.size_bytes / 1e6:,.1f} MB "
        f"({found.num_generated:,} generated now)"
    ]


def check_teacher_given(config: str | None) -> None:
    """Looks whether `--config` was given.

    Args:
      config: The flag's value.

    Raises:
      InputError: It was not.
    """
    if config is None:
        raise errors.InputError(
            "no teacher was given; wanted --config with its number or name, as --config 0; give one"
        )


def read_config(values: flags.FlagValues = flags.FLAGS) -> GenerationConfig:
    """Returns what is to be generated.

    Args:
      values: The flags.

    Raises:
      InputError: The flags do not fit together, or there is no such teacher or device.
      NotBuiltError: The teacher is not there yet.
    """
    given = values.flag_values_dict()
    check_teacher_given(given["config"])
    _check_at_least(values, "batch_size", 1)
    _check_at_least(values, "num_samples", 1)
    _check_at_least(values, "seed", 0)
    return GenerationConfig(
        spec=registry.teacher_spec(given["config"], read_settings(values)),
        num_samples=given["num_samples"],
        split=VALIDATION if given["validation"] else TRAIN,
        seed=given["seed"],
        batch_size=given["batch_size"],
        devices=generating.find_devices(given["device"]),
        num_workers=given["num_workers"],
        overwrite=given["overwrite"],
    )


def _check_at_least(values: flags.FlagValues, name: str, at_least: int) -> None:
    """Looks at a number.

    Raises:
      InputError: It is too small.
    """
    number = values[name].value
    if number is not None and not at_least <= number < 1 << 63:
        raise errors.InputError(
            f"--{name} is {number}; wanted a whole number of {at_least} or more; give one"
        )


def _verify(values: flags.FlagValues) -> list[str]:
    """Checks a cache.

    Raises:
      InputError: Flags are given that say nothing to it.
    """
    for name in _NOT_TO_VERIFY:
        if values[name].present:
            raise errors.InputError(
                f"--{name} was given with --verify, which takes what there is; wanted --output "
                f"and perhaps --config; leave --{name} out"
            )
    _check_at_least(values, "num_asked", 1)
    _check_at_least(values, "batch_size", 1)
    return verifying.verify(
        values["output"].value,
        name=values["config"].value,
        settings=read_settings(values),
        device=generating.find_devices(values["device"].value)[0],
        num_asked=values["num_asked"].value,
        batch_size=values["batch_size"].value,
    )
