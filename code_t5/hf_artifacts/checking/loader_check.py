"""`check_hf_cache.py --dataset NAME`: opens what training will open, from the cache alone.

With `--loader` each split goes through a torch DataLoader. Nothing is written: of a repository that
lies there as the Hub has it, Parquet files are read where they lie, and files of other kinds as a
stream; `datasets.load_dataset` would write all of it a second time, as Arrow files. Unless
`--streaming` is given while no offline flag is set, the process cannot reach the network.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from code_t5 import errors, visible_text
from code_t5.hf_artifacts import cache_root, requests
from code_t5.hf_artifacts.checking import opened_dataset, opened_splits, torch_batches
from code_t5.hf_artifacts.fetching import hub_errors
from code_t5.hf_artifacts.loading.tried import NoConfigError

LIST_FLAGS = ("splits", "data_files")
_ONLY_WITH_DATASET = (
    *("config", "revision", "splits", "data_dir", "data_files", "loader", "streaming"),
    *("batch_size", "num_workers", "all_batches"),
)
_ONLY_WITH_LOADER = ("batch_size", "num_workers", "all_batches")
# Of what `--json` prints.
FORMAT_NAME = "code_t5_hf_dataset_check"
FORMAT_VERSION = 1


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags; call it once, before they are parsed.

    Args:
      values: Gets them.
    """
    string = functools.partial(flags.DEFINE_string, default=None, flag_values=values)
    several = functools.partial(flags.DEFINE_list, default=None, flag_values=values)
    yes_or_no = functools.partial(flags.DEFINE_boolean, default=False, flag_values=values)
    number = functools.partial(flags.DEFINE_integer, flag_values=values)
    string("dataset", help="Opens this data set instead, as training will.")
    string("config", help="Which of its configurations.")
    string("revision", help="Branch, tag, refs/... or commit of it.")
    several("splits", help="Which of its splits; all by default.")
    string("data_dir", help="Folder in it.")
    several("data_files", help="Files of it; SPLIT=FILE to say of which split.")
    yes_or_no("loader", help="Reads it through a torch DataLoader.")
    number("batch_size", 32, "Rows in a batch.", lower_bound=1)
    number("num_workers", 0, "Processes that read for the loader.", lower_bound=0)
    yes_or_no(
        "all_batches",
        help="Reads all batches, not the first and the last alone (of a stream, the first).",
    )
    yes_or_no("streaming", help="Opens it as a stream; of the Hub if no offline flag is set.")


def is_asked(values: flags.FlagValues = flags.FLAGS) -> bool:
    """Says whether the program is to open one data set.

    Args:
      values: The flags.

    Raises:
      InputError: Flags are given that go with another that is not.
    """
    is_dataset = values["dataset"].value is not None
    alone = [n for n in _ONLY_WITH_DATASET if values[n].present and not is_dataset]
    if alone:
        raise errors.InputError(
            f"--{alone[0]} was given without --dataset; wanted the name of a data set with it; "
            "add --dataset NAME or leave it out"
        )
    alone = [n for n in _ONLY_WITH_LOADER if values[n].present and not values["loader"].value]
    if alone:
        raise errors.InputError(
            f"--{alone[0]} was given without --loader; wanted both; add --loader or leave it out"
        )
    return is_dataset


def run(values: flags.FlagValues = flags.FLAGS) -> int:
    """Opens the data set, prints what there is, and says whether all of it could be read.

    It sets the environment of the process and closes its way to the network: for programs.

    Args:
      values: The flags.

    Returns:
      The exit status: 0, or 1 where a split could not be read.

    Raises:
      InputError: The flags do not fit together.
      CodeT5Error: The data set is not there, or not whole.
    """
    if not is_asked(values):
        raise errors.InputError("no data set was named; wanted one; add --dataset NAME")
    root = cache_root.root_of_flag(values["cache_dir"].value)
    try:
        opened = opened_dataset.open_dataset(root, _read_request(values))
    except NoConfigError as error:
        raise error.with_flag() from error
    options = torch_batches.LoaderOptions(
        batch_size=values["batch_size"].value,
        num_workers=values["num_workers"].value,
        all_batches=values["all_batches"].value,
    )
    checks = [
        _check_split(split, options=options if values["loader"].value else None)
        for split in opened.choose_splits(values["splits"].value)
    ]
    if values["json"].value:
        content = _as_json(opened, checks, batch_size=options.batch_size)
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        for line in _describe(opened, checks, batch_size=options.batch_size):
            sys.stdout.write(visible_text.one_line(line) + "\n")
    return 0 if all(check.reason is None for check in checks) else 1


@dataclasses.dataclass(frozen=True)
class _SplitCheck:
    """What was found of one split; `reason` says why it could not be read."""

    split: opened_splits.OpenedSplit
    num_rows: int | None = None
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    batches: torch_batches.BatchesRead | None = None
    reason: str | None = None


def _read_request(values: flags.FlagValues) -> opened_dataset.OpenRequest:
    return opened_dataset.OpenRequest(
        name=values["dataset"].value,
        config=values["config"].value,
        revision=values["revision"].value,
        data_dir=values["data_dir"].value,
        data_files=requests.read_data_files(values["data_files"].value),
        is_streaming=values["streaming"].value,
    )


def _check_split(
    split: opened_splits.OpenedSplit, *, options: torch_batches.LoaderOptions | None
) -> _SplitCheck:
    """Reads what is asked of one split; whatever a reader or a decoder raises is the reason."""
    columns = {name: _describe_feature(feature) for name, feature in split.features.items()}
    check = _SplitCheck(split, num_rows=split.num_rows, columns=columns)
    try:
        reads_all = options is not None and options.all_batches
        if check.num_rows is None and not split.is_remote and not reads_all:
            check = dataclasses.replace(check, num_rows=split.count_rows())
        if options is None:
            first = split.read_ends()
            named = columns or {name: type(value).__name__ for name, value in first.items()}
            check = dataclasses.replace(check, columns=named)
        else:
            read = _read_batches(check, options)
            num_rows = read.num_rows if reads_all else check.num_rows
            check = dataclasses.replace(
                check, num_rows=num_rows, batches=read, columns=columns or read.first
            )
    except Exception as error:  # noqa: BLE001 - readers and decoders raise what they like
        reason = f"{type(error).__name__}: {hub_errors.describe(error)}"
        return dataclasses.replace(check, reason=reason)
    if None in (split.num_described, check.num_rows) or split.num_described == check.num_rows:
        return check
    reason = f"{check.num_rows} rows; wanted {split.num_described}, which its README.md says"
    return dataclasses.replace(check, reason=f"{reason}; fetch it again with precache")


def _read_batches(
    check: _SplitCheck, options: torch_batches.LoaderOptions
) -> torch_batches.BatchesRead:
    split = check.split
    if not split.is_stream:
        return torch_batches.read_batches(split.rows, options=options, description=split.name)
    return torch_batches.read_stream(
        split.rows, options=options, num_rows=check.num_rows, description=split.name
    )


def _describe_feature(feature: Any) -> str:
    """Returns a column's type: `string`, `ClassLabel of 9`, `List of int64`, `Image`."""
    kind = type(feature).__name__
    if kind == "Value":
        return str(feature.dtype)
    if kind == "ClassLabel":
        return f"ClassLabel of {feature.num_classes}"
    inner = getattr(feature, "feature", None)
    if inner is not None:
        return f"{kind} of {_describe_feature(inner)}"
    if isinstance(feature, list):
        return f"List of {_describe_feature(feature[0])}"
    if isinstance(feature, Mapping):
        held = (f"{name}: {_describe_feature(value)}" for name, value in feature.items())
        return "{" + ", ".join(held) + "}"
    return kind


def _describe(
    opened: opened_splits.OpenedDataset, checks: Sequence[_SplitCheck], *, batch_size: int
) -> Iterator[str]:
    """Yields the lines to print."""
    yield f"{opened.name}, configuration {opened.config or 'none'}"
    yield f"  commit {opened.commit or 'not known'}"
    where = f": {opened.directory}" if opened.directory else ""
    yield f"  from {opened.place}{where}"
    for check in checks:
        rows = "not known before all are read" if check.num_rows is None else check.num_rows
        columns = ", ".join(f"{name} ({kind})" for name, kind in check.columns.items())
        yield f"{check.split.name}"
        yield f"  rows: {rows}"
        yield f"  columns: {columns or 'not known'}"
        if check.batches is not None:
            yield from _describe_batches(check.batches, batch_size=batch_size)
        yield f"  reads: {'yes' if check.reason is None else 'no: ' + check.reason}"


def _describe_batches(batches: torch_batches.BatchesRead, *, batch_size: int) -> Iterator[str]:
    number = "not known" if batches.num_batches is None else batches.num_batches
    yield f"  batches of {batch_size}: {number}, {batches.num_read} of them read"
    # Of a stream, the last is behind all others.
    none = (
        "there is none" if batches.num_read == batches.num_batches else "not read (--all_batches)"
    )
    for name, columns in (("first", batches.first), ("last", batches.last)):
        held = "; ".join(f"{column} {value}" for column, value in columns.items())
        yield f"  {name}: {held or none}"


def _as_json(
    opened: opened_splits.OpenedDataset, checks: Sequence[_SplitCheck], *, batch_size: int
) -> dict[str, Any]:
    """Returns what `--json` prints: `docs/hf_artifacts.md` lists the fields."""
    splits = []
    for check in checks:
        described: dict[str, Any] = {
            "split": check.split.name,
            "num_rows": check.num_rows,
            "columns": dict(check.columns),
            "is_good": check.reason is None,
            "reason": check.reason,
        }
        if check.batches is not None:
            described["loader"] = {"batch_size": batch_size, **dataclasses.asdict(check.batches)}
        splits.append(described)
    return {
        "format_name": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "dataset": opened.name,
        "config": opened.config or None,
        "commit": opened.commit or None,
        "place": opened.place,
        "directory": opened.directory or None,
        "splits": splits,
        "is_good": all(check.reason is None for check in checks),
    }
