"""Lists every Task and Mixture with its splits, numbers of examples and where it is cached."""

from __future__ import annotations

import dataclasses
from typing import Any

from code_t5 import errors


@dataclasses.dataclass(frozen=True)
class Entry:
    """A Task or Mixture.

    Attributes:
      name: Of it.
      is_mixture: Which it is.
      counts: By split, how many records there are; None where it is not known.
      cached: By split, how many examples are cached.
      cache_dir: Where; None where it is not cached. Of a Mixture, that of its first Task if all
        are cached.
      members: The Tasks of a Mixture with their shares of it.
      problem: Why it cannot be read; None if it can.
    """

    name: str
    is_mixture: bool
    counts: dict[str, int | None] = dataclasses.field(default_factory=dict)
    cached: dict[str, int] = dataclasses.field(default_factory=dict)
    cache_dir: str | None = None
    members: tuple[tuple[str, float], ...] = ()
    problem: str | None = None


def _count(task: Any, split: str) -> int | None:
    try:
        return task.num_input_examples(split)
    except (KeyError, ValueError):
        return None


def _cached_counts(task: Any) -> tuple[str | None, dict[str, int]]:
    where = task.cache_dir
    if where is None:
        return None, {}
    found = {}
    for split in task.splits:
        try:
            found[split] = int(task.get_cached_stats(split)["examples"])
        except (KeyError, ValueError):
            continue
    return where, found


def _task_entry(task: Any) -> Entry:
    try:
        where, cached = _cached_counts(task)
        counts = {split: _count(task, split) for split in task.splits}
    except errors.NotBuiltError:
        return Entry(task.name, False, problem="not built")
    except Exception as error:  # noqa: BLE001 - another project's Task may fail in any way
        return Entry(task.name, False, problem=" ".join(str(error).split()) or repr(error))
    return Entry(task.name, False, counts=counts, cached=cached, cache_dir=where)


def _mixture_entry(mixture: Any, by_name: dict[str, Entry]) -> Entry:
    tasks = mixture.tasks
    entries = [by_name.get(task.name) or _task_entry(task) for task in tasks]
    unread = [entry for entry in entries if entry.problem]
    if unread:
        names = tuple((task.name, 0.0) for task in tasks)
        problem = f"{unread[0].problem} ({unread[0].name})"
        return Entry(mixture.name, True, members=names, problem=problem)
    try:
        rates = [float(mixture.get_rate(task)) for task in tasks]
    except Exception as error:  # noqa: BLE001 - a rate may be any function
        return Entry(mixture.name, True, problem=" ".join(str(error).split()))
    total = sum(rates) or 1.0
    counts: dict[str, int | None] = {}
    for entry in entries:
        for split, count in entry.counts.items():
            before = counts.get(split, 0)
            counts[split] = None if count is None or before is None else before + count
    all_cached = all(entry.cache_dir for entry in entries)
    cached: dict[str, int] = {}
    for entry in entries if all_cached else ():
        for split, count in entry.cached.items():
            cached[split] = cached.get(split, 0) + count
    return Entry(
        mixture.name,
        True,
        counts=counts,
        cached=cached,
        cache_dir=entries[0].cache_dir if all_cached else None,
        members=tuple((task.name, rate / total) for task, rate in zip(tasks, rates)),
    )


def _register_from_gin() -> list[Entry]:
    """Registers the mixtures that gin defines; returns those that cannot be."""
    from code_t5.data import gin_mixtures, mixture_definitions

    problems = []
    for name in mixture_definitions.bound_names():
        try:
            gin_mixtures.register_gin_mixtures([name])
        except errors.NotBuiltError:
            problems.append(Entry(name, True, problem="not built"))
        except errors.CodeT5Error as error:
            problems.append(Entry(name, True, problem=str(error)))
    return problems


def list_entries() -> list[Entry]:
    """Returns every Task, then every Mixture that is registered or that gin defines, each by name.

    Those that cannot be read come last.
    """
    import seqio

    problems = _register_from_gin()
    tasks = [_task_entry(seqio.TaskRegistry.get(name)) for name in seqio.TaskRegistry.names()]
    by_name = {entry.name: entry for entry in tasks}
    mixtures = problems + [
        _mixture_entry(seqio.MixtureRegistry.get(name), by_name)
        for name in seqio.MixtureRegistry.names()
        if name not in {entry.name for entry in problems}
    ]

    def order(entry: Entry) -> tuple[bool, str]:
        return entry.problem is not None, entry.name

    return sorted(tasks, key=order) + sorted(mixtures, key=order)
