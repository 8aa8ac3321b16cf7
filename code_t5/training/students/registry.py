"""Which student learns from which teacher, and the *settings* that users may give it.

A setting becomes a flag of `scripts/train_student.py`, beside those of the teachers, so it must not
have the name of one. Nothing heavy is imported to list them.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.training.students.student import Student
from code_t5.training.teachers import registry as teacher_registry
from code_t5.training.teachers.registry import Setting


@dataclasses.dataclass(frozen=True)
class StudentFamily:
    """Students that are made in the same way.

    Attributes:
      teachers: Names of the teachers that they learn from.
      make: `module:function`, called with the parts of the teacher's outputs and the settings (all
        of them); returns the student. Its weights are drawn with torch's generator, on the CPU.
      settings: What a user may choose.
      teacher_paths: Settings of the teacher that say where its weights are. Without any of them the
        teacher is not opened to check a cache: its name is compared alone.
      teacher_settings: Settings of the teacher that the student is told as well.
    """

    teachers: tuple[str, ...]
    make: str
    settings: tuple[Setting, ...] = ()
    teacher_paths: tuple[str, ...] = ()
    teacher_settings: tuple[str, ...] = ()


FAMILIES: tuple[StudentFamily, ...] = (
    StudentFamily(
        teachers=("waveform_0", "waveform_1", "waveform_2", "waveform_3"),
        make="code_t5.training.students.waveform:open_waveform_student",
    ),
    StudentFamily(
        teachers=("t5_dev_top32", "t5_dev_mass99", "t5_dev_nbest4", "t5_small_top32"),
        make="code_t5.training.students.t5_student:open_t5_student",
        settings=(
            Setting("student_size", "tiny", "Of a T5.", choices=("nano", "tiny", "dev", "small")),
            Setting("alpha", 0.5, "Share of cross-entropy; the rest is divergence.", kind="float"),
            Setting(
                "kl_temperature",
                None,
                "Divides logits for the divergence; by default as they were stored.",
                kind="float",
            ),
            Setting(
                "missing_mass",
                "spread",
                "What the student is told of tokens that were not kept.",
                choices=("spread", "one_bucket", "left_out"),
            ),
            Setting("vocabulary_dir", None, "The teacher's vocabulary, if it is not found."),
        ),
        teacher_paths=("model_dir", "hf_dir"),
        teacher_settings=("data_dir", "hf_dir"),
    ),
)


def all_settings() -> tuple[Setting, ...]:
    """Returns the settings of all families; those that share a name are one."""
    return teacher_registry.all_settings(FAMILIES)


def family_of(name_or_number: str | int) -> StudentFamily:
    """Returns the family of the students of a teacher.

    Args:
      name_or_number: Of the teacher, as the user gave it.

    Raises:
      InputError: There is no such teacher, or no student for it.

    >>> family_of(0).make
    'code_t5.training.students.waveform:open_waveform_student'
    """
    name = teacher_registry.resolve_name(name_or_number)
    for family in FAMILIES:
        if name in family.teachers:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.teachers)
    raise errors.InputError(
        f"no student learns from the teacher {name}; wanted one of {known}; give --config with one"
    )


def open_student(
    name_or_number: str | int,
    *,
    parts: Mapping[str, Any],
    settings: Mapping[str, Any],
    teacher_settings: Mapping[str, Any] | None = None,
) -> Student:
    """Returns a student with drawn weights.

    Args:
      name_or_number: Of the teacher, as the user gave it.
      parts: Of the teacher's outputs.
      settings: Those that are not to be the default; None among them counts as not given.
      teacher_settings: Of the teacher, as far as they were given.

    Raises:
      InputError: There is no student for this teacher, or it does not take a setting.
    """
    family = family_of(name_or_number)
    known = {setting.name: setting for setting in family.settings}
    given = {key: value for key, value in settings.items() if value is not None}
    for key, value in given.items():
        if key not in known:
            raise errors.InputError(
                f"students of {teacher_registry.resolve_name(name_or_number)} do not take --{key}; "
                f"wanted any of {', '.join('--' + name for name in known) or 'no settings'}; leave "
                "it out"
            )
        choices = known[key].choices
        if choices and value not in choices:
            raise errors.InputError(
                f"--{key} is {str(value)[:40]!a}; wanted {' or '.join(choices)}; give one of these"
            )
    chosen = {key: given.get(key, setting.default) for key, setting in known.items()}
    chosen.update({key: (teacher_settings or {}).get(key) for key in family.teacher_settings})
    module, function = family.make.split(":")
    student: Student = getattr(importlib.import_module(module), function)(parts, chosen)
    return student
