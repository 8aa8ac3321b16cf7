"""Writes teacher outputs shard by shard; they appear all at once, when all are there.

    with OutputsWriter("cached_train", plan=plan) as writer:
        for index in writer.missing_shards():
            writer.write_shard(index, [teacher(number) for number in plan.samples_of(index)])
        outputs = writer.publish()

Each shard is kept as soon as it is written: whoever is stopped, by Ctrl-C, a full disk or a kill,
goes on with what is missing, and gets the bytes of a run that was never stopped.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any, Union

from code_t5 import errors
from code_t5.storage import atomic, manifest
from code_t5.teacher_outputs import columns, plan, reader, shard_file, staging
from code_t5.teacher_outputs.only_writer import clear_disk_errors, only_writer, resolve
from code_t5.teacher_outputs.plan import OutputsPlan

PathLike = Union[str, "os.PathLike[str]"]

_SHARD_NAME = re.compile(r"shard-[0-9]{5}\.safetensors")
_MAX_SHOWN = 5


class OutputsWriter:
    """Writes the outputs of one plan; a context manager that no other process can enter meanwhile.

    Attributes:
      path: Where the outputs will be, links resolved.
      plan: What is written.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        plan: OutputsPlan,
        overwrite: bool = False,
        discard_unfinished: bool = False,
    ) -> None:
        """Touches nothing yet.

        Args:
          path: A directory that is made.
          plan: What to write.
          overwrite: Whether outputs of another plan that are there are replaced in the end.
          discard_unfinished: Whether the unfinished work for another plan is thrown away.

        Raises:
          InputError: No directory can have that name.
        """
        self.path = resolve(path)
        self.plan = plan
        self._overwrite = overwrite
        self._discard_unfinished = discard_unfinished
        self._stack: contextlib.ExitStack | None = None
        self._staging = staging.Staging(self.path, plan)
        self._is_published = False

    def __enter__(self) -> OutputsWriter:
        """Takes the lock, and what an interrupted run left.

        Returns:
          The writer.

        Raises:
          BusyError: Another process writes the same outputs.
          InputError: Other outputs or other files are there, or unfinished work for another plan.
          CodeT5Error: The disk is full.
        """
        with clear_disk_errors(self.path), contextlib.ExitStack() as stack:
            stack.enter_context(only_writer(self.path))
            self._is_published = self._is_present()
            if self._is_published:
                # Killed after it was published.
                self._staging.remove()
            else:
                self._staging.begin(discard=self._discard_unfinished)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        """Keeps what was written and not published, and frees the lock."""
        if self._stack is None:
            return
        stack, self._stack = self._stack, None
        with stack:
            if not self._is_published and not self._staging.done:
                self._staging.remove()

    def _is_present(self) -> bool:
        """Says whether what is to be written is there already.

        Raises:
          InputError: Something else is.
        """
        if not os.path.lexists(self.path):
            return False
        _check_replaceable(self.path)
        if not any(self.path.iterdir()):
            return False
        about = "they are damaged or of another version"
        with contextlib.suppress(errors.ArtifactError, errors.NotBuiltError):
            found, wanted = reader.open_outputs(self.path), self.plan
            about = plan.differences(found.parts, wanted.parts)
            if not about and len(found) == wanted.num_samples:
                return True
            about = about or f"num_samples is {len(found)}, wanted {wanted.num_samples}"
        if self._overwrite:
            return False
        raise errors.InputError(
            f"other outputs are at {self.path}: {about}; wanted a free place; give another, or "
            "have them overwritten"
        )

    def _begun(self) -> None:
        """Looks whether the lock is held.

        Raises:
          RuntimeError: It is not.
        """
        if self._stack is None:
            raise RuntimeError("the writer must be entered: with OutputsWriter(...) as writer")

    def missing_shards(self) -> list[int]:
        """Returns the shards that are still to be written, in order."""
        if self._is_published:
            return []
        return [index for index in range(self.plan.num_shards) if index not in self._staging.done]

    @property
    def num_samples_done(self) -> int:
        """How many samples are there."""
        missing = sum(len(self.plan.samples_of(index)) for index in self.missing_shards())
        return self.plan.num_samples - missing

    def write_shard(self, index: int, samples: Iterable[columns.Sample]) -> None:
        """Writes one shard; shards may come in any order.

        Args:
          index: Of the shard, from 0.
          samples: Those that `plan.samples_of(index)` numbers, in order; walked once.

        Raises:
          InputError: There is no such shard, or the samples are too few, too many or not as the
            schema says; nothing is written.
          CodeT5Error: The disk is full.
        """
        num_samples = len(self.plan.samples_of(index))
        self._write(
            index, columns.collect(samples, schema=self.plan.schema, num_samples=num_samples)
        )

    def write_columns(self, index: int, arrays: Mapping[str, Any]) -> None:
        """Writes one shard whose samples are columns already.

        Args:
          index: Of the shard, from 0.
          arrays: For each field `[num_samples, ...]`, or `Ragged`.

        Raises:
          InputError: See `write_shard`.
          CodeT5Error: The disk is full.
        """
        num_samples = len(self.plan.samples_of(index))
        self._write(
            index, columns.check_columns(arrays, schema=self.plan.schema, num_samples=num_samples)
        )

    def _write(self, index: int, found: Mapping[str, Any]) -> None:
        """Writes columns.

        Raises:
          InputError: Everything is there already.
        """
        self._begun()
        if self._is_published:
            raise errors.InputError(
                f"{self.path} is finished already; wanted shards that are missing; leave it"
            )
        with clear_disk_errors(self.path):
            self._staging.forget(index)
            written = shard_file.write_shard(
                self._staging.shard_path(index),
                columns=found,
                schema=self.plan.schema,
                fingerprint=self.plan.fingerprint,
                index=index,
            )
            self._staging.note(index, written)

    def publish(self) -> reader.TeacherOutputs:
        """Gives the outputs their name, in one step.

        Returns:
          The outputs, open.

        Raises:
          InputError: Shards are missing.
          CodeT5Error: The disk is full.
        """
        self._begun()
        missing = self.missing_shards()
        if missing:
            shown = ", ".join(map(str, missing[:_MAX_SHOWN]))
            more = f" and {len(missing) - _MAX_SHOWN} more" if len(missing) > _MAX_SHOWN else ""
            raise errors.InputError(
                f"{self.path} lacks the shards {shown}{more}; wanted all {self.plan.num_shards}; "
                "write them first"
            )
        if not self._is_published:
            with clear_disk_errors(self.path):
                manifest.write_manifest(self._staging.outputs_dir, self._fields())
                if os.path.lexists(self.path):
                    # Nothing but what may be replaced, however long the shards took.
                    _check_replaceable(self.path)
                atomic.publish_directory(self._staging.outputs_dir, self.path)
                self._is_published = True
                self._staging.remove()
        return reader.open_outputs(self.path, expected=self.plan.parts)

    def _fields(self) -> dict[str, Any]:
        done = self._staging.done
        return {
            "format_name": shard_file.FORMAT_NAME,
            "format_version": shard_file.FORMAT_VERSION,
            "fingerprint": self.plan.fingerprint,
            "fingerprint_parts": self.plan.parts,
            "num_samples": self.plan.num_samples,
            "samples_per_shard": self.plan.samples_per_shard,
            "shards": [done[index]._asdict() for index in range(self.plan.num_shards)],
        }


def read_staged(path: PathLike) -> staging.StagedPlan | None:
    """Says what an unfinished generation was for, so that it can be asked for again.

    Args:
      path: Of the outputs.

    Returns:
      None if there is none.

    Raises:
      InputError: No outputs can have that name.
    """
    return staging.read_staged(resolve(path))


def _check_replaceable(path: pathlib.Path) -> None:
    """Looks whether something is outputs or an empty directory, and nothing else.

    Raises:
      InputError: It is something else.
    """
    own = (manifest.MANIFEST_NAME, manifest.COMPLETED_NAME)
    if not path.is_dir():
        found = "a file is"
    else:
        foreign = [
            name
            for name in sorted(os.listdir(path))
            if not (name in own or _SHARD_NAME.fullmatch(name)) or (path / name).is_dir()
        ]
        if not foreign:
            return
        found = f"{foreign[0]!a} is"
    raise errors.InputError(
        f"{found} in the way at {path}; wanted nothing there, or outputs to replace; give another "
        "place"
    )
