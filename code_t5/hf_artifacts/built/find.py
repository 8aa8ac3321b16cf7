"""Finds built data sets by what they are of, and opens them; the Hub is never asked.

find_built("wikiann", "en").found.directory        # for whoever looks for the rows as they are
load_built_dataset("wikiann", "en", split="train", subset=0.1)
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Union

from code_t5 import errors
from code_t5.hf_artifacts.built import built_record
from code_t5.hf_artifacts.built.built_record import BuiltDataset
from code_t5.hf_artifacts.built.built_request import BuiltRequest, TokenizingOptions
from code_t5.hf_artifacts.requests import DataFiles
from code_t5.storage import manifest

DEFAULT_OUTPUT_DIR = "data"

PathLike = Union[str, "os.PathLike[str]"]


class Looked(NamedTuple):
    """The answer of a search.

    Attributes:
      found: The data set; None if there is none.
      reason: Why there is none, for a message; empty if there is one.
    """

    found: BuiltDataset | None
    reason: str


def find_built(
    path: str,
    name: str | None = None,
    *,
    revision: str | None = None,
    data_dir: str | None = None,
    data_files: DataFiles = None,
    splits: Sequence[str] = (),
    output_dir: PathLike = DEFAULT_OUTPUT_DIR,
) -> Looked:
    """Looks for a data set whose rows are the source's, all and unchanged.

    Args:
      path: Repository, by the name that it was built under or its present one on the Hub.
      name: Configuration; None for the only one, or `default`.
      revision: As it was asked for when it was built, or the commit; None for any.
      data_dir: As it was asked for when it was built.
      data_files: As they were asked for when it was built.
      splits: Splits that it must have.
      output_dir: Where data sets are built.

    Returns:
      What there is; several that fit are refused in `reason`.
    """
    return find_request(
        BuiltRequest(path, name, revision=revision, data_dir=data_dir, data_files=data_files),
        splits=splits,
        output_dir=output_dir,
    )


def find_request(
    request: BuiltRequest,
    *,
    splits: Sequence[str] = (),
    output_dir: PathLike = DEFAULT_OUTPUT_DIR,
) -> Looked:
    """Looks for what was built of a request.

    Args:
      request: What; without a configuration the only one is found, or `default`.
      splits: Splits that it must have.
      output_dir: Where data sets are built.

    Returns:
      What there is.
    """
    fitting, reasons = dict[str, BuiltDataset](), list[str]()
    for folder in _folders(pathlib.Path(output_dir)):
        try:
            built = built_record.read_record(folder)
            if not _is_of(built, request):
                continue
            lacking = [split for split in splits if split not in built.splits]
            if lacking:
                has = ", ".join(built.splits)
                reasons.append(f"{folder} has no {', '.join(lacking)}, only {has}")
                continue
            built.check_sizes()
        except errors.ArtifactError as error:
            if _is_named_after(folder, request):
                reasons.append(str(error))
            continue
        known = fitting.get(built.config)
        # Under its own name before another name of the same repository.
        if known is None or built.dataset == request.dataset:
            fitting[built.config] = built
    return _choose(fitting, reasons, request=request, output_dir=output_dir)


def _choose(
    fitting: dict[str, BuiltDataset],
    reasons: list[str],
    *,
    request: BuiltRequest,
    output_dir: PathLike,
) -> Looked:
    if request.config is None and len(fitting) > 1 and "default" in fitting:
        fitting = {"default": fitting["default"]}
    if len(fitting) == 1:
        return Looked(next(iter(fitting.values())), "")
    if fitting:
        names = ", ".join(sorted(fitting))
        return Looked(None, f"{output_dir} has the configurations {names}; name one")
    what = f"{request.dataset} {request.config}" if request.config else request.dataset
    options = "".join(f" {key}={value}" for key, value in request.options.items())
    return Looked(None, "; ".join(reasons) or f"{output_dir} has nothing built of {what}{options}")


def load_built_dataset(
    dataset: str,
    config: str | None = None,
    *,
    split: str | None = None,
    subset: float = 0.0,
    output_dir: PathLike = DEFAULT_OUTPUT_DIR,
    tokenizing: TokenizingOptions | None = None,
    **options: Any,
) -> Any:
    """Opens what `scripts/build_dataset.py` built, with the same words as its flags.

    Args:
      dataset: As it was named.
      config: Its configuration; None for the only one that is built, or `default`.
      split: One of its splits; None for all of them, in a `DatasetDict`.
      subset: Share of the rows, as it was built.
      output_dir: Where data sets are built.
      tokenizing: How text was made ids.
      **options: `revision`, `data_dir`, `data_files` and `seed`, as they were given.

    Returns:
      A `datasets.Dataset`, or a `datasets.DatasetDict`.

    Raises:
      NotBuiltError: There is no such data set.
      InputError: An option is none.
    """
    unknown = set(options) - {"revision", "data_dir", "data_files", "seed"}
    if unknown:
        raise errors.InputError(
            f"there is no option {', '.join(sorted(unknown))}; wanted revision, data_dir, "
            "data_files or seed; leave it out"
        )
    request = BuiltRequest(dataset, config, subset=subset, tokenizing=tokenizing, **options)
    request.check()
    looked = find_request(request, splits=[split] if split else (), output_dir=output_dir)
    if looked.found is None:
        raise errors.NotBuiltError(
            f"{looked.reason}; wanted it built; run python scripts/build_dataset.py "
            f"{' '.join(_command(request, split, output_dir))}"
        )
    return open_built(looked.found, split=split)


def open_built(built: BuiltDataset, *, split: str | None = None) -> Any:
    """Opens a built data set with `datasets`.

    Args:
      built: What was found.
      split: One of its splits; None for all.

    Returns:
      A `datasets.Dataset`, or a `datasets.DatasetDict`.
    """
    import datasets

    if split is not None:
        return datasets.load_from_disk(os.fspath(built.directory / split))
    return datasets.load_from_disk(os.fspath(built.directory))


def _command(request: BuiltRequest, split: str | None, output_dir: PathLike) -> list[str]:
    from code_t5.hf_artifacts.built import build_flags

    return build_flags.as_arguments(request, splits=[split] if split else [], output_dir=output_dir)


def _folders(output_dir: pathlib.Path) -> Iterator[pathlib.Path]:
    if output_dir.is_dir():
        for folder in sorted(output_dir.iterdir()):
            if not folder.name.startswith(".") and manifest.is_complete(folder):
                yield folder


def _is_of(built: BuiltDataset, request: BuiltRequest) -> bool:
    """Says whether a data set was built of a request, whatever its splits."""
    if request.dataset not in (built.dataset, built.repository):
        return False
    if request.config not in (None, built.config):
        return False
    asked = dict(dataclasses.replace(request, revision=None).options)
    found = {key: built.request[key] for key in built.request if key not in ("dataset", "config")}
    revision = found.pop("revision", None)
    if request.revision not in (None, revision, built.commit):
        return False
    return asked == found


def _is_named_after(folder: pathlib.Path, request: BuiltRequest) -> bool:
    return folder.name.startswith(request.dataset.replace("/", "--") + "--")
