from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from small_build import config_for as _config
from small_build import dataset_folder as _folder
from small_build import examples_of as _examples
from small_build import ledger_rows as _rows
from small_build import run_build as _build
from small_build import tree_bytes as _tree_bytes

from code_t5 import errors
from code_t5.storage import atomic
from fakes import some_code, write_code_repositories, write_flcc
from preprocessing import (
    build,
    build_config,
    flcc_layout,
    scan,
    splits,
)


def test_every_file_has_one_ledger_line_and_kept_ones_a_record(tmp_path):
    write_code_repositories(tmp_path / "in")
    write_flcc(
        tmp_path / "in",
        {
            "zoo/fork/master/copy_1.py": some_code(1000).replace("\n", "\r\n"),
            "zoo/fork/master/empty_2.py": "",
            "zoo/fork/master/bad_3.py": b"\xff",
            "zoo/fork/master/own_4.py": some_code(99),
        },
        paths={"zoo/fork/master": {"own_4.py": "src/own.py", "gone_5.py": "gone.py"}},
    )
    config = _config(tmp_path)
    report = _build(config)
    rows = _rows(config)
    assert [row["file_id"] for row in rows] == list(range(44))
    assert report["num_files"] == 44 == sum(report["files_by_verdict"].values())
    assert report["files_by_verdict"] == {
        "kept": 41, "not_utf8": 1, "empty": 1, "exact_duplicate": 1,
    }  # fmt: skip
    copy = next(row for row in rows if row["flat_name"] == "copy_1.py")
    original = next(row for row in rows if row["content_hash"] == copy["content_hash"])
    assert copy["duplicate_of"] == original["file_id"] != copy["file_id"]
    assert (copy["split"], original["verdict"]) == (None, "kept")
    own = next(row for row in rows if row["flat_name"] == "own_4.py")
    assert own["path"] == "src/own.py"
    assert report["problems"] == [
        "repositories/zoo/fork/master/paths.json names 1 file(s) that are not there, the first is "
        "'gone_5.py'; ignored"
    ]
    examples = _examples(config)
    assert len(examples) == 41
    by_hash = {row["content_hash"]: row for row in rows if row["verdict"] == "kept"}
    for split, example in examples:
        row = by_hash.pop(example["content_hash"].decode())
        assert row["split"] == split
        for name in ("path", "repository", "branch", "language"):
            assert example[name].decode() == row[name]
        assert example["size"] == len(example["text"])
    assert by_hash == {}


def test_no_repository_stands_in_two_splits(tmp_path):
    write_code_repositories(tmp_path / "in", num_repositories=12)
    config = _config(tmp_path, splits=splits.SplitConfig(0.2, 0.2))
    report = _build(config)
    found: dict[bytes, set[str]] = {}
    for split, example in _examples(config):
        found.setdefault(example["repository"], set()).add(split)
    assert all(len(names) == 1 for names in found.values())
    counts = {split: counts["num_examples"] for split, counts in report["splits"].items()}
    assert set(counts) == {"train", "validation", "test"}
    assert sum(counts.values()) == 60


@pytest.mark.parametrize("num_workers", [2, 3])
def test_the_number_of_workers_changes_no_byte(tmp_path, num_workers, monkeypatch):
    write_code_repositories(tmp_path / "in", num_repositories=10, files_each=7)
    one = _config(tmp_path, data_dir=str(tmp_path / "one"))
    many = _config(tmp_path, data_dir=str(tmp_path / "many"), num_workers=num_workers)
    _build(one)
    _build(many)
    assert _tree_bytes(_folder(one)) == _tree_bytes(_folder(many))
    vocabularies = [build_config.vocabulary_dir(c.data_dir, "default") for c in (one, many)]
    assert _tree_bytes(vocabularies[0]) == _tree_bytes(vocabularies[1])


def test_nothing_but_the_data_set_and_the_vocabulary_is_left(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    _build(config)
    left = {path.name for path in pathlib.Path(config.data_dir).iterdir()}
    assert left == {".building", "flcc", "vocabularies"}
    assert [p.name for p in pathlib.Path(config.data_dir, ".building").iterdir()] == ["small.lock"]


_KILLED_BUILD = """
import functools, importlib, os, signal, sys
from preprocessing import build, build_config, flcc_layout
count, where = int(sys.argv[3]), sys.argv[4]
module_name, name = where.split(":")
module = importlib.import_module(module_name)
original = getattr(module, name)
@functools.wraps(original)
def dying(*args, **kwargs):
    global count
    count -= 1
    if count < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)
setattr(module, name, dying)
units = flcc_layout.work_units
flcc_layout.work_units = lambda branches: units(branches, max_files=6)
config = build_config.BuildConfig(
    input_dir=sys.argv[1], data_dir=sys.argv[2], name="small", num_workers=1,
    vocabulary=build_config.VocabularyConfig(vocab_size=400, max_sample_bytes=200_000))
build.build_dataset(config, clock=build.StageClock())
"""

# In the order in which a build comes to them, so that each run gets further than the one before.
_DEATHS = [
    (1, "preprocessing.scan:scan_unit"),
    (3, "preprocessing.unit_store:keep_unit"),
    (0, "preprocessing.dedup.exact:find_exact_duplicates"),
    (0, "preprocessing.dedup.near:find_clusters"),
    (0, "preprocessing.repository_groups:find_repository_groups"),
    (1, "preprocessing.records:write_shard"),
    (0, "preprocessing.leaks.measure:measure_leaks"),
    (0, "preprocessing.ledger:LedgerWriter"),
    (0, "preprocessing.vocabulary_training:train_vocabulary"),
    (1, "preprocessing.lossless:_check_shard_once"),
    (0, "preprocessing.html_report.render:render_report"),
    (0, "code_t5.storage.manifest:write_manifest"),
    (0, "code_t5.storage.atomic:publish_directory"),
]


def test_a_build_killed_at_thirteen_points_ends_with_the_same_bytes(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    command = [sys.executable, "-c", _KILLED_BUILD, config.input_dir, config.data_dir]
    for count, where in _DEATHS:
        killed = subprocess.run([*command, str(count), where], check=False, capture_output=True)
        assert killed.returncode == -signal.SIGKILL, (where, killed.stderr)
        assert not _folder(config).exists()
    _build(config)
    other = _config(tmp_path, data_dir=str(tmp_path / "other"))
    _build(other)
    assert _tree_bytes(_folder(config)) == _tree_bytes(_folder(other))


def test_what_was_scanned_before_a_kill_is_not_scanned_again(tmp_path, monkeypatch):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    command = [sys.executable, "-c", _KILLED_BUILD, config.input_dir, config.data_dir]
    killed = subprocess.run([*command, "3", "preprocessing.scan:scan_unit"], check=False)
    assert killed.returncode == -signal.SIGKILL
    scanned = []
    original = scan.scan_unit
    monkeypatch.setattr(
        scan, "scan_unit", lambda *a: (scanned.append(a[0].unit_index), original(*a))[1]
    )
    units = build.flcc_layout.work_units
    monkeypatch.setattr(build.flcc_layout, "work_units", lambda b: units(b, max_files=6))
    _build(config)
    assert scanned == list(range(3, 7))


def test_a_changed_input_is_scanned_again_after_an_interruption(tmp_path, monkeypatch):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build.stages, "write_records", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _build(config)
    changed = tmp_path / "in/v3/languages/Python/.py/org0/repo0/master/module_0.py"
    changed.write_text(some_code(77))
    license_path = tmp_path / "in/v3/repositories/org1/repo1/master/LICENSE"
    license_path.parent.mkdir(parents=True)
    license_path.write_text("SPDX-License-Identifier: MIT\n")
    _build(config)
    texts = {example["text"] for _, example in _examples(config)}
    assert some_code(77).encode() in texts
    assert some_code(0).encode() not in texts
    assert {row["license"] for row in _rows(config) if row["repository"] == "org1/repo1"} == {"MIT"}


def test_a_second_build_is_refused_while_one_runs_and_a_finished_one_is_reused(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    lock_path = pathlib.Path(config.data_dir, ".building", "small.lock")
    with atomic.lock(lock_path, purpose="building small"):
        with pytest.raises(errors.BusyError, match="another process holds"):
            _build(config)
    report = _build(config)
    before = _tree_bytes(_folder(config))
    clock = build.StageClock()
    assert build.build_dataset(config, clock=clock) == report
    assert clock.seconds == {}
    assert _tree_bytes(_folder(config)) == before


def test_other_options_for_a_finished_data_set_are_refused_unless_it_may_be_replaced(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    _build(config)
    other = dataclasses.replace(config, splits=splits.SplitConfig(0.3, 0.0))
    with pytest.raises(errors.InputError, match="was built with splits .* give another --name"):
        _build(other)
    report = _build(dataclasses.replace(other, overwrite=True))
    assert "test" not in report["splits"]
    assert not list(_folder(config).glob("flcc-test*"))


def test_another_vocabulary_size_is_refused_and_names_the_fingerprint(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    _build(config)
    other = dataclasses.replace(
        config, name="second", vocabulary=build_config.VocabularyConfig(vocab_size=300)
    )
    with pytest.raises(errors.VocabularyMismatchError, match=r"fingerprint \w{16}.*--vocabulary"):
        _build(other)
    assert not _folder(other).exists()


def test_data_sets_of_a_data_directory_share_one_vocabulary(tmp_path):
    write_code_repositories(tmp_path / "in")
    first = _build(_config(tmp_path))
    second = _build(_config(tmp_path, name="second", vocabulary=build_config.VocabularyConfig()))
    assert first["vocabulary"]["fingerprint"] == second["vocabulary"]["fingerprint"]


def test_a_vocabulary_that_loses_text_stops_the_build(tmp_path, monkeypatch):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    lossy = dataclasses.make_dataclass("Lossy", ["differing", "num_tokens_by_text"])
    monkeypatch.setattr(
        build.lossless,
        "check_lossless_batch",
        lambda folder, texts: lossy([0], [10] * len(texts)),
    )
    with pytest.raises(errors.VocabularyMismatchError, match="files differ after encoding"):
        _build(config)
    assert not _folder(config).exists()


@pytest.mark.parametrize("name", ["", "1a", "a b", "../a", "a/b", "a-b", "x" * 200])
def test_names_that_cannot_be_tasks_are_refused(tmp_path, name):
    with pytest.raises(errors.InputError, match="--name is .*wanted a letter"):
        _build(_config(tmp_path, name=name))
    assert not (tmp_path / "data").exists()


def test_an_input_without_files_is_refused(tmp_path):
    (tmp_path / "in/v3/languages/Python/.py/o/r/m").mkdir(parents=True)
    with pytest.raises(errors.InputError, match="holds no files of Python"):
        _build(_config(tmp_path))


def test_a_file_that_vanishes_while_it_is_read_is_named(tmp_path, monkeypatch):
    write_code_repositories(tmp_path / "in")
    victim = tmp_path / "in/v3/languages/Python/.py/org0/repo0/master/module_0.py"
    original = flcc_layout.read_bounded

    def vanishing(path, limit):
        if path == str(victim):
            victim.unlink(missing_ok=True)
        return original(path, limit)

    monkeypatch.setattr(flcc_layout, "read_bounded", vanishing)
    config = _config(tmp_path)
    report = _build(config)
    assert report["files_by_verdict"]["vanished"] == 1
    assert report["problems"][0].startswith(
        "languages/Python/.py/org0/repo0/master/module_0.py is vanished; wanted to read it"
    )


def test_a_file_that_becomes_a_link_or_a_pipe_is_not_opened(tmp_path):
    folder = tmp_path / "in/v3/languages/Python/.py/org0/repo0/master"
    write_code_repositories(tmp_path / "in")
    os.mkfifo(folder / "pipe_9.py")
    (folder / "link_9.py").symlink_to(folder / "module_0.py")
    config = _config(tmp_path)
    report = _build(config)
    assert report["files_by_verdict"]["symbolic_link"] == 1
    assert report["files_by_verdict"]["not_regular"] == 1
    with pytest.raises(OSError):
        flcc_layout.read_bounded(str(folder / "link_9.py"), 100)
    with pytest.raises(OSError, match="not a plain file"):
        flcc_layout.read_bounded(str(folder / "pipe_9.py"), 100)


def _run_program(config: build_config.BuildConfig, *extra: str, **options):
    command = [
        sys.executable, "-m", "preprocessing.build", f"--input_dir={config.input_dir}",
        f"--data_dir={config.data_dir}", f"--name={config.name}", "--vocab_size=400", *extra,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_program_prints_counts_by_reason_and_does_not_import_tensorflow(tmp_path):
    write_code_repositories(tmp_path / "in")
    write_flcc(tmp_path / "in", {"org0/repo0/master/empty_9.py": ""})
    done = _run_program(_config(tmp_path), "--num_workers=2")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0].startswith("files found 41 ")
    assert lines[1].startswith("kept 40 ")
    assert lines[2].startswith("empty 1 0.0 MB 2.4 %")
    assert any(
        line.startswith("files that differ after encoding and decoding: 0 of 40") for line in lines
    )
    assert lines[-1] == f"data set: {_folder(_config(tmp_path))}"
    probe = "import sys, preprocessing.build; print(any('tensorflow' == m for m in sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", probe], text=True).strip() == "False"


def test_program_ends_with_one_line_on_a_missing_input(tmp_path):
    done = _run_program(_config(tmp_path, input_dir=str(tmp_path / "nowhere")))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: cannot read the input directory")


def _wait_until_gone(group: int) -> None:
    """Waits for the last process of a group, a fork server, to notice that its parent is gone."""
    deadline = time.monotonic() + 30
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)


def _signal_a_running_build(config: build_config.BuildConfig, signal_fn):
    """Starts a build with two workers, lets `signal_fn(process)` disturb it, returns its end."""
    command = [
        sys.executable, "-m", "preprocessing.build", f"--input_dir={config.input_dir}",
        f"--data_dir={config.data_dir}", "--name=small", "--vocab_size=400", "--num_workers=2",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        marker = pathlib.Path(config.data_dir, ".building/small/unit-000000.json")
        deadline = time.monotonic() + 60
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        signal_fn(process)
        stderr = process.communicate(timeout=60)[1]
    _wait_until_gone(process.pid)
    return process.returncode, stderr


def test_interrupted_program_says_so_leaves_no_process_and_goes_on(tmp_path):
    write_code_repositories(tmp_path / "in", num_repositories=40, files_each=50)
    config = _config(tmp_path)
    status, stderr = _signal_a_running_build(
        config, lambda process: os.killpg(process.pid, signal.SIGINT)
    )
    assert status == 130, stderr
    assert stderr.strip().splitlines()[-1] == (
        "interrupted: run the same command again and it goes on"
    )
    assert _build(config)["num_files"] == 2000


def test_workers_of_a_killed_program_end_and_another_can_go_on(tmp_path):
    write_code_repositories(tmp_path / "in", num_repositories=40, files_each=50)
    config = _config(tmp_path)
    status, stderr = _signal_a_running_build(config, lambda process: process.kill())
    assert status == -signal.SIGKILL, stderr
    assert _build(config)["num_files"] == 2000


_FULL_DISK = r"""
set -e
mount -t tmpfs -o size=300k tmpfs "$2"
"$1" -m preprocessing.build --input_dir="$3" --data_dir="$2" --name=small \
  --vocab_size=400 || status=$?
test ! -e "$2/flcc/small/2.0.0"
exit ${status:-0}
"""


def test_full_disk_ends_in_one_line_and_publishes_nothing(tmp_path):
    write_code_repositories(tmp_path / "in", num_repositories=30, files_each=60)
    (tmp_path / "full").mkdir()
    mounts = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*mounts, "true"], capture_output=True, check=False).returncode:
        mounts = ["unshare", "--mount"]
    done = subprocess.run(
        [*mounts, "bash", "-c", _FULL_DISK, "bash", sys.executable, str(tmp_path / "full"),
         str(tmp_path / "in")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: no space left on the device")


def test_published_folder_says_what_made_it(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    _build(config)
    fields = json.loads((_folder(config) / "manifest.json").read_text())
    assert fields["format_name"] == "code_t5_dataset"
    assert fields["options"]["languages"] == ["Python"]
    assert set(fields["sha256"]) == set(_tree_bytes(_folder(config))) - {
        "manifest.json", "COMPLETED",
    }  # fmt: skip
