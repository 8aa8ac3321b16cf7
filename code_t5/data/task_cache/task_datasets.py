"""Which data set each Task name belongs to, found without seqio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from code_t5 import errors
from code_t5.data import near_names
from code_t5.storage import prepared


def objective_names() -> list[str]:
    """Returns the suffixes of the Tasks whose objective is fixed."""
    from code_t5.data import objectives

    return list(objectives.OBJECTIVES)


def tasks_of(dataset_name: str) -> list[str]:
    """Returns the names of all Tasks of a data set."""
    return [prepared.task_name(dataset_name, one) for one in (None, *objective_names())]


def known_tasks(data_dir: str) -> dict[str, prepared.PreparedDataset]:
    """Returns the data set of every Task, of those built and of the published ones.

    Args:
      data_dir: The data directory.

    Returns:
      By name of the Task.
    """
    table = prepared.task_table(prepared.known_datasets(data_dir), objective_names())
    return {name: dataset for name, (dataset, _) in table.items()}


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
    built = [dataset.name for dataset in prepared.list_datasets(data_dir)]
    known = known_tasks(data_dir)
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
    hint = near_names.near_hint(name, known)
    suffixes = ", ".join(f"_{suffix}" for suffix in objective_names())
    return errors.InputError(
        f"{name!r} is no Task; wanted one of the data sets under {data_dir} "
        f"({', '.join(built) or 'none is built'}), alone or followed by one of {suffixes}, or of a "
        f"mixture its members; give another name or another --data_dir{hint}"
    )
