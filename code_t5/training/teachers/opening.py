"""Opens what a teacher said, from a directory or a `.pt` file, for those who want that teacher."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.teacher_outputs import plan as plans
from code_t5.teacher_outputs import pt_file, pt_sidecar, reader
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.training.teachers import teacher as teachers
from code_t5.training.teachers.destination import is_pt
from code_t5.training.teachers.teacher import Teacher

PathLike = Union[str, "os.PathLike[str]"]


def how_to_mend(path: PathLike, *, name: str | None = None, split: str = teachers.TRAIN) -> str:
    """Says how outputs that cannot be used are made again.

    Args:
      path: Where they are.
      name: Of the teacher that is wanted, if it is known.
      split: `train` or `validation`.

    >>> how_to_mend("cached", name="waveform_0").partition(": ")[2]
    'python scripts/generate_cached_dataset.py --config waveform_0 --output cached --overwrite'
    """
    flags = " --validation" if split == teachers.VALIDATION else ""
    return (
        "generate them again with: python scripts/generate_cached_dataset.py --config "
        f"{name or 'NAME'}{flags} --output {ascii(os.fspath(path))[1:-1]} --overwrite"
    )


class CachedSamples:
    """What a teacher said about samples, however it is stored.

    Attributes:
      path: Where it is.
      parts: Everything that decided on it, by the names of `plan.PART_NAMES`.
      schema: What a sample is made of.
    """

    def __init__(self, path: PathLike, *, mend: str | None = None) -> None:
        """Opens it; little is read.

        Args:
          path: A directory, or a file that ends in `.pt`.
          mend: What to do if it cannot be used; None for `how_to_mend`.

        Raises:
          NotBuiltError: There is none.
          ArtifactError: It is half-written, damaged or of another version.
        """
        self.path = path
        self._mend = mend = how_to_mend(path) if mend is None else mend
        self._order: tuple[str, ...] = ()
        self._samples: Any
        if is_pt(path):
            info = pt_sidecar.read_info(path, mend=mend)
            self.parts, self._order = info.fingerprint_parts, info.order
            self._samples = pt_file.open_pt(path, mend=mend)
            self.schema = self._read_schema()
        else:
            self._samples = reader.open_outputs(path, mend=mend)
            self.parts, self.schema = self._samples.parts, self._samples.schema

    def _read_schema(self) -> OutputSchema:
        try:
            return OutputSchema.from_json(self.parts.get("schema"))
        except errors.InputError as error:
            raise errors.ArtifactError(
                f"{self.path} has no usable schema ({error}); wanted teacher outputs; {self._mend}"
            ) from None

    def __len__(self) -> int:
        """Returns how many samples there are."""
        return len(self._samples)

    def read(self, numbers: Sequence[int], fields: Sequence[str] | None = None) -> dict[str, Any]:
        """Copies some samples.

        Args:
          numbers: Of the samples.
          fields: Names of those that are wanted; None for all.

        Returns:
          A column for each field.

        Raises:
          InputError: There is no such field.
          ArtifactError: A tensor is not as the schema says.
        """
        names = self.schema.select(fields)
        if not self._order:
            found: dict[str, Any] = self._samples.read(list(numbers), fields=names)
            return found
        return {name: self._column(self.schema.field(name), numbers) for name in names}

    def _column(self, field: ArrayField, numbers: Sequence[int]) -> Any:
        """Returns what tensors of a file hold of a field.

        Raises:
          ArtifactError: They are not as the schema says.
        """
        try:
            place = self._order.index(field.name)
            rows = [self._samples[number][place].numpy() for number in numbers]
            arrays = [row.astype(field.numpy_dtype) for row in rows]
            if field.is_ragged:
                offsets = ragged.offsets_of(np.array([len(array) for array in arrays]))
                return ragged.Ragged(np.concatenate(arrays), offsets)
            return np.stack([array.reshape(field.row_shape) for array in arrays])
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise errors.ArtifactError(
                f"{self.path} lacks {field.name} as its sidecar says it ({error}); wanted teacher "
                f"outputs; {self._mend}"
            ) from error

    def check_parts(self, expected: Mapping[str, Any]) -> None:
        """Looks whether these are the outputs that are wanted.

        Args:
          expected: Parts that must be as given.

        Raises:
          ArtifactError: A part differs; each is named.
        """
        reader.check_parts(self.parts, expected=expected, path=self.path, mend=self._mend)

    def check_teacher(self, teacher: Teacher, *, split: str) -> None:
        """Looks whether a teacher said this.

        Args:
          teacher: Which.
          split: `train` or `validation`.

        Raises:
          ArtifactError: Another did, or it was asked something else; each difference is named.
        """
        options = self.parts.get("options")
        size = options.get(teachers.BATCH_SIZE) if isinstance(options, dict) else None
        parts = teachers.expected_parts(teacher, split=split, batch_size=size)
        self.check_parts(plans.as_json(parts))

    def check_name(self, name: str, *, split: str) -> None:
        """Looks whether a teacher of this name said this, without asking for the teacher.

        Args:
          name: Its name.
          split: `train` or `validation`.

        Raises:
          ArtifactError: It is of another teacher or split.
        """
        for part, key, wanted in (("teacher", "name", name), ("data", "split", split)):
            said = self.parts.get(part)
            found = said.get(key) if isinstance(said, dict) else None
            if found != wanted:
                raise errors.ArtifactError(
                    f"{self.path} is not what was wanted: {part}.{key} is {str(found)[:40]!a}, "
                    f"wanted {wanted!r}; {self._mend}"
                )

    def verify(self) -> None:
        """Reads all of it and compares checksums.

        Raises:
          ArtifactError: It is not what was written.
        """
        if self._order:
            pt_file.verify_pt(self.path, mend=self._mend)
        else:
            self._samples.verify()


def open_cache(
    path: PathLike, *, split: str, teacher: Teacher | None = None, name: str | None = None
) -> CachedSamples:
    """Opens what a teacher said, and refuses what another said.

    Args:
      path: A directory, or a file that ends in `.pt`.
      split: `train` or `validation`.
      teacher: Whose outputs they must be, everything but the seed.
      name: The same without the teacher, whose weights may lie elsewhere: its name alone.

    Returns:
      The samples.

    Raises:
      NotBuiltError: There are none.
      ArtifactError: They are damaged, or of another teacher, sample rate, duration, range, ...;
        each that differs is named.
    """
    known = teacher.name if teacher is not None else name
    samples = CachedSamples(path, mend=how_to_mend(path, name=known, split=split))
    if teacher is not None:
        samples.check_teacher(teacher, split=split)
    elif name is not None:
        samples.check_name(name, split=split)
    return samples
