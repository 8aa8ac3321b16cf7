"""Which data set each Task name belongs to, found without seqio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from code_t5 import errors
from code_t5.data import prepared, task_names


def objective_names() -> list[str]:
    """Returns the suffixes of the Tasks whose objective is fixed."""
    from code_t5.data import objectives

    return list(objectives.OBJECTIVES)


def tasks_of(dataset_name: str) -> list[str]:
    """Returns the names of all Tasks of a data set."""
    return [dataset_name, *(f"{dataset_name}_{suffix}" for suffix in objective_names())]


def resolve_tasks(
    names: Sequence[str], *, data_dir: str
) -> dict[prepared.PreparedDataset, list[str]]:
    """Groups Task names by the data set that they read.

    Args:
      names: Of Tasks.
      data_dir: The data directory.

    Returns:
      Data set to names, both in the order in which they were given.

    Raises:
      InputError: There is no such Task.
      NotBuiltError: Its data set is a published one that is not built here.
    """
    datasets = {dataset.name: dataset for dataset in prepared.list_datasets(data_dir)}
    built = list(datasets)
    for name in prepared.PUBLISHED:
        datasets.setdefault(name, prepared.PreparedDataset(name, data_dir))
    known = {task: dataset for name, dataset in datasets.items() for task in tasks_of(name)}
    groups: dict[prepared.PreparedDataset, list[str]] = {}
    for name in dict.fromkeys(names):
        if name not in known:
            raise _unknown(name, known=known, built=built, data_dir=data_dir)
        known[name].read_manifest()
        groups.setdefault(known[name], []).append(name)
    return groups


def _unknown(
    name: str, *, known: Iterable[str], built: Sequence[str], data_dir: str
) -> errors.InputError:
    hint = task_names.near_hint(name, known)
    suffixes = ", ".join(f"_{suffix}" for suffix in objective_names())
    return errors.InputError(
        f"{name!r} is no Task; wanted one of the data sets under {data_dir} "
        f"({', '.join(built) or 'none is built'}), alone or followed by one of {suffixes}, or of a "
        f"mixture its members; give another name or another --data_dir{hint}"
    )
