"""What a generation has written so far: `.NAME.generating` beside the outputs, until all is there.

.NAME.generating/plan.json            what is generated: nothing of something else is taken
.NAME.generating/outputs/             the shards, as they will be published
.NAME.generating/markers/00003.json   written after its shard: counts and hash

A shard is there if it has a marker and is the file that the marker gives the hash of. Whoever
changes something here holds the lock of the outputs.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple, Union

from code_t5 import errors, progress
from code_t5.storage import atomic, fingerprints
from code_t5.teacher_outputs import plan as plans
from code_t5.teacher_outputs import shard_file
from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.teacher_outputs.shard_file import WrittenShard

PathLike = Union[str, "os.PathLike[str]"]

_SUFFIX = ".generating"
_PLAN_NAME = "plan.json"
_MAX_PLAN_BYTES = 16 << 20


class StagedPlan(NamedTuple):
    """What an unfinished generation was for.

    Attributes:
      folder: Where its work lies.
      parts: Of its plan: what decides on the content.
      num_samples: Of all.
      samples_per_shard: Of a shard.
      num_shards_done: That have a marker.
    """

    folder: pathlib.Path
    parts: dict[str, Any]
    num_samples: int
    samples_per_shard: int
    num_shards_done: int


def staging_folder(target: pathlib.Path) -> pathlib.Path:
    """Returns where the work for some outputs lies.

    Args:
      target: Of the outputs, links resolved.
    """
    return target.with_name(f".{target.name}{_SUFFIX}")


def read_staged(target: pathlib.Path) -> StagedPlan | None:
    """Says what an unfinished generation was for.

    Args:
      target: Of the outputs, links resolved.

    Returns:
      None if there is none that can be gone on with.
    """
    folder = staging_folder(target)
    path = folder / _PLAN_NAME
    try:
        if folder.is_symlink() or path.stat().st_size > _MAX_PLAN_BYTES:
            return None
        fields = json.loads(path.read_bytes())
        parts, numbers = fields["parts"], (fields["num_samples"], fields["samples_per_shard"])
        if fields["format_version"] != shard_file.FORMAT_VERSION or not isinstance(parts, dict):
            return None
        if not all(type(number) is int and number >= 1 for number in numbers):
            return None
        done = sum(1 for _ in (folder / "markers").glob("*.json"))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return StagedPlan(folder, parts, *numbers, done)


class Staging:
    """The work for one plan; the lock of its outputs is held.

    Attributes:
      folder: All of it.
      outputs_dir: What will be published.
    """

    def __init__(self, target: pathlib.Path, plan: OutputsPlan) -> None:
        """Names the places; nothing is read or written.

        Args:
          target: Of the outputs, links resolved.
          plan: What is to be written.
        """
        self.folder = staging_folder(target)
        self.outputs_dir = self.folder / "outputs"
        self._markers_dir = self.folder / "markers"
        self._target = target
        self._plan = plan
        self._done: dict[int, WrittenShard] = {}

    def begin(self, *, discard: bool) -> None:
        """Takes what an interrupted generation of the same plan left.

        Args:
          discard: Whether to throw away the work for another plan; else it is refused.

        Raises:
          InputError: There is work for another plan.
        """
        staged = read_staged(self._target)
        is_same = staged is not None and not plans.differences(staged.parts, self._plan.parts)
        if staged is not None and (
            not is_same
            or (staged.num_samples, staged.samples_per_shard)
            != (self._plan.num_samples, self._plan.samples_per_shard)
        ):
            if staged.num_shards_done and not discard:
                raise self._other_plan(staged)
            staged = None
        if staged is None:
            self.remove()
        for folder in (self.outputs_dir, self._markers_dir):
            folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        if staged is None:
            self._write_plan()
        self._done = self._read_markers()

    def _other_plan(self, staged: StagedPlan) -> errors.InputError:
        plan = self._plan
        found: dict[str, Any] = {**staged.parts}
        lines = [plans.differences(found, plan.parts)]
        for name in ("num_samples", "samples_per_shard"):
            if getattr(staged, name) != getattr(plan, name):
                lines.append(f"{name} is {getattr(staged, name)}, wanted {getattr(plan, name)}")
        return errors.InputError(
            f"{staged.folder} holds {staged.num_shards_done} shards of other outputs that were "
            f"never finished: {'; '.join(filter(None, lines))}; ask for those again to finish "
            "them, or remove that folder, then run the command again"
        )

    def _write_plan(self) -> None:
        plan = self._plan
        fields = {
            "format_version": shard_file.FORMAT_VERSION,
            "parts": plan.parts,
            "num_samples": plan.num_samples,
            "samples_per_shard": plan.samples_per_shard,
        }
        content = json.dumps(fields, indent=2, sort_keys=True) + "\n"
        atomic.write_file(self.folder / _PLAN_NAME, content.encode("ascii"))

    def _marker_path(self, index: int) -> pathlib.Path:
        return self._markers_dir / f"{index:05d}.json"

    def shard_path(self, index: int) -> pathlib.Path:
        """Returns the file of a shard.

        Args:
          index: Of the shard.
        """
        return self.outputs_dir / shard_file.shard_name(index)

    def _read_markers(self) -> dict[int, WrittenShard]:
        """Returns the shards that are whole; what is not is removed."""
        indexes = [i for i in range(self._plan.num_shards) if self._marker_path(i).is_file()]
        found = {}
        bar = progress.progress_bar(
            indexes, description="checking what is there", unit="shard", total=len(indexes)
        )
        for index in bar:
            written = self._read_marker(index)
            if written is None:
                self._marker_path(index).unlink(missing_ok=True)
            else:
                found[index] = written
        # Written, but killed before its marker: it is written again. Nothing else is published.
        own = {self.shard_path(index) for index in found}
        for path in self.outputs_dir.iterdir():
            if path not in own:
                path.unlink()
        return found

    def _read_marker(self, index: int) -> WrittenShard | None:
        try:
            fields = json.loads(self._marker_path(index).read_bytes())
            lengths, sha256 = fields["lengths"], fields["sha256"]
            is_sound = set(lengths) == set(self._plan.schema.lengths) and all(
                type(count) is int for count in lengths.values()
            )
            if is_sound and fingerprints.hash_file(self.shard_path(index)) == sha256:
                return WrittenShard(lengths, sha256)
        except (OSError, ValueError, TypeError, KeyError):
            pass
        return None

    @property
    def done(self) -> Mapping[int, WrittenShard]:
        """The shards that are there."""
        return self._done

    def note(self, index: int, written: WrittenShard) -> None:
        """Leaves the marker of a shard that was written.

        Args:
          index: Of the shard.
          written: What was written.
        """
        content = json.dumps(written._asdict(), sort_keys=True).encode("ascii")
        atomic.write_file(self._marker_path(index), content)
        self._done[index] = written

    def forget(self, index: int) -> None:
        """Removes the marker of a shard that is about to be written again.

        Args:
          index: Of the shard.
        """
        self._marker_path(index).unlink(missing_ok=True)
        self._done.pop(index, None)

    def remove(self) -> None:
        """Removes all of it."""
        if self.folder.is_symlink() or self.folder.is_file():
            self.folder.unlink()
            return
        # The plan first: what is left when this is cut short is no work that one goes on with.
        with contextlib.suppress(OSError):
            (self.folder / _PLAN_NAME).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
