"""What TensorFlow itself says, in a process of its own: prints one JSON object.

    python -m code_t5.training.devices.tensorflow_view

The keys: `version`, `cuda` and `cudnn` (what TensorFlow was made for), `devices` (what it sees),
`failed` (modules of the trainer that cannot be imported, with the error).
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from code_t5 import errors, library_errors
from code_t5.training.devices import cuda_loading

_MODULES = ("tensorflow", "tensorflow_text", "seqio", "mesh_tensorflow", "t5.models")


def look() -> dict[str, Any]:
    """Loads the CUDA libraries, imports what the trainer imports, and lists the devices."""
    said: dict[str, Any] = {
        **{"version": None, "cuda": None, "cudnn": None},
        **{"devices": [], "failed": {}},
    }
    try:
        cuda_loading.load_installed()
    except errors.CodeT5Error as error:
        said["failed"]["the CUDA libraries"] = str(error)
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever a broken installation raises
            said["failed"][name] = library_errors.one_line(error)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or "tensorflow" in said["failed"]:
        return said
    built = tensorflow.sysconfig.get_build_info()
    said["version"] = tensorflow.__version__
    said["cuda"], said["cudnn"] = built.get("cuda_version"), built.get("cudnn_version")
    said["devices"] = [device.name for device in tensorflow.config.list_physical_devices()]
    return said


if __name__ == "__main__":
    print(json.dumps(look()))
