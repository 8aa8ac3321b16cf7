from __future__ import annotations

import pytest

from code_t5.training.devices import machine


def test_memory_is_that_of_the_control_group_where_it_is_less(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:  8388608 kB\nMemAvailable:  6291456 kB\n")
    assert machine.memory_bytes(tmp_path, cgroup=tmp_path) == (8 * 2**30, 6 * 2**30)
    (tmp_path / "memory.max").write_text(f"{4 * 2**30}\n")
    (tmp_path / "memory.current").write_text(f"{3 * 2**30}\n")
    assert machine.memory_bytes(tmp_path, cgroup=tmp_path) == (4 * 2**30, 2**30)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory_bytes(tmp_path, cgroup=tmp_path) == (8 * 2**30, 6 * 2**30)


@pytest.mark.parametrize("text, cores", [("50000 100000", 0.5), ("nonsense", 0), ("max 1", 0)])
def test_cores_are_those_that_the_control_group_gives(tmp_path, text, cores):
    (tmp_path / "cpu.max").write_text(text + "\n")
    found = machine.num_cores(tmp_path)
    assert found == (cores or machine.num_cores(tmp_path / "none"))
    assert found > 0


def test_instruction_sets_that_matter_are_picked_out(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu avx2 avx amx_bf16 sse\n")
    assert machine.cpu_flags(tmp_path) == ["avx", "avx2", "amx_bf16"]
    assert machine.cpu_flags(tmp_path / "none") == []


@pytest.mark.parametrize(
    "flags, state, said",
    [
        (["avx", "avx512_bf16"], "ok", "with quick bfloat16"),
        (["avx", "avx2"], "ok", "without quick bfloat16"),
        (["fma"], "problem", "wanted AVX"),
        ([], "ok", "instruction sets unknown"),
    ],
)
def test_processor_without_avx_is_a_problem(monkeypatch, flags, state, said):
    monkeypatch.setattr(machine, "cpu_flags", lambda: flags)
    finding = machine._cpu()
    assert finding.state == state
    assert said in finding.found


def test_little_memory_and_disk_are_noted(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "memory_bytes", lambda: (8 * 2**30, 2**30))
    monkeypatch.setattr(machine, "_LEAST_DISK", 2**60)
    found = {one.name: one for one in machine.examine(str(tmp_path))}
    assert found["memory"].state == found["disk"].state == "note"
    assert found["memory"].found.startswith("8.0 GiB, 1.0 GiB of it free")
