"""Teachers by number and name.

Numbers 0 to 3 are the waveform teachers. 4 to 7 are kept for T5 teachers, which are not there yet.
"""

from __future__ import annotations

from code_t5 import errors
from code_t5.training.teachers.teacher import Teacher, TeacherSpec

# Name of each number; a number without one is kept free.
_NAMES = {0: "waveform_0", 1: "waveform_1", 2: "waveform_2", 3: "waveform_3"}
_RESERVED = (4, 5, 6, 7)


def teacher_names() -> tuple[str, ...]:
    """Returns the names of all teachers, in the order of their numbers.

    >>> teacher_names()[:2]
    ('waveform_0', 'waveform_1')
    """
    return tuple(_NAMES[number] for number in sorted(_NAMES))


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
    text = str(name_or_number).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None
    if number in _NAMES:
        return _NAMES[number]
    if text in _NAMES.values():
        return text
    known = ", ".join(f"{number} {name}" for number, name in sorted(_NAMES.items()))
    if number in _RESERVED or text.startswith("t5_"):
        raise errors.NotBuiltError(
            f"the teacher {text[:40]!a} is not there yet: numbers {_RESERVED[0]} to "
            f"{_RESERVED[-1]} are kept for T5 teachers; wanted one of {known}; give one of these"
        )
    raise errors.InputError(
        f"there is no teacher {text[:40]!a}; wanted a number or name of {known}; give one of these"
    )


def open_teacher(name: str, *, dtype: str = "float32", device: str = "cpu") -> Teacher:
    """Returns a teacher.

    Args:
      name: Of `teacher_names`.
      dtype: Of what floating-point fields hold: `float32` or `float64`.
      device: Of torch.

    Raises:
      CodeT5Error: There is no such teacher, or it does not know this dtype.
    """
    from code_t5.training.teachers import waveform

    found = resolve_name(name)
    config = next(config for config in waveform.CONFIGS if config.name == found)
    return waveform.WaveformTeacher(config, dtype=dtype, device=device)


def teacher_spec(name: str | int, *, dtype: str = "float32") -> TeacherSpec:
    """Returns how a teacher is made, on any device and in any process.

    Args:
      name: Number or name.
      dtype: As of `open_teacher`.

    Raises:
      CodeT5Error: There is no such teacher.
    """
    return TeacherSpec(_open, (resolve_name(name), dtype))


def _open(name: str, dtype: str, device: str) -> Teacher:
    return open_teacher(name, dtype=dtype, device=device)
