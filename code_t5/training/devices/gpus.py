"""What NVIDIA driver and GPUs a machine has, asked without TensorFlow.

Words: *NVML* is the library of the driver that `nvidia-smi` is made of; a *visible* GPU is one that
`CUDA_VISIBLE_DEVICES` does not hide. Versions are tuples such as `(11, 8)`, memory is in bytes.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any, Callable

VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"
# CUDA 11.8 runs with the driver of any CUDA 11, by NVIDIA's table of minor version compatibility.
OLDEST_CUDA = (11, 0)
OLDEST_DRIVER = "450.80.02"
_NVML = "libnvidia-ml.so.1"
_PROC = pathlib.Path("/proc/driver/nvidia")
_SMI_FIELDS = "index,name,memory.total,memory.used,driver_version,uuid"
_SMI_SECONDS = 20
_TEXT_BYTES = 96


@dataclasses.dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
      index: As the driver counts.
      name: Of its kind.
      uuid: Its own; empty where unknown.
      memory_bytes: In all; None where unknown.
      used_bytes: Taken, by any process; None where unknown.
      capability: Compute capability; None where unknown.
    """

    index: int
    name: str
    uuid: str = ""
    memory_bytes: int | None = None
    used_bytes: int | None = None
    capability: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Driver:
    """The driver and its GPUs.

    Attributes:
      source: Who said so: `nvml`, `nvidia-smi`, `proc`, or `none` where there is no driver.
      version: Of the driver; None where unknown.
      cuda_version: The newest CUDA that the driver serves; None where unknown.
      gpus: In the driver's order.
      problem: What the driver itself complains of; empty for nothing.
    """

    source: str = "none"
    version: str | None = None
    cuda_version: tuple[int, int] | None = None
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


class _Memory(ctypes.Structure):
    """NVML's nvmlMemory_t."""

    _fields_ = [
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


def read_driver(
    *, open_library: Callable[[str], Any] = ctypes.CDLL, proc: pathlib.Path = _PROC
) -> Driver:
    """Returns what driver and GPUs there are, from the best source that answers.

    Args:
      open_library: Opens a shared library by its name.
      proc: The folder in which the kernel's part of the driver tells of itself.
    """
    try:
        nvml = open_library(_NVML)
    except OSError:
        return _from_smi() or _from_proc(proc)
    return _from_nvml(nvml) or _from_proc(proc)


def _from_nvml(nvml: Any) -> Driver | None:
    status = nvml.nvmlInit_v2()
    if status != 0:
        found = _from_proc(_PROC)
        said = f"its library {_NVML} fails with error {status}"
        # 18: the library is not of the version that the kernel has loaded.
        said += ": the driver was updated, restart the machine" if status == 18 else ""
        return dataclasses.replace(found, problem=said)
    try:
        cuda, count = ctypes.c_int(0), ctypes.c_uint(0)
        nvml.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(cuda))
        nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        gpus = tuple(_nvml_gpu(nvml, index) for index in range(count.value))
        version = _nvml_text(nvml.nvmlSystemGetDriverVersion)
    finally:
        nvml.nvmlShutdown()
    number = cuda.value
    cuda_version = (number // 1000, number % 1000 // 10) if number else None
    return Driver("nvml", version or None, cuda_version, gpus)


def _nvml_text(function: Callable[..., int], *handle: Any) -> str:
    text = ctypes.create_string_buffer(_TEXT_BYTES)
    if function(*handle, text, ctypes.c_uint(_TEXT_BYTES)) != 0:
        return ""
    return text.value.decode("utf-8", errors="replace")


def _nvml_gpu(nvml: Any, index: int) -> Gpu:
    handle = ctypes.c_void_p()
    if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) != 0:
        return Gpu(index, "a GPU that does not answer")
    memory, major, minor = _Memory(), ctypes.c_int(0), ctypes.c_int(0)
    knows_memory = nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0
    asked = nvml.nvmlDeviceGetCudaComputeCapability
    knows_capability = asked(handle, ctypes.byref(major), ctypes.byref(minor)) == 0
    return Gpu(
        index,
        _nvml_text(nvml.nvmlDeviceGetName, handle),
        _nvml_text(nvml.nvmlDeviceGetUUID, handle),
        memory.total if knows_memory else None,
        memory.used if knows_memory else None,
        (major.value, minor.value) if knows_capability else None,
    )


def _from_smi() -> Driver | None:
    """Asks `nvidia-smi`; None where there is none or it fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, f"--query-gpu={_SMI_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SMI_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_smi(done.stdout) if done.returncode == 0 else None


def parse_smi(text: str) -> Driver:
    """Returns what a table of `nvidia-smi` says.

    Args:
      text: One line per GPU: index, name, MiB in all, MiB taken, version of the driver, UUID.

    >>> parse_smi("0, NVIDIA T4, 15360, 5, 535.1, GPU-1").gpus[0].memory_bytes
    16106127360
    """
    gpus, version = [], None
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 6 or not fields[0].isdigit():
            continue
        total, used = (int(one) * 2**20 if one.isdigit() else None for one in fields[2:4])
        gpus.append(Gpu(int(fields[0]), fields[1], fields[5], total, used))
        version = fields[4]
    return Driver("nvidia-smi", version, None, tuple(gpus))


def _from_proc(proc: pathlib.Path) -> Driver:
    try:
        said = (proc / "version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Driver()
    match = re.search(r"Kernel Module\D*(\d+(?:\.\d+)+)", said)
    gpus = []
    for index, path in enumerate(sorted(proc.glob("gpus/*/information"))):
        about = path.read_text(encoding="utf-8", errors="replace")
        fields = dict(re.findall(r"^([^:\n]+):[ \t]*(.*?)[ \t]*$", about, re.MULTILINE))
        gpus.append(Gpu(index, fields.get("Model", "NVIDIA GPU"), fields.get("GPU UUID", "")))
    return Driver("proc", match.group(1) if match else None, None, tuple(gpus))


def visible_gpus(driver: Driver, environ: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """Returns the GPUs that CUDA shows to a process, in the order in which it numbers them.

    Args:
      driver: What there is.
      environ: The process's environment.

    Returns:
      As CUDA reads the variable: the first entry that names no GPU ends the list.

    >>> driver = Driver("nvml", gpus=(Gpu(0, "a"), Gpu(1, "b")))
    >>> [gpu.name for gpu in visible_gpus(driver, {"CUDA_VISIBLE_DEVICES": "1,7,0"})]
    ['b']
    """
    wanted = environ.get(VISIBLE_VARIABLE)
    if wanted is None:
        return driver.gpus
    found: list[Gpu] = []
    for entry in wanted.split(","):
        name = entry.strip()
        named = [gpu for gpu in driver.gpus if _is_named(gpu, name)]
        if not named or named[0] in found:
            break
        found.append(named[0])
    return tuple(found)


def _is_named(gpu: Gpu, name: str) -> bool:
    if name.isdigit():
        return int(name) == gpu.index
    return bool(name) and bool(gpu.uuid) and gpu.uuid.startswith(name)


def why_hidden(driver: Driver, environ: Mapping[str, str] = os.environ) -> str | None:
    """Returns why CUDA finds no GPU, or fewer than there are, as far as the driver goes.

    Args:
      driver: What there is.
      environ: The process's environment.

    Returns:
      What was found and what to do, to be put into a sentence; None if all is well.
    """
    if driver.problem:
        return f"the NVIDIA driver does not work: {driver.problem}"
    if driver.source == "none":
        return (
            "this machine has no NVIDIA driver, or this container does not show it (start it with "
            "docker's --gpus all, or apptainer's --nv)"
        )
    if not driver.gpus:
        return f"the NVIDIA driver {driver.version or ''} finds no GPU; look at nvidia-smi"
    if driver.source == "proc":
        return (
            f"the kernel has the NVIDIA driver {driver.version or ''}, but its library {_NVML} is "
            "not here; install the driver's libraries, or start the container with them"
        )
    if driver.cuda_version is not None and driver.cuda_version < OLDEST_CUDA:
        shown = ".".join(map(str, driver.cuda_version))
        return (
            f"the NVIDIA driver {driver.version} serves CUDA {shown} at most; wanted 11.0; "
            f"install driver {OLDEST_DRIVER} or newer"
        )
    visible = visible_gpus(driver, environ)
    if len(visible) < len(driver.gpus):
        return (
            f"{VISIBLE_VARIABLE}={environ.get(VISIBLE_VARIABLE)!r} shows {len(visible)} of this "
            f"machine's {len(driver.gpus)} GPUs; unset it, or name those that are meant"
        )
    return None
