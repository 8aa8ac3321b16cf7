"""Teachers by number and name, and the *settings* that users may give them.

Teachers that are opened in the same way are a *family*. To add one: write its module, name it in
`FAMILIES`. A setting becomes a flag of the programs; nothing heavy is imported to list them.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Callable

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
      make: `module:function`, called with the name, `settings=` (all of them, a mapping) and
        `device=`; returns the teacher.
      settings: What a user may choose.
      settle: `module:function`, called with name and settings (all of them) before processes
        start; returns settings that mean the same in all of them. None where they do anyway.
    """

    names: Mapping[int, str]
    make: str
    settings: tuple[Setting, ...] = ()
    settle: str | None = None


_OPEN_T5 = "code_t5.training.teachers.t5_opening:open_t5_teacher"
_SETTLE_T5 = "code_t5.training.teachers.t5_opening:settle_settings"
_T5_SETTINGS = (
    Setting(
        "model_dir",
        None,
        "T5: where the trainer has trained. By default models/TASK-SIZE in the data directory.",
        is_stored=False,
    ),
    Setting("hf_dir", None, "T5: a directory of Hugging Face, in its place.", is_stored=False),
    Setting(
        "step",
        None,
        "T5: of the checkpoint. By default the newest.",
        kind="integer",
        is_stored=False,
    ),
    Setting("data_dir", None, "T5: where data sets lie; see README.md.", is_stored=False),
    Setting(
        "task_cache_dir",
        None,
        "T5: where cache_tasks.py writes. By default task_caches in the data directory, where what "
        "is missing is written.",
        is_stored=False,
    ),
    Setting(
        "task", None, "T5: whose examples. By default the model's own, or dev_python_prefix_lm."
    ),
    Setting(
        "inputs_length",
        None,
        "T5: most tokens of inputs. By default as in training.",
        kind="integer",
    ),
    Setting(
        "targets_length",
        None,
        "T5: most tokens of targets. By default as in training.",
        kind="integer",
    ),
)
_TOKEN_SETTINGS = (
    *_T5_SETTINGS,
    Setting(
        "k",
        None,
        "T5: likeliest tokens that are kept. By default 32; for mass99 at most 64.",
        kind="integer",
    ),
    Setting("temperature", None, "T5: divides logits. By default 1.", kind="float"),
)

FAMILIES = (
    TeacherFamily(
        names={0: "waveform_0", 1: "waveform_1", 2: "waveform_2", 3: "waveform_3"},
        make="code_t5.training.teachers.waveform:open_waveform_teacher",
        settings=(Setting("dtype", "float32", "Of the signals.", choices=("float32", "float64")),),
    ),
    TeacherFamily(
        names={4: "t5_dev_top32", 7: "t5_small_top32"},
        make=_OPEN_T5,
        settings=_TOKEN_SETTINGS,
        settle=_SETTLE_T5,
    ),
    TeacherFamily(
        names={5: "t5_dev_mass99"},
        make=_OPEN_T5,
        settings=(
            *_TOKEN_SETTINGS,
            Setting("mass", None, "T5: probability to keep. By default 0.99.", kind="float"),
        ),
        settle=_SETTLE_T5,
    ),
    TeacherFamily(
        names={6: "t5_dev_nbest4"},
        make=_OPEN_T5,
        settings=(
            *_T5_SETTINGS,
            Setting(
                "num_beams",
                None,
                "T5: beams, and continuations. By default 4.",
                kind="integer",
            ),
        ),
        settle=_SETTLE_T5,
    ),
)


def _names() -> dict[int, str]:
    return {number: name for family in FAMILIES for number, name in sorted(family.names.items())}


def teacher_names() -> tuple[str, ...]:
    """Returns the names of all teachers, in the order of their numbers.

    >>> teacher_names()[:2]
    ('waveform_0', 'waveform_1')
    """
    return tuple(name for _, name in sorted(_names().items()))


def all_settings(families: Iterable[Any] | None = None) -> tuple[Setting, ...]:
    """Returns the settings of families; those that share a name are one.

    Args:
      families: Whatever has `settings`, such as those of students; None for those of teachers.
    """
    found: dict[str, Setting] = {}
    for family in FAMILIES if families is None else families:
        for setting in family.settings:
            found.setdefault(setting.name, setting)
    return tuple(found.values())


def resolve_name(name_or_number: str | int) -> str:
    """Returns the name of a teacher.

    Args:
      name_or_number: As the user gave it.

    Raises:
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
      CodeT5Error: There is no model of it.
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
    chosen = {key: given.get(key, setting.default) for key, setting in known.items()}
    if family.settle is not None:
        chosen = _find(family.settle)(name, chosen)
    return TeacherSpec(_make, (family.make, name, tuple(chosen.items())))


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
    teacher: Teacher = _find(make)(name, settings=dict(settings), device=device)
    return teacher


def _find(place: str) -> Callable[..., Any]:
    module, function = place.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
