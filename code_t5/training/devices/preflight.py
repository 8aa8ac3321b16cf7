"""Looks over the devices of a run once gin is read and before a graph is built.

Whatever is wrong ends the trainer in one line per fault: what was found, what was wanted, what to
do. What only looks wrong is a warning in the log.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import gin
from absl import logging

from code_t5 import errors
from code_t5.data import trainer_errors
from code_t5.training.devices import cuda_libraries, cuda_loading, gpus, meshes, run_plan

CPU_VARIABLE = "CODE_T5_CPU_FOR_GPU"
_CPU_SWITCH = "code_t5.preflight.cpu_for_gpu"
_MESH_DEVICES = "mesh_tensorflow.transformer.utils.run.mesh_devices"
_YES, _NO = ("1", "true", "yes"), ("", "0", "false", "no")


@gin.configurable(module="code_t5")
def preflight(cpu_for_gpu: bool = False) -> bool:
    """Holds the preflight's switch for gin; the check itself reads it before gin is locked.

    Args:
      cpu_for_gpu: Whether CPUs stand in for GPUs that are not there.

    Returns:
      The same.
    """
    return cpu_for_gpu


def register() -> None:
    """Has gin run the check when everything is parsed; a second call changes nothing."""
    if check_before_run not in gin.config._FINALIZE_HOOKS:
        gin.config.register_finalize_hook(check_before_run)


def check_before_run(config: run_plan.Config) -> dict[str, Any] | None:
    """Checks a run of the trainer; gin calls it with all that it has parsed.

    Args:
      config: gin's, with everything parsed.

    Returns:
      The bindings that are to be changed: devices, where CPUs stand in for GPUs.

    Raises:
      SystemExit: In the trainer, something does not do; the message is one line.
      CodeT5Error: The same elsewhere.
    """
    values = trainer_errors.trainer_flags()
    # TPUs place operations themselves, and the Model API brings its own mesh.
    if values is None or values["tpu"].value or values["use_model_api"].value:
        return None
    with trainer_errors.one_line_errors():
        plan = run_plan.read_plan(config)
        problems = meshes.problems(plan)
        gpu_problems, devices = _look_for_gpus(plan)
        _refuse([*problems, *gpu_problems, *_precision_problems(plan)])
    return None if devices is None else {_MESH_DEVICES: devices}


def _refuse(problems: list[str]) -> None:
    """Ends the run if something is wrong; of several faults the last one said is the first found.

    Raises:
      InputError: There is a fault.
    """
    for problem in problems[:0:-1]:
        logging.error(problem)
    if problems:
        raise errors.InputError(problems[0])


def _look_for_gpus(plan: meshes.RunPlan) -> tuple[list[str], list[str] | None]:
    """Returns what is wrong with the GPUs, and the devices to take in their place."""
    num_gpus = num_tensorflow_gpus()
    missing = [number for number in meshes.gpu_numbers(plan.devices) if number >= num_gpus]
    if missing and is_cpu_wanted():
        devices = meshes.on_cpu(plan.devices or ())
        logging.warning(
            "CPUs stand in for GPUs, as %s or %s says: mesh_devices is %s in place of %s",
            *(_CPU_SWITCH, CPU_VARIABLE, devices, list(plan.devices or ())),
        )
        return [], devices
    for warning in meshes.warnings(plan, num_gpus=num_gpus):
        logging.warning(warning)
    if missing:
        return [_missing_gpus(plan, missing, num_gpus)], None
    if num_gpus == 0 and not any(plan.devices or ()):
        _warn_of_idle_gpus()
    if num_gpus and meshes.gpu_numbers(plan.devices):
        wrong = cuda_loading.wrong_versions()
        # TensorFlow has what it needs to see a GPU; what else is missing only may be needed.
        for problem in () if wrong else cuda_loading.whats_missing():
            logging.warning(problem)
        return wrong, None
    return [], None


def num_tensorflow_gpus() -> int:
    """Returns how many GPUs TensorFlow sees."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def is_cpu_wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Returns whether CPUs may stand in for GPUs: as gin says, else as the environment does.

    Args:
      environ: The process's environment.

    Raises:
      InputError: The environment or gin says neither yes nor no.
    """
    said = run_plan.parameter(_CPU_SWITCH)
    if isinstance(said, bool):
        return said
    if said is not None:
        raise errors.InputError(f"{_CPU_SWITCH} is {said!r}; wanted True or False; set one of them")
    value = environ.get(CPU_VARIABLE, "").strip().lower()
    if value not in _YES + _NO:
        raise errors.InputError(
            f"{CPU_VARIABLE} is {environ[CPU_VARIABLE]!r}; wanted 1 or 0; set one of them"
        )
    return value in _YES


def _missing_gpus(plan: meshes.RunPlan, missing: list[int], num_gpus: int) -> str:
    reason = why_no_gpu(num_gpus)
    named = ", ".join(f"gpu:{number}" for number in missing)
    sees = f"only gpu:0 to gpu:{num_gpus - 1}" if num_gpus > 1 else "only gpu:0"
    sees = sees if num_gpus else "no GPU"
    mend = '--gin_file="meshes/cpu_1.gin"' if num_gpus == 0 else "a smaller mesh of meshes/"
    return (
        f"the mesh {plan.shape} names {named} and TensorFlow sees {sees}: {reason}; mend that, or "
        f"take {mend}, or let CPUs stand in: "
        f'--gin_param="{_CPU_SWITCH} = True" or {CPU_VARIABLE}=1'
    )


def why_no_gpu(num_gpus: int = 0) -> str:
    """Returns why TensorFlow sees no GPU, or fewer than wanted: what is missing, what to do.

    Args:
      num_gpus: How many it sees.
    """
    driver = gpus.read_driver()
    visible = gpus.visible_gpus(driver)
    if num_gpus and num_gpus >= len(driver.gpus):
        return "the machine has no more"
    hidden = gpus.why_hidden(driver)
    if hidden is not None and len(visible) <= num_gpus:
        return hidden
    missing = cuda_loading.whats_missing()
    if missing:
        return missing[0]
    if not cuda_loading.is_mapped(cuda_libraries.RUNTIME):
        return (
            "the CUDA libraries were not there when TensorFlow was imported; start the program "
            "by python -m code_t5.training.devices.run_with_cuda MODULE"
        )
    return "driver and CUDA libraries are there; look at what TensorFlow logged above"


def _warn_of_idle_gpus() -> None:
    """Says so if there are GPUs that TensorFlow does not see, and no device was named."""
    if gpus.visible_gpus(gpus.read_driver()):
        logging.warning(
            "this machine has a GPU that TensorFlow does not see, so the run is on the CPU: %s",
            why_no_gpu(),
        )


def _precision_problems(plan: meshes.RunPlan) -> list[str]:
    values = trainer_errors.trainer_flags()
    if values is None:
        return []
    # None where none was given.
    gin_files, gin_params = (values[name].value or [] for name in ("gin_file", "gin_param"))
    statement = run_plan.overridden_precision(gin_files, gin_params)
    if statement is None:
        return []
    mixed = "float16" if meshes.gpu_numbers(plan.devices) else "auto"
    problem = (
        f"{statement.source} sets {statement.parameter} = {statement.value}, and without --tpu the "
        "trainer makes that float32 again; wanted no such line; remove it, and for mixed precision "
        f"set --gin_param=\"code_t5.session_config.precision = '{mixed}'\""
    )
    if plan.mode == "train":
        return [problem]
    logging.warning(problem)
    return []
