from __future__ import annotations

import ctypes

import pytest

from code_t5.training.devices import gpus
from code_t5.training.devices.gpus import Driver, Gpu

TWO = Driver("nvml", "535.1", (12, 2), (Gpu(0, "A", "GPU-aa"), Gpu(1, "B", "GPU-bb")))


class StandInNvml:
    """Answers as NVML does on a machine with two GPUs, of which the second has fallen off."""

    def __init__(self, status=0):
        self.status, self.is_shut_down = status, False

    def nvmlInit_v2(self):
        return self.status

    def nvmlShutdown(self):
        self.is_shut_down = True
        return 0

    def nvmlSystemGetCudaDriverVersion_v2(self, version):
        version._obj.value = 12020
        return 0

    def nvmlSystemGetDriverVersion(self, text, length):
        text.value = b"535.104.05"
        return 0

    def nvmlDeviceGetCount_v2(self, count):
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        handle._obj.value = 77
        return 0 if index.value == 0 else 15

    def nvmlDeviceGetName(self, handle, text, length):
        assert handle.value == 77
        text.value = b"NVIDIA A100"
        return 0

    def nvmlDeviceGetUUID(self, handle, text, length):
        text.value = b"GPU-1234"
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle, memory):
        memory._obj.total, memory._obj.used = 40 * 2**30, 2**30
        return 0

    def nvmlDeviceGetCudaComputeCapability(self, handle, major, minor):
        major._obj.value, minor._obj.value = 8, 0
        return 0


def no_library(name):
    raise OSError(f"{name}: cannot open shared object file")


def test_nvml_tells_of_the_driver_and_each_gpu():
    nvml = StandInNvml()
    driver = gpus.read_driver(open_library=lambda name: nvml)
    assert (driver.source, driver.version, driver.cuda_version) == ("nvml", "535.104.05", (12, 2))
    assert driver.gpus[0] == Gpu(0, "NVIDIA A100", "GPU-1234", 40 * 2**30, 2**30, (8, 0))
    assert driver.gpus[1] == Gpu(1, "a GPU that does not answer")
    assert nvml.is_shut_down


def test_structure_for_memory_is_as_long_as_nvmls():
    assert ctypes.sizeof(gpus._Memory) == 24


def test_driver_that_was_updated_under_a_running_machine_is_a_problem():
    driver = gpus.read_driver(open_library=lambda name: StandInNvml(status=18))
    assert "restart the machine" in driver.problem
    assert "error 18" in gpus.why_hidden(driver, {})


def test_machine_without_a_driver(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    driver = gpus.read_driver(open_library=no_library, proc=tmp_path)
    assert driver == Driver()
    assert "has no NVIDIA driver" in gpus.why_hidden(driver, {})


def test_nvidia_smi_is_asked_where_the_library_is_not_found(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, NVIDIA T4, 15360, [N/A], 535.1, GPU-1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    driver = gpus.read_driver(open_library=no_library, proc=tmp_path)
    assert driver.gpus == (Gpu(0, "NVIDIA T4", "GPU-1", 15360 * 2**20, None),)
    program.write_text("#!/bin/sh\nexit 9\n")
    assert gpus.read_driver(open_library=no_library, proc=tmp_path) == Driver()


def test_kernel_that_has_a_driver_in_a_container_without_its_libraries(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 2023\n"
    )
    (tmp_path / "gpus/0000:00:04.0").mkdir(parents=True)
    (tmp_path / "gpus/0000:00:04.0/information").write_text(
        "Model: \t\t NVIDIA L4\nIRQ:   \t\t 33\nGPU UUID: \t GPU-77\n"
    )
    driver = gpus.read_driver(open_library=no_library, proc=tmp_path)
    assert driver == Driver("proc", "535.104.05", None, (Gpu(0, "NVIDIA L4", "GPU-77"),))
    assert "its library libnvidia-ml.so.1 is not here" in gpus.why_hidden(driver, {})


@pytest.mark.parametrize(
    "value, names",
    [
        (None, "AB"),
        ("", ""),
        ("-1", ""),
        ("0", "A"),
        ("1,0", "BA"),
        (" 1 , 0 ", "BA"),
        ("0,2,1", "A"),
        ("0,0", "A"),
        ("GPU-bb", "B"),
        ("none", ""),
    ],
)
def test_visible_gpus_are_those_that_cuda_would_show(value, names):
    environ = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    assert "".join(gpu.name for gpu in gpus.visible_gpus(TWO, environ)) == names


def test_hidden_gpus_are_said_to_be_hidden():
    said = gpus.why_hidden(TWO, {"CUDA_VISIBLE_DEVICES": ""})
    assert said.startswith("CUDA_VISIBLE_DEVICES='' shows 0 of this machine's 2 GPUs")
    assert gpus.why_hidden(TWO, {}) is None


def test_driver_too_old_for_the_cuda_libraries_is_named_with_the_one_wanted():
    old = Driver("nvml", "440.33", (10, 2), TWO.gpus)
    assert "serves CUDA 10.2 at most; wanted 11.0" in gpus.why_hidden(old, {})


def test_driver_without_a_gpu():
    assert "finds no GPU" in gpus.why_hidden(Driver("nvml", "535.1", (12, 2)), {})
