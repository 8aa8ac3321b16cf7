"""Loads a data set as a program does: by `datasets` itself, and by this project's `load_dataset`.

Of each split the first and the last row are read. Where only the repository's files lie there, ours
reads them as they are: a check writes no second copy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Callable

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import cache_naming, opened_dataset
from code_t5.hf_artifacts.checking.load_target import NO, NOTHING, OWN_PART, PLAIN_PART, LoadTarget
from code_t5.hf_artifacts.checking.opened_dataset import OpenRequest
from code_t5.hf_artifacts.checking.verdicts import Verdicts


def check_dataset(root: CacheRoot, target: LoadTarget) -> Verdicts:
    """Loads every configuration of a data set both ways.

    Args:
      root: Where it is.
      target: Which.
    """
    asked = target.request
    if (asked.patterns or asked.ignore_patterns) and not target.splits and target.is_recorded:
        # Nobody said that these are all files of anything.
        verdicts = Verdicts()
        verdicts.parts[OWN_PART] = f"{NOTHING}: patterns chose its files, nothing is prepared"
        return verdicts
    if asked.prepare:
        verdicts = load_plainly(target)
    else:
        # It would write the copy that is not wanted.
        verdicts = Verdicts()
        verdicts.parts[PLAIN_PART] = f"{NO}: it was fetched with prepare: false"
    verdicts.try_part(OWN_PART, lambda: _load_own(root, target))
    return verdicts


def load_plainly(target: LoadTarget) -> Verdicts:
    """Loads every configuration by `datasets` alone.

    Args:
      target: Which.
    """
    verdicts = Verdicts()
    verdicts.try_part(PLAIN_PART, lambda: _load_all(target, _load_by_datasets))
    return verdicts


def _load_own(root: CacheRoot, target: LoadTarget) -> str:
    """Loads each configuration; of those that nobody named, all that are there.

    Raises:
      InputError: None could be loaded.
    """

    def load_fn(request: OpenRequest) -> dict[str, int | None]:
        if target.request.patterns or target.request.ignore_patterns:
            # Who asks for all splits must not get those that patterns left.
            there = tuple(target.splits.get(request.config or "", {}))
            request = dataclasses.replace(request, splits=there)
        return _open(root, request, commit=target.commit)

    try:
        return _load_all(target, load_fn)
    except errors.InputError as error:
        configs = _listed_configs(root, target) if target.configs == (None,) else ()
        told, reason = list[str](), error
        for config in configs:
            request = dataclasses.replace(target.request, configs=(config,))
            try:
                told.append(_load_all(dataclasses.replace(target, request=request), load_fn))
            except errors.InputError as failed:
                reason = failed
        if not told:
            raise reason from None
        return "; ".join(told)


def _listed_configs(root: CacheRoot, target: LoadTarget) -> tuple[str, ...]:
    """Returns the configurations that the repository's README lists."""
    from code_t5.hf_artifacts.loading import cards

    files = cache_naming.find_files(root, request=target.request, commit=target.commit)
    if "README.md" not in files:
        return ()
    folder = cache_naming.snapshot_dir(root, request=target.request, commit=target.commit)
    return tuple(cards.read_card(folder).configs)


def _load_all(
    target: LoadTarget, load_fn: Callable[[OpenRequest], Mapping[str, int | None]]
) -> str:
    """Loads each configuration and compares its splits with what was recorded.

    Raises:
      InputError: They differ.
    """
    told = []
    for config in target.configs:
        rows = load_fn(_request(target, config))
        wanted = target.splits.get(config or "", {})
        if wanted and not _agree(rows, wanted):
            in_order = {split: wanted[split] for split in [*rows, *wanted] if split in wanted}
            raise errors.InputError(
                f"{config} has the rows {_shown(rows)}; wanted {_shown(in_order)}, which the "
                "record says; fetch it again with precache"
            )
        told.append(" ".join([*([config] if config else []), _shown(rows)]))
    return "; ".join(told)


def _agree(rows: Mapping[str, int | None], wanted: Mapping[str, int]) -> bool:
    """Says whether the splits are the wanted ones; of streams nobody knows their lengths."""
    known = {split: number for split, number in rows.items() if number is not None}
    return set(rows) == set(wanted) and all(wanted[split] == known[split] for split in known)


def _request(target: LoadTarget, config: str | None) -> OpenRequest:
    return OpenRequest(
        target.request.name,
        config=config,
        revision=target.request.revision,
        data_dir=target.request.data_dir,
        data_files=target.request.data_files,
    )


def _shown(rows: Mapping[str, int | None]) -> str:
    return ", ".join(
        split if number is None else f"{split} {number}" for split, number in rows.items()
    )


def _load_by_datasets(request: OpenRequest) -> dict[str, int | None]:
    import datasets

    loaded = datasets.load_dataset(request.name, **request.arguments())
    for split in loaded.values():
        if len(split):
            _read(split[0])
            _read(split[len(split) - 1])
    return {str(name): len(split) for name, split in loaded.items()}


def _read(row: Mapping[str, object]) -> None:
    """Takes every column of a row."""
    list(row.values())


def _open(root: CacheRoot, request: OpenRequest, *, commit: str) -> dict[str, int | None]:
    """Opens a data set, and returns the number of rows by split.

    Raises:
      InputError: It is of another commit than the wanted one.
    """
    opened = opened_dataset.open_dataset(root, request)
    if commit and opened.commit and opened.commit != commit:
        raise errors.InputError(
            f"{opened.place} {opened.directory} is of commit {opened.commit}; wanted {commit}; "
            "fetch it again with precache"
        )
    for split in opened.splits.values():
        split.read_ends()
    return {name: split.num_rows for name, split in opened.splits.items()}
