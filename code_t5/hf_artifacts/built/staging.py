"""The folder beside the target in which splits wait until all are there: `.NAME.building`.

.NAME.building/parts.json          what is being built: nothing of something else is taken
.NAME.building/rows/<split>/       a split
.NAME.building/done/<split>.json   written last: the split is whole
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts.built import built_record
from code_t5.hf_artifacts.built.built_record import BuiltDataset, BuiltSplit
from code_t5.storage import atomic, fingerprints

_MAX_DONE_BYTES = 16 << 20


class Staging:
    """What a build has written so far; its owner holds the target's lock.

    Attributes:
      folder: Where.
    """

    def __init__(self, target: pathlib.Path, *, parts: Mapping[str, Any]) -> None:
        """Takes what an interrupted build of the same left, and removes anything else.

        Args:
          target: The folder that is built.
          parts: Everything that decides on the rows.
        """
        self.folder = target.with_name(f".{target.name}.building")
        self._target = target
        content = json.dumps(dict(parts), sort_keys=True).encode("ascii")
        marker = self.folder / "parts.json"
        if not marker.is_file() or fingerprints.hash_file(marker) != fingerprints.hash_bytes(
            content
        ):
            shutil.rmtree(self.folder, ignore_errors=True)
            for name in ("rows", "done"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            atomic.write_file(marker, content)

    @property
    def rows_dir(self) -> pathlib.Path:
        """Where splits are written, each in a folder of its name."""
        return self.folder / "rows"

    def find(self, split: str, *, rows: str) -> BuiltSplit | None:
        """Returns a split that is whole already.

        Args:
          split: Its name.
          rows: What `datasets` calls the source's rows.
        """
        path = self.folder / "done" / f"{split}.json"
        try:
            if path.stat().st_size > _MAX_DONE_BYTES:
                return None
            fields = json.loads(path.read_bytes())
            if fields["rows"] != rows:
                return None
            found = built_record.read_split(fields["split"])
            built_record.check_content(self.rows_dir, split=found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, errors.ArtifactError):
            return None
        return found

    def keep(self, name: str, *, split: BuiltSplit, rows: str) -> None:
        """Says that a split is whole.

        Args:
          name: Its name.
          split: What was written.
          rows: What `datasets` calls the source's rows.
        """
        for folder, _, files in os.walk(self.rows_dir / name):
            for file in files:
                with open(os.path.join(folder, file), "rb") as written:
                    os.fsync(written.fileno())
        content = json.dumps({"rows": rows, "split": dataclasses.asdict(split)}).encode("ascii")
        atomic.write_file(self.folder / "done" / f"{name}.json", content)

    def publish(self, built: BuiltDataset, *, there: BuiltDataset | None) -> None:
        """Gives the splits the target's name, with those that stood there and stay.

        Args:
          built: All splits, new and old.
          there: What stands at the target and stays; None if it goes.
        """
        # An interrupted build may have wanted more.
        for extra in [*self.rows_dir.iterdir()]:
            if extra.name not in built.splits:
                _remove(extra)
        stays = () if there is None else [name for name in there.splits if name in built.splits]
        for name in stays:
            for path in built.splits[name].files:
                _link(self._target / path, self.rows_dir / path)
        content = json.dumps({"splits": list(built.splits)}).encode("ascii")
        (self.rows_dir / built_record.DICT_NAME).write_bytes(content)
        built_record.write_record(self.rows_dir, built)
        atomic.publish_directory(self.rows_dir, self._target)
        shutil.rmtree(self.folder, ignore_errors=True)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Gives a file a second name; a copy where the file system has no such thing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
