from __future__ import annotations

import pytest

from code_t5.token_cache.sharing import free_memory

_GB = 1 << 30


def _write_machine(root, *, available_kb, group):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:  {available_kb} kB\n")
    (root / "proc/self/cgroup").write_text(group)


def _write_group(folder, *, names, limit, usage, stat=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(stat)


_NEW = ("memory.max", "memory.current")
_OLD = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def test_machine_without_groups_gives_what_is_available(tmp_path):
    _write_machine(tmp_path, available_kb=3, group="")
    assert free_memory.available_bytes(str(tmp_path)) == 3 * 1024


def test_smallest_of_the_groups_counts(tmp_path):
    _write_machine(tmp_path, available_kb=9 * 1024 * 1024, group="0::/job/step\n")
    base = tmp_path / "sys/fs/cgroup"
    _write_group(base / "job", names=_NEW, limit=4 * _GB, usage=_GB)
    _write_group(base / "job/step", names=_NEW, limit="max", usage=_GB)
    assert free_memory.available_bytes(str(tmp_path)) == 3 * _GB


def test_pages_of_files_count_as_free(tmp_path):
    _write_machine(tmp_path, available_kb=9 * 1024 * 1024, group="0::/\n")
    stat = f"anon 7\nactive_file {_GB}\ninactive_file 5\nshmem 3\n"
    _write_group(tmp_path / "sys/fs/cgroup", names=_NEW, limit=4 * _GB, usage=3 * _GB, stat=stat)
    assert free_memory.available_bytes(str(tmp_path)) == 2 * _GB + 5


def test_groups_of_the_first_version_count(tmp_path):
    lines = "3:cpu:/other\n4:memory:/job\n0::/\n"
    _write_machine(tmp_path, available_kb=9 * 1024 * 1024, group=lines)
    base = tmp_path / "sys/fs/cgroup/memory"
    stat = f"active_file 1\ntotal_active_file {_GB}\n"
    _write_group(base, names=_OLD, limit=2**63 - 4096, usage=_GB)
    _write_group(base / "job", names=_OLD, limit=2 * _GB, usage=2 * _GB, stat=stat)
    assert free_memory.available_bytes(str(tmp_path)) == _GB


@pytest.mark.parametrize("group", ["0::/a/path/of/the/host\n", "0::/../../outside\n", "nothing\n"])
def test_path_of_a_group_that_is_not_there_falls_back(tmp_path, group):
    _write_machine(tmp_path, available_kb=9 * 1024 * 1024, group=group)
    _write_group(tmp_path / "sys/fs/cgroup", names=_NEW, limit=_GB, usage=1)
    expected = 9 * _GB if group == "nothing\n" else _GB - 1
    assert free_memory.available_bytes(str(tmp_path)) == expected


def test_group_above_its_limit_has_no_room(tmp_path):
    _write_machine(tmp_path, available_kb=1024, group="0::/\n")
    _write_group(tmp_path / "sys/fs/cgroup", names=_NEW, limit=5, usage=9)
    assert free_memory.available_bytes(str(tmp_path)) == 0


def test_system_that_says_nothing_gives_none(tmp_path):
    assert free_memory.available_bytes(str(tmp_path)) is None


def test_this_machine_has_room():
    assert free_memory.available_bytes() > 1 << 20
