"""Everything that a training needs, looked at without training: what `scripts/doctor.py` prints.

Nothing heavy is imported. TensorFlow is asked only on demand, in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from code_t5 import errors, visible_text
from code_t5.training.devices import cuda_libraries, cuda_loading, distributions, gpus, machine
from code_t5.training.devices.findings import NOTE, OK, PROBLEM, Finding

# Of what `--json` prints; another number for other names.
FORMAT = 1
_TENSORFLOW_SECONDS = 300
_MARKS = {OK: "ok     ", NOTE: "note   ", PROBLEM: "PROBLEM"}


def examine(*, with_tensorflow: bool = False, folder: str = ".") -> list[Finding]:
    """Returns all findings.

    Args:
      with_tensorflow: Whether to have a process import the trainer's libraries and ask TensorFlow
        for its devices; takes some seconds.
      folder: Where checkpoints are going to be written.
    """
    driver = gpus.read_driver()
    found = [
        distributions.examine_python(),
        *machine.examine(folder),
        *distributions.examine(distributions.read_installed()),
        *examine_gpus(driver),
        *examine_libraries(has_gpu=bool(gpus.visible_gpus(driver))),
    ]
    return found + (ask_tensorflow(driver) if with_tensorflow else [])


def examine_gpus(driver: gpus.Driver) -> list[Finding]:
    """Returns what is the case with driver and GPUs; a machine without them is no problem.

    Args:
      driver: What the machine has.
    """
    reason = gpus.why_hidden(driver)
    if driver.source == "none":
        return [Finding("GPU", f"none, so training runs on the CPU: {reason}", NOTE)]
    visible = gpus.visible_gpus(driver)
    cuda = "" if driver.cuda_version is None else ", CUDA {}.{}".format(*driver.cuda_version)
    found = [Finding("NVIDIA driver", f"{driver.version or 'version unknown'}{cuda}")]
    if reason is not None:
        found[0] = Finding("NVIDIA driver", reason, NOTE if visible else PROBLEM)
    for gpu in driver.gpus:
        said = gpu.name
        if gpu.memory_bytes is not None and gpu.used_bytes is not None:
            used, total = machine.gibibytes(gpu.used_bytes), machine.gibibytes(gpu.memory_bytes)
            said += f", {used} of {total} taken"
        if gpu.capability is not None:
            said += ", compute capability {}.{}".format(*gpu.capability)
        state = OK if gpu in visible else NOTE
        said += "" if gpu in visible else f", hidden by {gpus.VISIBLE_VARIABLE}"
        found.append(Finding(f"GPU {gpu.index}", said, state))
    return found


def examine_libraries(*, has_gpu: bool) -> list[Finding]:
    """Returns what is the case with the CUDA libraries; they are a problem only beside a GPU.

    Args:
      has_gpu: Whether there is one to use.
    """
    name = "CUDA libraries"
    try:
        missing = cuda_loading.whats_missing()
    except errors.InputError as error:
        return [Finding(name, str(error), PROBLEM)]
    if not missing:
        return [Finding(name, "CUDA 11.8 and cuDNN 8.6 or later can be loaded")]
    if not has_gpu and not cuda_libraries.find_installed(cuda_libraries.search_folders()).versions:
        return [Finding(name, "not installed, and not needed without a GPU", NOTE)]
    # The message ends with the command.
    parts = (line.partition("; run: ") for line in missing)
    state = PROBLEM if has_gpu else NOTE
    return [Finding(name, said, state, command) for said, _, command in parts]


def ask_tensorflow(driver: gpus.Driver, *, command: Sequence[str] = ()) -> list[Finding]:
    """Has a process import what the trainer imports and list TensorFlow's devices.

    Args:
      driver: What the machine has, to compare with.
      command: Prints a JSON object as `tensorflow_view.py` does; by default that program.
    """
    words = list(command) or [sys.executable, "-m", "code_t5.training.devices.tensorflow_view"]
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1")}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_TENSORFLOW_SECONDS, env=environ
        )
        said = dict(json.loads(done.stdout.strip().splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return [Finding("TensorFlow", f"did not answer in {_TENSORFLOW_SECONDS} s", PROBLEM)]
    except (ValueError, IndexError, TypeError):
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return [Finding("TensorFlow", f"did not answer: {last[0]}", PROBLEM)]
    return _findings_of_view(said, driver)


def _findings_of_view(said: dict[str, Any], driver: gpus.Driver) -> list[Finding]:
    found = [
        Finding(f"import {name}", f"failed: {error}", PROBLEM, "mend the distributions above")
        for name, error in said["failed"].items()
    ]
    if said["version"] is None:
        return found
    devices = ", ".join(said["devices"]) or "no device"
    found.append(Finding("TensorFlow", f"{said['version']} for CUDA {said['cuda']} sees {devices}"))
    num_seen = sum("GPU" in device for device in said["devices"])
    num_visible = len(gpus.visible_gpus(driver))
    if num_seen < num_visible:
        missed = f"TensorFlow sees {num_seen} of {num_visible} GPUs"
        found[-1] = Finding("TensorFlow", missed, PROBLEM, "mend the CUDA libraries above")
    return found


def is_well(findings: Sequence[Finding]) -> bool:
    """Returns whether nothing is a problem."""
    return all(finding.state != PROBLEM for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """Returns the findings for people: one line each, what mends it below."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.state]}  {finding.name:<{width}}  {finding.found}")
        if finding.mend:
            lines.append(f"{'':<9}{'':<{width}}  -> {finding.mend}")
    num = sum(finding.state == PROBLEM for finding in findings)
    lines.append(f"{num} problem{'' if num == 1 else 's'}" if num else "all is well")
    return "\n".join(visible_text.one_line(line) for line in lines)


def as_json(findings: Sequence[Finding]) -> str:
    """Returns the findings for programs: an object with `format`, `ok` and `findings`."""
    rows = [vars(finding) for finding in findings]
    return json.dumps({"format": FORMAT, "ok": is_well(findings), "findings": rows}, indent=2)
