"""How much memory this process may still take before the machine or its container runs short.

The machine's own answer is `MemAvailable`. A *control group* (a container, a batch system's job)
may allow less: its limit less what it uses, where pages of files count as free, since the kernel
drops them when it needs the room.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import NamedTuple


class _Files(NamedTuple):
    """Where one version of control groups says what a group may take.

    Attributes:
      base: The folder of the outermost group.
      limit: File with the limit in bytes, or a word that stands for none.
      usage: File with the bytes in use.
      reclaimable: The lines of `memory.stat` with the bytes of files' pages.
    """

    base: str
    limit: str
    usage: str
    reclaimable: tuple[str, ...]


_VERSION_1 = _Files(
    "sys/fs/cgroup/memory",
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_active_file", "total_inactive_file"),
)
_VERSION_2 = _Files(
    "sys/fs/cgroup", "memory.max", "memory.current", ("active_file", "inactive_file")
)


def available_bytes(root: str = "/") -> int | None:
    """Returns how many bytes can be taken, by the machine and by each group this process is in.

    Args:
      root: Where `proc` and `sys` are.

    Returns:
      The smallest of the answers; None where the system gives none.
    """
    rooms = [*_machine_room(pathlib.Path(root)), *_group_rooms(pathlib.Path(root))]
    return min(rooms) if rooms else None


def _read_numbers(path: pathlib.Path) -> dict[str, int]:
    """Returns the lines `name[:] number [unit]` of a file; {} where it cannot be read."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines]
    return {
        line[0].rstrip(":"): int(line[1]) for line in words if len(line) > 1 and line[1].isdigit()
    }


def _machine_room(root: pathlib.Path) -> Iterator[int]:
    found = _read_numbers(root / "proc/meminfo").get("MemAvailable")
    if found is not None:
        yield found * 1024


def _group_rooms(root: pathlib.Path) -> Iterator[int]:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in lines.splitlines():
        number, colon, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not colon:
            continue
        if number == "0":
            files = _VERSION_2
        elif "memory" in controllers.split(","):
            files = _VERSION_1
        else:
            continue
        base = root / files.base
        inner = base / path.lstrip("/")
        # Inside a container the path may be one of the host's: then the outermost group counts.
        for group in (inner, *inner.parents):
            if group != base and base not in group.parents:
                break
            yield from _room(group, files)


def _room(group: pathlib.Path, files: _Files) -> Iterator[int]:
    try:
        limit = (group / files.limit).read_text(encoding="ascii", errors="replace").strip()
        usage = (group / files.usage).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return
    if limit.isdigit() and usage.isdigit():
        stat = _read_numbers(group / "memory.stat")
        reclaimable = sum(stat.get(name, 0) for name in files.reclaimable)
        yield max(0, int(limit) - max(0, int(usage) - reclaimable))
