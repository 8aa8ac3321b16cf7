"""Where outputs go: a directory, or a `.pt` file by way of a directory beside it.

A `.pt` file is made of a finished directory, `.NAME.outputs` beside it, which goes when the file is
there. While it is made both take room on the disk.
"""

from __future__ import annotations

import os
import pathlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from typing import Any, Union

from code_t5 import errors
from code_t5.teacher_outputs import plan as plans
from code_t5.teacher_outputs import pt_file, pt_sidecar, reader, writer
from code_t5.teacher_outputs.only_writer import resolve
from code_t5.teacher_outputs.plan import OutputsPlan

PathLike = Union[str, "os.PathLike[str]"]

_MAX_SEED = 1 << 63


class Destination:
    """The place of some outputs.

    Attributes:
      path: What the user asked for, links resolved.
      is_pt: Whether it is a `.pt` file.
      outputs_dir: The directory of the outputs: `path` itself, or that beside it.
    """

    def __init__(self, path: PathLike) -> None:
        """Touches nothing.

        Args:
          path: Ends in `.pt` for a file of torch's.

        Raises:
          InputError: Nothing can have that name.
        """
        self.path = resolve(path)
        self.is_pt = is_pt(path)
        self.outputs_dir = (
            self.path.with_name(f".{self.path.name}.outputs") if self.is_pt else self.path
        )

    def choose_seed(self, make_plan_fn: Callable[[int], OutputsPlan], *, overwrite: bool) -> int:
        """Returns a seed for who gave none: that of unfinished work of the same, or a new one.

        Args:
          make_plan_fn: Gives the plan of a seed.
          overwrite: Whether finished outputs are to be replaced.

        Raises:
          InputError: Outputs of another seed are there, finished.
        """
        new = secrets.randbelow(_MAX_SEED)
        wanted = make_plan_fn(new)
        for parts, num_samples in self._unfinished():
            seed = parts.get("seed")
            if type(seed) is int and 0 <= seed < _MAX_SEED and num_samples == wanted.num_samples:
                if parts == make_plan_fn(seed).parts:
                    return seed
        if not overwrite:
            for parts, num_samples in self._finished():
                if num_samples == wanted.num_samples and not plans.differences(
                    {**parts, "seed": new}, wanted.parts
                ):
                    raise errors.InputError(
                        f"{self.path} is finished, of seed {parts['seed']}; wanted a free place "
                        "for samples that are drawn anew; give another --output, --overwrite to "
                        f"replace it, or --seed {parts['seed']} to have these"
                    )
        return new

    def _unfinished(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yields parts and number of samples of what waits to be finished."""
        staged = writer.read_staged(self.outputs_dir)
        if staged is not None:
            yield staged.parts, staged.num_samples
        if self.is_pt and self.outputs_dir.is_dir():
            # Killed while the file was made of it, or before it was removed.
            try:
                outputs = reader.open_outputs(self.outputs_dir)
            except errors.CodeT5Error:
                return
            yield outputs.parts, len(outputs)

    def _finished(self) -> Iterator[tuple[dict[str, Any], int]]:
        try:
            if self.is_pt:
                info = pt_sidecar.read_info(self.path)
                yield info.fingerprint_parts, info.num_samples
            else:
                outputs = reader.open_outputs(self.path)
                yield outputs.parts, len(outputs)
        except errors.CodeT5Error:
            return

    def is_written(self, plan: OutputsPlan) -> bool:
        """Says whether a `.pt` file of a plan is there.

        Args:
          plan: What was to be written.
        """
        if not self.is_pt:
            return False
        found = list(self._finished())
        return found == [(plan.parts, plan.num_samples)]

    def check_free(self, *, overwrite: bool) -> None:
        """Looks, before hours of work, whether a `.pt` file can get its name.

        Args:
          overwrite: Whether another file of ours may be there.

        Raises:
          InputError: Something else is in the way.
        """
        if not self.is_pt or not os.path.lexists(self.path):
            return
        found, mend = "other outputs are", "give another --output, or --overwrite to replace it"
        has_sidecar = pt_sidecar.sidecar_path(self.path).is_file()
        if not self.path.is_file() or not has_sidecar:
            found = "a directory is" if self.path.is_dir() else "a file that is not ours is"
            mend = "give another --output, or remove it"
        elif overwrite:
            return
        else:
            try:
                num_samples = pt_sidecar.read_info(self.path).num_samples
                found = f"other outputs ({num_samples:,} samples) are"
            except errors.CodeT5Error:
                # Killed between sidecar and file.
                return
        raise errors.InputError(f"{found} in the way at {self.path}; wanted a free place; {mend}")

    def write_pt(
        self, outputs: reader.TeacherOutputs, *, order: tuple[str, ...], overwrite: bool
    ) -> None:
        """Makes the `.pt` file of finished outputs, if one is asked for.

        Args:
          outputs: All of them.
          order: Names of what is in a tuple.
          overwrite: Whether a file that is there is replaced.

        Raises:
          CodeT5Error: The disk is full, or a file is in the way.
        """
        if self.is_pt:
            pt_file.write_pt(outputs, path=self.path, order=order, overwrite=overwrite)

    def remove_outputs(self) -> None:
        """Removes the directory that a `.pt` file was made of."""
        if self.is_pt:
            shutil.rmtree(self.outputs_dir, ignore_errors=True)

    def size_bytes(self) -> int:
        """Returns how large what was written is."""
        if self.is_pt:
            return self.path.stat().st_size
        return sum(file.stat().st_size for file in pathlib.Path(self.path).iterdir())


def is_pt(path: PathLike) -> bool:
    """Says whether a name is that of a `.pt` file.

    >>> is_pt("cached_train.pt"), is_pt("cached_train")
    (True, False)
    """
    return os.fspath(path).endswith(".pt")
