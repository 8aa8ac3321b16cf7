"""The flags of `scripts/train_student.py`, and what they ask for."""

from __future__ import annotations

import functools
import pathlib
from typing import Any

from absl import flags

from code_t5 import errors
from code_t5.training.students import registry, student_training
from code_t5.training.students.student_training import StudentTrainingConfig
from code_t5.training.teachers import generate_flags, generating
from code_t5.training.teachers import registry as teacher_registry

_CACHED = ("cached_train_path", "cached_val_path")


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags; call it once, before they are parsed.

    Args:
      values: Gets them.
    """
    string = functools.partial(flags.DEFINE_string, flag_values=values)
    number = functools.partial(flags.DEFINE_integer, flag_values=values)
    decimal = functools.partial(flags.DEFINE_float, flag_values=values)
    yes_or_no = functools.partial(flags.DEFINE_boolean, default=False, flag_values=values)
    known = ", ".join(name for family in registry.FAMILIES for name in family.teachers)
    string("config", None, f"The teacher: its number, or {known}.")
    yes_or_no("use_cached_data", help="Learns from what the teacher said before; else it is asked.")
    string("cached_train_path", None, "Of the training samples: a .pt file or a directory.")
    string("cached_val_path", None, "Of the validation samples: a .pt file or a directory.")
    string("output_dir", None, "Gets everything; by default students/NAME_OF_THE_TEACHER.")
    number("epochs", student_training.DEFAULT_EPOCHS, "Passes over the training samples.")
    number("batch_size", student_training.DEFAULT_BATCH_SIZE, "Samples of a batch.")
    decimal("learning_rate", None, "By default what suits the student.")
    number("seed", 0, "Decides on the first weights and on the order of the samples.")
    number("num_workers", 1, "Processes that read a cache ahead; 0 for none.", lower_bound=0)
    string("device", "auto", "auto, cpu, cuda or cuda:1.")
    decimal("checkpoint_seconds", 60.0, "Between checkpoints; one more after each epoch.")
    default = student_training.DEFAULT_NUM_SAMPLES
    number(
        "num_samples", None, f"Training samples, the first; by default all, or {default:,} live."
    )
    number("num_val_samples", None, "Validation samples, the first; by default all.")
    yes_or_no("wandb", help="Logs to Weights & Biases too, if it is installed.")
    generate_flags.define_settings(values)
    generate_flags.define_settings(values, settings=registry.all_settings())


def run(values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """Does what the flags ask for.

    Args:
      values: The flags.

    Returns:
      Lines that say what there is.

    Raises:
      CodeT5Error: See `student_training.train`.
      KeyboardInterrupt: Ctrl-C was pressed; the last step is kept.
    """
    config = read_config(values)
    history = student_training.train(config)
    return [
        *map(str, history),
        f"{config.output_dir / 'student'}: the student after its last epoch",
    ]


def read_config(values: flags.FlagValues = flags.FLAGS) -> StudentTrainingConfig:
    """Returns what is to be trained.

    Args:
      values: The flags.

    Raises:
      InputError: The flags do not fit together, or there is no such teacher or device.
      NotBuiltError: The teacher is not there yet.
    """
    given = values.flag_values_dict()
    generate_flags.check_teacher_given(given["config"])
    _check_source(given)
    rate = given["learning_rate"]
    if rate is not None and not 0 < rate < float("inf"):
        raise errors.InputError(
            f"--learning_rate is {rate}; wanted a number above 0; give one, as 0.001"
        )
    name = teacher_registry.resolve_name(given["config"])
    paths = {key: given[key] for key in (_CACHED if given["use_cached_data"] else ())}
    same = ("num_samples", "num_val_samples", "epochs", "batch_size", "seed", "num_workers")
    return StudentTrainingConfig(
        teacher=name,
        output_dir=pathlib.Path(given["output_dir"] or f"students/{name}"),
        teacher_settings=generate_flags.read_settings(values),
        student_settings=generate_flags.read_settings(values, settings=registry.all_settings()),
        learning_rate=rate,
        device=generating.find_devices(given["device"])[0],
        checkpoint_seconds=given["checkpoint_seconds"],
        wandb=given["wandb"],
        **paths,
        **{key: given[key] for key in same},
    )


def _check_source(given: dict[str, Any]) -> None:
    """Looks whether it is clear where samples come from.

    Raises:
      InputError: It is not.
    """
    is_cached = given["use_cached_data"]
    for name in () if is_cached else _CACHED:
        if given[name] is not None:
            raise errors.InputError(
                f"--{name} was given without --use_cached_data; wanted both, or neither to ask the "
                "live teacher; add that, or leave it out"
            )
    for name in _CACHED if is_cached else ():
        if given[name] is None:
            raise errors.InputError(
                f"--use_cached_data was given without --{name}; wanted a .pt file or a directory "
                "that scripts/generate_cached_dataset.py wrote; give it"
            )
