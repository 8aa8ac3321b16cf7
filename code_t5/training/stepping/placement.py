"""Says where the operations of a step are executed, from the graphs that TensorFlow made of it.

A *partition graph* is the part of a step that one device executes, after all rewriting. A *matrix
product* is an operation that multiplies matrices; nearly all of a model's arithmetic is in them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Also the forms that oneDNN, cuBLAS and XLA give them: _MklEinsum, _FusedMatMul, _XlaRun.
_MATRIX_PRODUCT = re.compile(r"^_?(Mkl|Fused|MklFused)*(Batch)?(MatMul|Einsum)(V\d)?(WithCache)?$")
_XLA = frozenset({"XlaLaunch", "_XlaRun", "XlaRun"})
# `/job:localhost/replica:0/task:0/device:GPU:1`, `/gpu:1`.
_DEVICE = re.compile(r"(?:device:)?(CPU|GPU|XLA_CPU|XLA_GPU):(\d+)$", re.IGNORECASE)
# How TensorFlow numbers its types; tensor types 14 and 19 have 16 bits.
_HALVES = {14: "bfloat16", 19: "float16"}
# Share of the matrix products from which on they count as misplaced.
_MISPLACED_SHARE = 0.5


@dataclasses.dataclass
class DeviceOperations:
    """What one device executes in a step.

    Attributes:
      num_operations: All operations.
      num_matrix_products: Those that multiply matrices; clusters of XLA count as one each.
      num_halves: Matrix products whose inputs have 16 bits.
    """

    num_operations: int = 0
    num_matrix_products: int = 0
    num_halves: int = 0


def _device_name(device: str) -> str:
    match = _DEVICE.search(device)
    return f"{match.group(1).upper()}:{match.group(2)}" if match else device or "no device"


def count_operations(graphs: Iterable[Any]) -> dict[str, DeviceOperations]:
    """Counts the operations of each device.

    Args:
      graphs: `GraphDef` messages, whose nodes name their devices.

    Returns:
      Counts by device, `CPU:0` for instance.
    """
    found: dict[str, DeviceOperations] = {}
    for graph in graphs:
        for node in graph.node:
            counts = found.setdefault(_device_name(node.device), DeviceOperations())
            counts.num_operations += 1
            if node.op in _XLA or _MATRIX_PRODUCT.match(node.op):
                counts.num_matrix_products += 1
                counts.num_halves += "T" in node.attr and node.attr["T"].type in _HALVES
    return found


def describe(devices: Mapping[str, DeviceOperations]) -> str:
    """Returns one line on what the devices do.

    Args:
      devices: What each executes; at least one.
    """
    total = _total(devices)
    parts = []
    for name, counts in sorted(devices.items()):
        operations = counts.num_operations / max(total.num_operations, 1)
        products = counts.num_matrix_products / max(total.num_matrix_products, 1)
        parts.append(f"{name} {operations:.1%} of operations, {products:.1%} of matrix products")
    line = (
        f"a step executes {total.num_operations:,} operations, {total.num_matrix_products:,} of "
        f"them matrix products: {'; '.join(parts)}"
    )
    if total.num_halves:
        line += f"; {total.num_halves:,} matrix products in 16 bits"
    return line


def misplaced(
    devices: Mapping[str, DeviceOperations], *, mesh_devices: Sequence[str]
) -> str | None:
    """Returns what to say if a mesh of GPUs works on the CPU; None if all is well.

    Args:
      devices: What each executes.
      mesh_devices: What the mesh names, such as `gpu:0`.
    """
    wanted = [device for device in mesh_devices if "gpu" in device.lower()]
    total = _total(devices).num_matrix_products
    on_cpu = sum(
        counts.num_matrix_products for name, counts in devices.items() if "CPU" in name.upper()
    )
    if not wanted or not total or on_cpu < _MISPLACED_SHARE * total:
        return None
    return (
        f"{on_cpu:,} of {total:,} matrix products are on the CPU though utils.run.mesh_devices "
        f"names {', '.join(wanted)}; wanted them there; `python scripts/doctor.py` says what the "
        "GPU lacks, or take meshes/cpu_1.gin"
    )


def _total(devices: Mapping[str, DeviceOperations]) -> DeviceOperations:
    counts = devices.values()
    return DeviceOperations(
        sum(count.num_operations for count in counts),
        sum(count.num_matrix_products for count in counts),
        sum(count.num_halves for count in counts),
    )
