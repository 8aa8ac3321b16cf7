"""Meshes as the trainer is told of them, and what is wrong with one before it is built.

Words: a *mesh* is an arrangement of devices, such as `model:2,batch:4`; its *places* are the
product of its numbers, one per device. The *layout* says which dimension of tensors is split over
which dimension of the mesh: `batch:batch` gives *replicas* of the model, `heads:model` cuts each
replica into *parts*. A *row* is one sequence of a batch.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

_DEVICE = re.compile(r"(?:^|/|device:)(cpu|gpu|tpu):(\d+)$", re.IGNORECASE)
# What the dimensions of tensors are called in messages, and the setting behind each.
_NAMES = {
    "heads": ("heads of attention", "num_heads"),
    "d_ff": ("the feed-forward width", "d_ff"),
    "vocab": ("the vocabulary with its padding", "Unitransformer.vocab_divisor"),
}


@dataclasses.dataclass(frozen=True)
class RunPlan:
    """What a run of the trainer is about to do, as far as devices go.

    Attributes:
      mode: Of the trainer: `train`, `perplexity_eval`, `infer` and so on.
      mesh: Its dimensions and their sizes.
      devices: A name per place; None if none were given.
      splits: Into how many pieces each dimension of tensors is cut, by its name.
      unused: Dimensions of the mesh, larger than 1, that no rule of the layout names.
      batch_size: Rows, or a method and its number; None where it is not known yet.
      sequence_length: Tokens of a row by feature; None where it is not known yet.
      microbatch_tokens: Tokens per replica that are worked off at once; None for the whole batch.
      sizes: The sizes of the model's dimensions by name: each must divide by its split.
    """

    mode: str
    mesh: tuple[tuple[str, int], ...]
    devices: tuple[str, ...] | None
    splits: Mapping[str, int] = dataclasses.field(default_factory=dict)
    unused: tuple[str, ...] = ()
    batch_size: int | tuple[str, int] | None = None
    sequence_length: Mapping[str, int] | None = None
    microbatch_tokens: int | None = None
    sizes: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    @property
    def num_places(self) -> int:
        """How many devices the mesh needs."""
        places = 1
        for _, size in self.mesh:
            places *= size
        return places

    @property
    def num_replicas(self) -> int:
        """Into how many pieces the batch is cut."""
        return self.splits.get("batch", 1) * self.splits.get("outer_batch", 1)

    @property
    def shape(self) -> str:
        """The mesh as gin has it."""
        return ",".join(f"{name}:{size}" for name, size in self.mesh)


def device_kind(name: str) -> tuple[str, int] | None:
    """Returns the kind and number of a device, or None if the name leaves it to TensorFlow.

    >>> device_kind("gpu:3"), device_kind("/job:a/device:CPU:0"), device_kind("")
    (('gpu', 3), ('cpu', 0), None)
    """
    match = _DEVICE.search(name)
    return (match.group(1).lower(), int(match.group(2))) if match else None


def gpu_numbers(devices: Sequence[str] | None) -> list[int]:
    """Returns the numbers of the GPUs among the names of devices."""
    kinds = (device_kind(name) for name in devices or ())
    return [kind[1] for kind in kinds if kind is not None and kind[0] == "gpu"]


def on_cpu(devices: Sequence[str]) -> list[str]:
    """Returns the names of devices with a CPU in the place of each GPU.

    >>> on_cpu(["gpu:0", "/device:GPU:1", "cpu:0"])
    ['cpu:0', 'cpu:1', 'cpu:0']
    """
    kinds = [(name, device_kind(name)) for name in devices]
    return [f"cpu:{kind[1]}" if kind and kind[0] == "gpu" else name for name, kind in kinds]


def problems(plan: RunPlan) -> list[str]:
    """Returns what will not work, one line each: what was found, what was wanted, what to do.

    Args:
      plan: The run; GPUs that are not there are another matter.
    """
    return [*_size_problems(plan), *_batch_problems(plan), *_model_problems(plan)]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _size_problems(plan: RunPlan) -> list[str]:
    found = []
    named = plan.devices is not None and any(plan.devices)
    if plan.devices is not None and len(plan.devices) != plan.num_places:
        found.append(
            f"the mesh {plan.shape} has {plan.num_places} places and mesh_devices names "
            f"{_count(len(plan.devices), 'device')}; wanted as many; set utils.run.mesh_devices to "
            f"{plan.num_places} devices, or take a file of meshes/ that has both"
        )
    elif plan.num_places > 1 and not named:
        found.append(
            f"the mesh {plan.shape} has {plan.num_places} places and no device is named for any, "
            "so one would do the work of all; wanted a name each; set utils.run.mesh_devices "
            f"to {plan.num_places} devices, or take a file of meshes/"
        )
    unknown = [name for name in plan.devices or () if name and device_kind(name) is None]
    if unknown:
        found.append(
            f"mesh_devices names {unknown[0]!r}, which is no device; wanted names such as 'gpu:0' "
            "or 'cpu:0'; set utils.run.mesh_devices"
        )
    for name in plan.unused:
        found.append(
            f"nothing is split over the dimension {name!r} of the mesh {plan.shape}, so its "
            "devices would all do the same; wanted one that utils.run.layout_rules name, as "
            "'model' or 'batch'; set utils.run.mesh_shape"
        )
    return found


def num_rows(plan: RunPlan) -> int | None:
    """Returns the rows of a batch as mesh-tensorflow's `compute_batch_size` counts them.

    Args:
      plan: The run.

    Returns:
      None where they are not known, or the number does not divide.
    """
    if plan.batch_size is None or isinstance(plan.batch_size, int):
        return plan.batch_size
    method, number = plan.batch_size
    if method in ("sequences_per_batch", "sequences_per_replica"):
        rows = number
    elif plan.sequence_length and number % max(plan.sequence_length.values()) == 0:
        rows = number // max(plan.sequence_length.values())
    else:
        return None
    return rows * plan.num_replicas if method.endswith("per_replica") else rows


_METHODS = (
    *("sequences_per_batch", "sequences_per_replica"),
    *("tokens_per_batch", "tokens_per_replica"),
)


def _batch_problems(plan: RunPlan) -> list[str]:
    if isinstance(plan.batch_size, tuple):
        method, number = plan.batch_size
        if method not in _METHODS:
            return [
                f"utils.run.batch_size counts by {method!r}; wanted one of {', '.join(_METHODS)}, "
                "or a number of rows; set it"
            ]
        longest = max(plan.sequence_length.values()) if plan.sequence_length else None
        if method.startswith("tokens") and longest and (number % longest or number < longest):
            better = max(1, round(number / longest)) * longest
            return [
                f"utils.run.batch_size = {plan.batch_size} does not divide by the longest row, "
                f"{longest} tokens; wanted a multiple; set utils.run.batch_size = "
                f"{(method, better)}"
            ]
    rows, replicas = num_rows(plan), plan.num_replicas
    if rows is None or (rows > 0 and rows % replicas == 0):
        return []
    better = max(1, -(-rows // replicas)) * replicas
    value: object = better
    if isinstance(plan.batch_size, tuple) and plan.batch_size[0] == "tokens_per_batch":
        value = ("tokens_per_batch", better * max((plan.sequence_length or {"": 1}).values()))
    return [
        f"a batch of {rows} rows does not divide by the {replicas} replicas of the mesh "
        f"{plan.shape}; wanted a multiple; set utils.run.batch_size = {value}"
    ]


def _model_problems(plan: RunPlan) -> list[str]:
    found = []
    for dimension, sizes in plan.sizes.items():
        parts = plan.splits.get(dimension, 1)
        for size in sorted({size for size in sizes if size % parts}):
            what, setting = _NAMES.get(dimension, (dimension, dimension))
            found.append(
                f"{what}, {size}, does not divide by the {parts} parts of a replica on the mesh "
                f"{plan.shape}; wanted a multiple; take a mesh with fewer model parts, or set "
                f"{setting}"
            )
    return found


def warnings(plan: RunPlan, *, num_gpus: int | None = None) -> list[str]:
    """Returns what will work and is hardly meant, one line each.

    Args:
      plan: A run without problems.
      num_gpus: How many GPUs TensorFlow sees; None if nobody asked.
    """
    found, numbers = _microbatch_warnings(plan), gpu_numbers(plan.devices)
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        found.append(
            f"mesh_devices names gpu:{twice[0]} {numbers.count(twice[0])} times, so that GPU does "
            "the work of several places; name each GPU once in utils.run.mesh_devices"
        )
    num_used = len(set(numbers))
    named = plan.devices is not None and any(plan.devices)
    if num_gpus and named and not num_used:
        found.append(
            f"the mesh names no GPU, but TensorFlow sees {num_gpus} and takes the memory of all; "
            'take --gin_file="meshes/gpu_1.gin", or set CUDA_VISIBLE_DEVICES= in the environment'
        )
    elif num_gpus and max(num_used, 1) < num_gpus:
        found.append(
            f"the mesh uses {max(num_used, 1)} of the {num_gpus} GPUs that TensorFlow sees, and "
            "takes the memory of all; take a larger mesh of meshes/, or hide the others by "
            "CUDA_VISIBLE_DEVICES"
        )
    return found


def _microbatch_warnings(plan: RunPlan) -> list[str]:
    rows = num_rows(plan)
    if plan.mode != "train" or rows is None or not plan.microbatch_tokens:
        return []
    if not plan.sequence_length:
        return []
    per_replica = rows // plan.num_replicas
    asked = max(1, plan.microbatch_tokens // max(plan.sequence_length.values()))
    asked = min(asked, per_replica)
    done = asked
    # As mesh-tensorflow's serialize_num_microbatches finds its piece.
    while per_replica % done:
        done -= 1
    if done * 2 >= asked:
        return []
    return [
        f"the {per_replica} rows of a replica do not divide into pieces of {asked}, so they are "
        f"worked off in {per_replica // done} pieces of {done}, which is slow; set "
        f"utils.run.batch_size to a multiple of {asked * plan.num_replicas}"
    ]
