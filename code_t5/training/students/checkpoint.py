"""A student's checkpoint: weights, the optimizer's moments, and how far its training has come.

    OUTPUT_DIR/checkpoint/  state.safetensors  tensors: network.NAME, optimizer.NUMBER.NAME
                            manifest.json      what it is a checkpoint of, how far it is; checksum
                            COMPLETED          written last

A new one takes the place of the last in one step: whoever is killed goes on from a whole one. What
is random in training follows from seed and step, so nothing of generators is kept.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from code_t5 import errors, library_errors
from code_t5.storage import atomic, fingerprints, manifest
from code_t5.teacher_outputs import plan as plans

if TYPE_CHECKING:
    import torch

PathLike = Union[str, "os.PathLike[str]"]

FORMAT_NAME = "code_t5_student_checkpoint"
FORMAT_VERSION = 1
STATE_NAME = "state.safetensors"


def write_checkpoint(
    folder: PathLike,
    *,
    tensors: Mapping[str, torch.Tensor],
    identity: Mapping[str, Any],
    progress: Mapping[str, Any],
) -> None:
    """Writes a checkpoint in place of the one that is there.

    Args:
      folder: The checkpoint's.
      tensors: By name; no two share memory.
      identity: JSON values: what it is a checkpoint of.
      progress: JSON values: how far training has come.
    """
    import safetensors.torch

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    data = safetensors.torch.save(plain)
    with atomic.directory(folder) as temporary:
        (temporary / STATE_NAME).write_bytes(data)
        manifest.write_manifest(
            temporary,
            {
                "format_name": FORMAT_NAME,
                "format_version": FORMAT_VERSION,
                "identity": dict(identity),
                "progress": dict(progress),
                "sha256": fingerprints.hash_bytes(data),
            },
        )


def read_checkpoint(
    folder: PathLike, *, identity: Mapping[str, Any]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Reads a checkpoint.

    Args:
      folder: The checkpoint's.
      identity: What it must be a checkpoint of.

    Returns:
      Tensors and progress; None if there is no checkpoint.

    Raises:
      ArtifactError: It is damaged or of another version.
      InputError: It is of another student, of other samples or other settings; each is named.
    """
    path = pathlib.Path(folder)
    if not os.path.lexists(path):
        return None
    mend = f"remove {path.parent}, or give another --output_dir"
    try:
        fields = manifest.read_manifest(
            path, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
        )
        manifest.check_manifest(path)
    except errors.ArtifactError as error:
        raise errors.ArtifactError(f"{error}; or {mend}") from error
    wanted = plans.as_json({"options": identity})["options"]
    differing = plans.differences({"": fields.get("identity")}, {"": wanted})
    if differing:
        raise errors.InputError(
            f"{path.parent} holds a student that was trained in another way: {differing}; wanted "
            f"to go on with it; give the same flags, or {mend}"
        )
    progress = fields.get("progress")
    if not isinstance(progress, dict):
        raise errors.ArtifactError(
            f"{path} does not say how far it is; wanted a checkpoint as it was written; {mend}"
        )
    return _read_tensors(path / STATE_NAME, sha256=fields.get("sha256"), mend=mend), progress


def _read_tensors(path: pathlib.Path, *, sha256: Any, mend: str) -> dict[str, torch.Tensor]:
    """Returns the tensors of a file.

    Raises:
      ArtifactError: It is not as it was written.
    """
    import safetensors
    import safetensors.torch

    found = "its checksum is another"
    try:
        data = path.read_bytes()
        if fingerprints.hash_bytes(data) == sha256:
            tensors: dict[str, torch.Tensor] = safetensors.torch.load(data)
            return tensors
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        found = library_errors.one_line(error)
    raise errors.ArtifactError(f"{path} is damaged ({found}); wanted it as it was written; {mend}")


def collect_tensors(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """Returns all that a checkpoint holds; weights that are shared come once.

    Args:
      network: That is trained.
      optimizer: Of its parameters.
    """
    found = {f"network.{name}": value for name, value in _values(network).items()}
    for number, state in optimizer.state_dict()["state"].items():
        found.update({f"optimizer.{number}.{name}": value for name, value in state.items()})
    return found


def restore_tensors(
    tensors: Mapping[str, torch.Tensor],
    *,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Puts back what `collect_tensors` gave.

    Args:
      tensors: Of a checkpoint.
      network: Gets its weights.
      optimizer: Gets its moments.

    Raises:
      ArtifactError: They are of another network.
    """
    import torch

    values = {f"network.{name}": value for name, value in _values(network).items()}
    found = {name: tensors[name].shape for name in tensors if name.startswith("network.")}
    if found != {name: value.shape for name, value in values.items()}:
        raise errors.ArtifactError(
            f"the checkpoint has {len(found)} tensors of a network; wanted the {len(values)} of "
            "this student, of the same names and shapes; give another --output_dir"
        )
    with torch.no_grad():
        for name, value in values.items():
            value.copy_(tensors[name])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _values(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}
