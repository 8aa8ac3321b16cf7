"""Teachers by number and name, and the *settings* that users may give them.

Teachers that are opened in the same way are a *family*. To add one: write its module, name it in
`FAMILIES`, and take its numbers out of those that are kept. A setting becomes a flag of the
programs; nothing heavy is imported to list them.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.training.teachers.teacher import Teacher, TeacherSpec


@dataclasses.dataclass(frozen=True)
class Setting:
    """Something that a user may choose about a teacher.

    Attributes:
      name: Of the flag; of the option too, if it decides on the bytes.
      default: None for none.
      help: A sentence about it.
      kind: `string`, `integer`, `float` or `boolean`.
      choices: All that a string may be; empty if any will do.
      is_stored: Whether a cache says it, among its options. A path never is.
    """

    name: str
    default: Any
    help: str
    kind: str = "string"
    choices: tuple[str, ...] = ()
    is_stored: bool = True


@dataclasses.dataclass(frozen=True)
class TeacherFamily:
    """Teachers that are opened in the same way.

    Attributes:
      names: Name of each number.
      make: `module:function`, called with name, settings (all of them) and device; returns the
        teacher.
      settings: What a user may choose.
    """

    names: Mapping[int, str]
    make: str
    settings: tuple[Setting, ...] = ()


FAMILIES = (
    TeacherFamily(
        names={0: "waveform_0", 1: "waveform_1", 2: "waveform_2", 3: "waveform_3"},
        make="code_t5.training.teachers.waveform:open_waveform_teacher",
        settings=(Setting("dtype", "float32", "Of the signals.", choices=("float32", "float64")),),
    ),
)
# Numbers that are kept for T5 teachers, which are not there yet.
_RESERVED = (4, 5, 6, 7)


def _names() -> dict[int, str]:
    return {number: name for family in FAMILIES for number, name in sorted(family.names.items())}


def teacher_names() -> tuple[str, ...]:
    """Returns the names of all teachers, in the order of their numbers.

    >>> teacher_names()[:2]
    ('waveform_0', 'waveform_1')
    """
    return tuple(name for _, name in sorted(_names().items()))


def all_settings() -> tuple[Setting, ...]:
    """Returns the settings of all families; those that share a name are one."""
    found: dict[str, Setting] = {}
    for family in FAMILIES:
        for setting in family.settings:
            found.setdefault(setting.name, setting)
    return tuple(found.values())


def resolve_name(name_or_number: str | int) -> str:
    """Returns the name of a teacher.

    Args:
      name_or_number: As the user gave it.

    Raises:
      NotBuiltError: It is a number or name that is kept for a teacher that is not there yet.
      InputError: There is no such teacher.

    >>> resolve_name("2")
    'waveform_2'
    """
    names, text = _names(), str(name_or_number).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None
    if number in names:
        return names[number]
    if text in names.values():
        return text
    known = ", ".join(f"{number} {name}" for number, name in sorted(names.items()))
    shown = ascii(text[:40])
    if number in _RESERVED or (_RESERVED and text.startswith("t5_")):
        raise errors.NotBuiltError(
            f"the teacher {shown} is not there yet: numbers {_RESERVED[0]} to {_RESERVED[-1]} are "
            f"kept for T5 teachers; wanted one of {known}; give one of these"
        )
    raise errors.InputError(
        f"there is no teacher {shown}; wanted a number or name of {known}; give one of these"
    )


def family_of(name_or_number: str | int) -> TeacherFamily:
    """Returns the family of a teacher.

    Args:
      name_or_number: As the user gave it.

    Raises:
      CodeT5Error: There is no such teacher.
    """
    name = resolve_name(name_or_number)
    return next(family for family in FAMILIES if name in family.names.values())


def teacher_spec(
    name_or_number: str | int, settings: Mapping[str, Any] | None = None
) -> TeacherSpec:
    """Returns how a teacher is made, on any device and in any process.

    Args:
      name_or_number: As the user gave it.
      settings: Those that are not to be the default; None among them counts as not given.

    Raises:
      InputError: There is no such teacher, or it does not take a setting.
      NotBuiltError: It is not there yet.
    """
    family, name = family_of(name_or_number), resolve_name(name_or_number)
    given = {key: value for key, value in (settings or {}).items() if value is not None}
    known = {setting.name: setting for setting in family.settings}
    for key, value in given.items():
        if key not in known:
            raise errors.InputError(
                f"the teacher {name} does not take --{key}; wanted any of "
                f"{', '.join('--' + other for other in known) or 'no settings'}; leave it out"
            )
        choices = known[key].choices
        if choices and value not in choices:
            raise errors.InputError(
                f"the {key} is {str(value)[:40]!a}; wanted {' or '.join(choices)}; give one of "
                "these"
            )
    chosen = tuple((key, given.get(key, setting.default)) for key, setting in known.items())
    return TeacherSpec(_make, (family.make, name, chosen))


def open_teacher(
    name_or_number: str | int,
    *,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Teacher:
    """Returns a teacher.

    Args:
      name_or_number: As the user gave it.
      settings: As of `teacher_spec`.
      device: Of torch.

    Raises:
      CodeT5Error: There is no such teacher, or a setting does not do.
    """
    return teacher_spec(name_or_number, settings).make(device)


def _make(make: str, name: str, settings: tuple[tuple[str, Any], ...], device: str) -> Teacher:
    module, function = make.split(":")
    teacher: Teacher = getattr(importlib.import_module(module), function)(
        name, dict(settings), device
    )
    return teacher
