"""Cores, memory and disk of this machine, as far as a training is concerned.

A container may be given less than the machine has (a *limit* of its control group); what is given
counts. Sizes are in bytes.
"""

from __future__ import annotations

import os
import pathlib
import platform
import shutil

from code_t5.training.devices.findings import NOTE, PROBLEM, Finding

_CGROUP = pathlib.Path("/sys/fs/cgroup")
_PROC = pathlib.Path("/proc")
# What matters to TensorFlow: without AVX it does not start; the others are quick bfloat16.
_SHOWN_FLAGS = ("avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")
# The dev size took this at its peak (docs/training.md), and its checkpoints little.
_LEAST_MEMORY = 4 * 2**30
_LEAST_DISK = 2 * 2**30


def examine(folder: str = ".") -> list[Finding]:
    """Returns what the machine has.

    Args:
      folder: Where checkpoints are going to be written.
    """
    return [_platform(), _cpu(), _memory(), _disk(folder)]


def _platform() -> Finding:
    found = f"{platform.system()} {platform.machine()}"
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        return Finding("machine", found)
    return Finding(
        "machine", f"{found}; wanted Linux x86_64, which the wheels are for", PROBLEM, "use another"
    )


def cpu_flags(proc: pathlib.Path = _PROC) -> list[str]:
    """Returns which of the instruction sets that matter the processor has.

    Args:
      proc: Where the kernel tells of it.
    """
    try:
        text = (proc / "cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            has = set(value.split())
            return [flag for flag in _SHOWN_FLAGS if flag in has]
    return []


def num_cores(cgroup: pathlib.Path = _CGROUP) -> float:
    """Returns how many cores' time this process may take.

    Args:
      cgroup: Where the control group tells of its limits.
    """
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        return cores if quota == "max" else min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        return cores


def memory_bytes(proc: pathlib.Path = _PROC, *, cgroup: pathlib.Path = _CGROUP) -> tuple[int, int]:
    """Returns how much memory there is, and how much of it is free.

    Args:
      proc: Where the kernel tells of it.
      cgroup: Where the control group tells of its limits.
    """
    fields = {}
    try:
        for line in (proc / "meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            fields[name] = int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    total, free = fields.get("MemTotal", 0), fields.get("MemAvailable", 0)
    try:
        limit = int((cgroup / "memory.max").read_text(encoding="ascii"))
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return total, free
    return min(total, limit), min(free, max(0, limit - used))


def gibibytes(size_bytes: int) -> str:
    """Returns a size for people.

    >>> gibibytes(3 * 2**29)
    '1.5 GiB'
    """
    return f"{size_bytes / 2**30:.1f} GiB"


def _cpu() -> Finding:
    flags, cores = cpu_flags(), num_cores()
    found = f"{cores:g} cores; {' '.join(flags) or 'instruction sets unknown'}"
    if flags and "avx" not in flags:
        return Finding("CPU", f"{found}; wanted AVX: TensorFlow ends without it", PROBLEM)
    fast = "avx512_bf16" in flags or "amx_bf16" in flags
    return Finding("CPU", f"{found} ({'with' if fast else 'without'} quick bfloat16)")


def _memory() -> Finding:
    total, free = memory_bytes()
    found = f"{gibibytes(total)}, {gibibytes(free)} of it free"
    if free < _LEAST_MEMORY:
        note = f"{found}; the dev size takes up to {gibibytes(_LEAST_MEMORY)}"
        return Finding("memory", note, NOTE, "end other programs, or train a smaller vocabulary")
    return Finding("memory", found)


def _disk(folder: str) -> Finding:
    usage = shutil.disk_usage(folder)
    found = f"{gibibytes(usage.free)} free of {gibibytes(usage.total)} in {folder}"
    if usage.free < _LEAST_DISK:
        return Finding("disk", found, NOTE, "free some before a training saves checkpoints")
    return Finding("disk", found)
