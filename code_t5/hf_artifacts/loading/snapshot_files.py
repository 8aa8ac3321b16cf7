"""Which files of a snapshot a configuration is read from, and whether all of them are there.

A *snapshot* is the folder of one commit below `hub/`; its entries are links to blobs beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import glob
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from code_t5 import library_errors
from code_t5.hf_artifacts.loading.cards import Card
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest, patterns_by_split
from code_t5.hf_artifacts.loading.tried import RefusedError
from code_t5.hf_artifacts.records import ArtefactRecord

_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(.*)")
_MAX_NAMED = 3


@dataclasses.dataclass(frozen=True)
class ChosenFiles:
    """The files of one configuration.

    Attributes:
      base: The folder that the patterns are below.
      patterns: By split.
      data_files: A `datasets.data_files.DataFilesDict` of absolute paths.
      module: Which of the readers of `datasets` reads them (`parquet`).
      options: What that reader takes for files with this ending.
      matched: The same with the files that the reader leaves out.
    """

    base: pathlib.Path
    patterns: Mapping[str, Sequence[str]]
    data_files: Any
    module: str
    options: Mapping[str, Any]
    matched: Any

    @property
    def paths(self) -> list[pathlib.Path]:
        """All files."""
        # Within archives, addresses have further parts.
        names = [name.split("::")[-1] for split in self.data_files.values() for name in split]
        return [pathlib.Path(name.partition("://")[2] or name) for name in names]

    def relative_to(self, folder: pathlib.Path, *, matched: bool = False) -> dict[Any, list[str]]:
        """Returns the files by split, as paths below a folder.

        Args:
          folder: Which.
          matched: Whether with those that the reader leaves out.
        """
        return below(self.matched if matched else self.data_files, folder)


class MatchedFiles(NamedTuple):
    """The files that patterns match.

    Attributes:
      base: The folder that the patterns are below.
      patterns: By split.
      files: A `datasets.data_files.DataFilesDict` of absolute paths.
    """

    base: pathlib.Path
    patterns: Mapping[str, Sequence[str]]
    files: Any


def below(files: Any, folder: pathlib.Path) -> dict[Any, list[str]]:
    """Returns files by split as paths below a folder.

    Args:
      files: A `datasets.data_files.DataFilesDict`.
      folder: Which.
    """
    # The kind of the keys goes into the hash that datasets makes of them.
    return {
        split: [pathlib.Path(name).relative_to(folder).as_posix() for name in names]
        for split, names in files.items()
    }


def choose_files(
    snapshot: pathlib.Path, *, request: DatasetRequest, config: str | None, card: Card
) -> ChosenFiles:
    """Returns the files that are read for a configuration, those that are there.

    Args:
      snapshot: Where.
      request: With `data_files` or `data_dir`, if they are chosen.
      config: Its name.
      card: What the repository says of itself.

    Raises:
      RefusedError: There is none, or the patterns lead out of the snapshot.
    """
    with _without_magic(snapshot) as folder:
        found = match_files(folder, request=request, config=config, card=card)
        try:
            chosen = choose_of(found, request=request)
        except (OSError, ValueError) as error:
            raise RefusedError(_shorten(error, folder)) from error
        if folder == snapshot:
            return chosen
        return dataclasses.replace(
            chosen,
            base=snapshot / found.base.relative_to(folder),
            data_files=_moved(chosen.data_files, folder, snapshot),
            matched=_moved(chosen.matched, folder, snapshot),
        )


def match_files(
    folder: pathlib.Path, *, request: DatasetRequest, config: str | None, card: Card
) -> MatchedFiles:
    """Returns the files that the patterns of a configuration match.

    Args:
      folder: Of the repository.
      request: With `data_files` or `data_dir`, if they are chosen.
      config: Its name.
      card: What the repository says of itself.

    Raises:
      RefusedError: There is none, or the patterns lead out of the folder.
    """
    from datasets.data_files import DataFilesDict, get_data_patterns

    base, patterns = _patterns(folder, request=request, config=config, card=card)
    try:
        if patterns is None:
            found: Mapping[str, Sequence[str]] = get_data_patterns(str(base))
        else:
            found = {split: list(names) for split, names in patterns.items()}
        files = DataFilesDict.from_patterns(
            {split: list(names) for split, names in found.items()},
            base_path=base.as_posix(),
            allowed_extensions=None if request.data_files else _allowed_extensions(),
        )
    except (OSError, ValueError) as error:
        raise RefusedError(_shorten(error, folder)) from error
    return MatchedFiles(base, found, files)


def choose_of(found: MatchedFiles, *, request: DatasetRequest) -> ChosenFiles:
    """Finds the reader of files, and leaves out those that it does not read.

    Args:
      found: The files.
      request: What is asked for: where it names files and no folder, `datasets` leaves none out.

    Raises:
      RefusedError: There are no files.
    """
    from datasets import packaged_modules
    from datasets.data_files import DataFilesDict
    from datasets.load import infer_module_for_data_files

    base, patterns, files = found
    there = DataFilesDict({split: names for split, names in files.items() if names})
    if not there:
        raise RefusedError("none of its files is one of this configuration")
    module, options = infer_module_for_data_files(there)
    extensions = getattr(packaged_modules, "_MODULE_TO_METADATA_EXTENSIONS", {})
    kept = files
    if request.data_files is None or request.data_dir is not None:
        kept = files.filter(
            extensions=packaged_modules._MODULE_TO_EXTENSIONS[module] + extensions.get(module, []),
            file_names=packaged_modules._MODULE_TO_METADATA_FILE_NAMES[module],
        )
    return ChosenFiles(base, patterns, kept, str(module), options, files)


@contextlib.contextmanager
def _without_magic(snapshot: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path of a folder in which no character has a meaning in patterns.

    Raises:
      RefusedError: There is none.
    """
    if not glob.has_magic(os.fspath(snapshot)):
        yield snapshot
        return
    with tempfile.TemporaryDirectory(prefix="code_t5-link-") as folder:
        if glob.has_magic(folder):
            raise RefusedError("its path has one of the characters * ? [, as has TMPDIR")
        link = pathlib.Path(folder, "snapshot")
        try:
            link.symlink_to(os.path.abspath(snapshot), target_is_directory=True)
        except OSError as error:
            raise RefusedError(
                f"its path has one of the characters * ? [, and {link} cannot be a link to it "
                f"({error.strerror})"
            ) from error
        yield link


def _moved(files: Any, folder: pathlib.Path, snapshot: pathlib.Path) -> Any:
    """Returns files by the paths that they have below another folder."""
    from datasets.data_files import DataFilesDict, DataFilesList

    moved = DataFilesDict()
    for split, names in files.items():
        paths = [(snapshot / pathlib.Path(name).relative_to(folder)).as_posix() for name in names]
        moved[split] = DataFilesList(paths, names.origin_metadata)
    return moved


def check_whole(
    snapshot: pathlib.Path,
    *,
    chosen: ChosenFiles,
    splits: Sequence[str] | None,
    records: Sequence[ArtefactRecord],
) -> None:
    """Refuses files that are only a part of what was asked for.

    Args:
      snapshot: Where they are.
      chosen: The files.
      splits: The splits that are wanted; None for all.
      records: Of the snapshot.

    Raises:
      RefusedError: One is missing, cut short, or leads out of the repository.
    """
    lacking = [split for split in splits or chosen.data_files if not chosen.data_files.get(split)]
    if lacking:
        there = ", ".join(str(split) for split, files in chosen.data_files.items() if files)
        raise RefusedError(
            f"no file of the split {', '.join(map(str, lacking))} is in it, only of {there}"
        )
    _check_links(snapshot, chosen)
    _check_shards(chosen)
    names = {path.relative_to(snapshot).as_posix() for path in _below(snapshot, chosen)}
    for record in records:
        _check_record(snapshot, chosen, record)
    if names - {name for record in records for name in record.files}:
        _check_downloads(snapshot)


def _patterns(
    snapshot: pathlib.Path, *, request: DatasetRequest, config: str | None, card: Card
) -> tuple[pathlib.Path, Mapping[str, Sequence[str]] | None]:
    """Returns the folder that patterns are below, and the patterns if some are named.

    Raises:
      RefusedError: They lead out of the snapshot, or there is no such configuration.
    """
    if request.chooses_files:
        return snapshot / (request.data_dir or ""), request.data_files
    given = card.parameters(config)
    folder = str(given.get("data_dir") or "")
    if not card.configs and config not in (None, "default", card.default):
        # As the Hub converts data sets to Parquet: a folder for each configuration.
        folder = str(config)
        if not (snapshot / folder).is_dir():
            folders = sorted(path.name for path in snapshot.iterdir() if path.is_dir())
            raise RefusedError(
                f"it has no configuration {config}"
                + (f"; its folders are {', '.join(folders)}" if folders else "")
            )
    patterns = None
    if given.get("data_files") is not None:
        patterns = patterns_by_split(given["data_files"], path=request.path)
    named = [folder, *(name for names in (patterns or {}).values() for name in names)]
    for name in named:
        if name.startswith(("/", "~")) or ".." in name.split("/") or "://" in name:
            raise RefusedError(f"its README.md names {name!a}, which is not in the repository")
    return snapshot / folder, patterns


def _allowed_extensions() -> list[str]:
    from datasets import packaged_modules

    further = getattr(packaged_modules, "_MODULE_TO_METADATA_EXTENSIONS", {})
    known = [*packaged_modules._EXTENSION_TO_MODULE, ".zip"]
    return [*known, *(ending for endings in further.values() for ending in endings)]


def _below(snapshot: pathlib.Path, chosen: ChosenFiles) -> list[pathlib.Path]:
    """Returns the chosen files.

    Raises:
      RefusedError: One is not below the snapshot.
    """
    for path in chosen.paths:
        if snapshot not in path.parents:
            raise RefusedError(f"{path} is not in it")
    return chosen.paths


def _check_links(snapshot: pathlib.Path, chosen: ChosenFiles) -> None:
    """Refuses links that lead out of the repository, and such as lead to nothing.

    Raises:
      RefusedError: There is one.
    """
    homes = [os.path.realpath(snapshot.parents[n]) + os.sep for n in (1, 2)]
    for path in _below(snapshot, chosen):
        if not os.path.realpath(path).startswith(tuple(homes)):
            raise RefusedError(f"{path.relative_to(snapshot)} is a link out of the cache")
    if not chosen.base.is_dir():
        return
    broken = [
        path.relative_to(snapshot).as_posix()
        for path in sorted(chosen.base.rglob("*"))
        if path.is_symlink() and not path.exists() and _has_same_ending(path, chosen)
    ]
    if broken:
        raise RefusedError(f"{several(broken)} was not fetched whole: the blob is not there")


def _has_same_ending(path: pathlib.Path, chosen: ChosenFiles) -> bool:
    return path.suffix in {other.suffix for other in chosen.paths}


def _check_shards(chosen: ChosenFiles) -> None:
    """Refuses a row of numbered files of which one is missing that the patterns ask for.

    Raises:
      RefusedError: `train-00000-of-00003` is there, and another of the three is not.
    """
    rows: dict[tuple[str, str, str], set[int]] = {}
    for path in chosen.paths:
        match = _SHARD.fullmatch(os.path.relpath(path, chosen.base))
        if match:
            start, number, total, end = match.groups()
            # Between the number and the ending some have a hash of the file.
            ending = end[end.rfind(".") :] if "." in end else end
            rows.setdefault((start, total, ending), set()).add(int(number))
    wanted = [name for names in chosen.patterns.values() for name in names if glob.has_magic(name)]
    for (start, total, end), numbers in rows.items():
        missing = (n for n in range(int(total)) if n not in numbers)
        lacking = [f"{start}-{number:05d}-of-{total}{end}" for number in missing]
        lacking = [name for name in lacking if any(_fits(name, p) for p in wanted)]
        if lacking:
            raise RefusedError(f"{several(lacking)} is not there: it was fetched in part")


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(f"/{name}", pattern)


def _check_record(snapshot: pathlib.Path, chosen: ChosenFiles, record: ArtefactRecord) -> None:
    """Refuses files that are not as their record says.

    Raises:
      RefusedError: One is missing, or has another size.
    """
    wanted = [name for names in chosen.patterns.values() for name in names]
    for name, file in record.files.items():
        path = snapshot / name
        below = os.path.relpath(path, chosen.base)
        if path not in chosen.paths and not any(_fits(below, pattern) for pattern in wanted):
            continue
        try:
            size = path.stat().st_size
        except OSError as error:
            raise RefusedError(f"{name} cannot be read ({error.strerror})") from error
        if size != file.size_bytes:
            raise RefusedError(f"{name} has {size} bytes; wanted {file.size_bytes} by its record")


def _check_downloads(snapshot: pathlib.Path) -> None:
    """Refuses what nobody recorded as whole while a download that was cut short lies beside it.

    Raises:
      RefusedError: There is one.
    """
    left = sorted(snapshot.parent.parent.glob("blobs/*.incomplete"))
    if left:
        raise RefusedError(
            f"a download of it was cut short (blobs/{left[0].name} is there), and no record says "
            "that it is whole"
        )


def several(names: Sequence[str]) -> str:
    """Returns the first of some names, and how many more there are."""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _shorten(error: Exception, snapshot: pathlib.Path) -> str:
    # The list of all endings there are helps nobody.
    text = library_errors.one_line(error).partition(" with any supported extension")[0]
    return text.replace(f"{snapshot.as_posix()}/", "")
