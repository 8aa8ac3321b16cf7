"""The Beam build gives the bytes of the local one, on every runner that this machine can have."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from code_t5 import errors
from fakes import some_code, write_flcc
from preprocessing import (
    beam_exact,
    beam_files,
    beam_pool,
    beam_runner,
    beam_values,
    build,
    build_config,
    decisions,
    filters,
    flcc_layout,
    normalize,
    parallel,
    records,
    scan,
    splits,
)
from preprocessing.dedup import exact

beam_build = pytest.importorskip("preprocessing.beam_build")
pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROCESSES = "--runner=DirectRunner --direct_running_mode=multi_processing --direct_num_workers=2"


def _license_line(name: str) -> str:
    return f"# SPDX-License-Identifier: {name}\n"


def _corpus(root: pathlib.Path) -> pathlib.Path:
    """Ten repositories with copies, edited copies, a fork, secrets and files that filters drop."""
    files: dict[str, str | bytes] = {}
    for number in range(8):
        for index in range(6):
            code = some_code(number * 100 + index, 30)
            files[f"org{number % 3}/repo{number}/master/module_{index}.py"] = code
    for index in range(6):
        code = some_code(100 + index, 30)
        edited = code.replace("    alpha", "    omega", 1) if index % 2 else code
        files[f"zoo/fork/master/module_{index}.py"] = edited
    files["zoo/extra/master/a.py"] = some_code(300, 30) + "x = 1\n"
    files["zoo/extra/master/b.py"] = _license_line("GPL-3.0-only") + some_code(900, 30)
    files["zoo/extra/master/c.py"] = _license_line("MIT") + some_code(900, 30)
    files["zoo/extra/master/mail.py"] = some_code(901, 30) + 'author = "jane.roe@corp-mail.net"\n'
    files["zoo/extra/master/bad.py"] = b"\xff\xfe"
    files["zoo/extra/master/empty.py"] = ""
    files["zoo/extra/master/tiny.py"] = "a = 1\n"
    paths = {"zoo/extra/master": {"a.py": "src/a.py", "gone.py": "gone.py"}}
    return write_flcc(root, files, paths=paths)


def _config(folder: pathlib.Path, data_dir: str, **changes) -> build_config.BuildConfig:
    config = build_config.BuildConfig(
        input_dir=str(folder / "in"),
        data_dir=str(folder / data_dir),
        name="small",
        num_workers=1,
        splits=splits.SplitConfig(0.2, 0.2),
        vocabulary=build_config.VocabularyConfig(vocab_size=400, max_sample_bytes=200_000),
    )
    return dataclasses.replace(config, **changes)


@contextlib.contextmanager
def _many_small_pieces():
    """Cuts work units and shards so small that several workers have work."""
    patch = pytest.MonkeyPatch()
    patch.setattr(flcc_layout, "work_units", functools.partial(flcc_layout.work_units, max_files=9))
    patch.setattr(records, "plan_shards", functools.partial(records.plan_shards, shard_bytes=6000))
    yield patch
    patch.undo()


def _tree_bytes(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".building" not in path.parts
    }


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> pathlib.Path:
    """A folder with an input `in` and what the local build makes of it in `local`."""
    folder = tmp_path_factory.mktemp("beam")
    _corpus(folder / "in")
    with _many_small_pieces():
        build.build_dataset(_config(folder, "local"), build.StageClock())
    return folder


def _check_same(folder: pathlib.Path, data_dir: str) -> None:
    wanted, found = _tree_bytes(folder / "local"), _tree_bytes(folder / data_dir)
    assert sorted(found) == sorted(wanted)
    assert len(found) > 2
    assert [name for name in wanted if found[name] != wanted[name]] == []
    assert not (folder / data_dir / ".building" / "small").exists()


def _refuse_to_scan(*arguments, **options):
    raise AssertionError("the launcher scanned; wanted the workers to")


def test_the_corpus_holds_what_the_stages_look_for(local):
    (report_path,) = (local / "local").rglob("report.json")
    report = json.loads(report_path.read_bytes())
    verdicts = report["files_by_verdict"]
    assert verdicts["exact_duplicate"] >= 3
    assert verdicts["near_duplicate"] >= 3
    assert verdicts["not_utf8"] == verdicts["empty"] == 1
    assert report["redaction"]["counts"]["email"] == 1
    assert report["near_duplicates"]["num_compared_pairs"] >= 3
    assert report["splits"]["train"]["num_shards"] > 2


def test_direct_runner_gives_the_bytes_of_the_local_build(local):
    with _many_small_pieces():
        clock = build.StageClock()
        beam_build.build_dataset(_config(local, "direct"), "--runner=DirectRunner", clock)
    _check_same(local, "direct")
    assert {"scan", "near-duplicates", "records", "lossless"} <= set(clock.seconds)


def test_near_duplicates_come_from_the_steps_and_not_from_the_launcher(local, monkeypatch):
    from preprocessing.dedup import near

    def refuse(*arguments, **options):
        raise AssertionError("the launcher compared texts; wanted the steps to")

    monkeypatch.setattr(near, "find_clusters", refuse)
    with _many_small_pieces():
        beam_build.build_dataset(_config(local, "steps"), "", build.StageClock())
    _check_same(local, "steps")


@pytest.mark.parametrize("changes", ["unverified", "disabled", "dry_run"])
def test_other_options_give_the_bytes_of_the_local_build_too(tmp_path, changes):
    _corpus(tmp_path / "in")
    given = {
        "unverified": {"verify": False},
        "disabled": {"enabled": False},
        "dry_run": {},
    }[changes]
    config = _config(tmp_path, "local", dry_run=changes == "dry_run")
    config = dataclasses.replace(
        config, near_duplicates=dataclasses.replace(config.near_duplicates, **given)
    )
    build.build_dataset(config, build.StageClock())
    config = dataclasses.replace(config, data_dir=str(tmp_path / "beam"))
    beam_build.build_dataset(config, "", build.StageClock())
    _check_same(tmp_path, "beam")


def test_several_processes_give_the_bytes_of_the_local_build(local):
    with _many_small_pieces() as patch:
        patch.setattr(scan, "scan_unit", _refuse_to_scan)
        beam_build.build_dataset(_config(local, "processes"), PROCESSES, build.StageClock())
    _check_same(local, "processes")


def _wait_for(path: pathlib.Path, children: list[subprocess.Popen]) -> None:
    for _ in range(600):
        if path.exists() and path.stat().st_size:
            return
        assert all(child.poll() is None for child in children), "a Dask process ended"
        time.sleep(0.1)
    pytest.fail("the Dask scheduler did not start")


def _python_path() -> str:
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def _wait_for_text(path: pathlib.Path, text: str, *, times: int) -> None:
    for _ in range(600):
        if path.read_text().count(text) >= times:
            return
        time.sleep(0.1)
    pytest.fail(f"{path.name} never said {text!r} {times} times: {path.read_text()[-500:]}")


@contextlib.contextmanager
def _dask_cluster(folder: pathlib.Path, num_workers: int = 2):
    """Yields the scheduler's file of a cluster of processes, and the workers."""
    pytest.importorskip("distributed", reason="dask and distributed are not installed")
    scheduler_file = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": _python_path()}
    common = [f"--scheduler-file={scheduler_file}", "--no-dashboard"]
    children: list[subprocess.Popen] = []

    def start(module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *common, *arguments]
        with open(folder / f"{module}-{len(children)}.log", "wb") as log:
            children.append(
                subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
            )

    try:
        start("dask_scheduler", "--host=127.0.0.1", "--port=0")
        _wait_for(scheduler_file, children)
        for _ in range(num_workers):
            start("dask_worker", "--nthreads=1", "--no-nanny", "--host=127.0.0.1")
        yield scheduler_file, children[1:]
    finally:
        for child in reversed(children):
            child.kill()
            child.wait()


def test_dask_workers_give_the_bytes_of_the_local_build(local, tmp_path):
    with _dask_cluster(tmp_path) as (scheduler_file, _), _many_small_pieces() as patch:
        patch.setattr(scan, "scan_unit", _refuse_to_scan)
        options = f"--runner=DaskRunner --dask_scheduler_file={scheduler_file}"
        beam_build.build_dataset(_config(local, "dask"), options, build.StageClock())
    _check_same(local, "dask")


def _kill_when(found_fn, child: subprocess.Popen) -> threading.Thread:
    def watch() -> None:
        for _ in range(6000):
            if found_fn():
                break
            time.sleep(0.01)
        child.kill()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_dask_worker_that_dies_at_work_changes_no_byte(local, tmp_path):
    work_dir = local / "killed" / ".building" / "small"
    with _dask_cluster(tmp_path) as (scheduler_file, workers), _many_small_pieces():
        _wait_for_text(tmp_path / "dask_scheduler-0.log", "Register worker", times=2)
        thread = _kill_when(lambda: list(work_dir.glob("beam/*/result-*.npz")), workers[0])
        options = f"--runner=DaskRunner --dask_scheduler_file={scheduler_file}"
        beam_build.build_dataset(_config(local, "killed"), options, build.StageClock())
        thread.join()
        assert workers[0].poll() is not None and workers[1].poll() is None
    _check_same(local, "killed")


def test_a_build_that_was_stopped_goes_on_and_on_another_runner_too(local, monkeypatch):
    config = _config(local, "stopped")

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    with _many_small_pieces():
        with monkeypatch.context() as patch:
            patch.setattr(build, "finish_build", stop)
            with pytest.raises(KeyboardInterrupt):
                beam_build.build_dataset(config, "", build.StageClock())
        monkeypatch.setattr(scan, "scan_unit", _refuse_to_scan)
        build.build_dataset(config, build.StageClock())
    _check_same(local, "stopped")


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def _wait_for_port(port: int, child: subprocess.Popen) -> None:
    for _ in range(600):
        assert child.poll() is None, "the server ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    pytest.fail(f"nothing listens on port {port}")


def test_a_server_that_is_not_there_is_one_line(tmp_path):
    options = f"--runner=PortableRunner --job_endpoint=localhost:{_free_port()}"
    with beam_runner.StepRunner(f"{options} --job_server_timeout=1") as runner:
        pool = beam_pool.BeamPool(runner, tmp_path)
        with pytest.raises(errors.CodeT5Error, match="the Beam step 'normalize' failed") as caught:
            list(pool.map(normalize.normalize, [b"a"]))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_job_server_with_a_pool_of_workers_gives_the_bytes_of_the_local_build(local):
    # The interface through which Flink and Spark are reached, with Beam's own server behind it.
    ports = _free_port(), _free_port()
    modules = (
        ("apache_beam.runners.portability.local_job_service_main", f"--port={ports[0]}"),
        ("apache_beam.runners.worker.worker_pool_main", f"--service_port={ports[1]}"),
    )
    environment = {**os.environ, "PYTHONPATH": _python_path()}
    children = [
        subprocess.Popen(
            [sys.executable, "-m", *module], env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for module in modules
    ]  # fmt: skip
    options = (
        f"--runner=PortableRunner --job_endpoint=localhost:{ports[0]} "
        f"--environment_type=EXTERNAL --environment_config=localhost:{ports[1]}"
    )
    try:
        for port, child in zip(ports, children):
            _wait_for_port(port, child)
        with _many_small_pieces() as patch:
            patch.setattr(scan, "scan_unit", _refuse_to_scan)
            beam_build.build_dataset(_config(local, "pool"), options, build.StageClock())
    finally:
        for child in children:
            # The pool's workers are processes of its own: the whole session goes.
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    _check_same(local, "pool")


def test_the_program_builds_with_the_flags_of_the_local_build(tmp_path):
    _corpus(tmp_path / "in")
    common = [
        f"--input_dir={tmp_path / 'in'}", "--name=small", "--vocab_size=400",
        "--validation_fraction=0.2", "--test_fraction=0.2", "--redact=report",
    ]  # fmt: skip
    programs = {
        "local": ["preprocessing.build", "--num_workers=1"],
        "beam": ["preprocessing.beam_build", "--pipeline_options=--runner=DirectRunner"],
    }
    for name, program in programs.items():
        command = [sys.executable, "-m", *program, f"--data_dir={tmp_path / name}", *common]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        assert "data set:" in done.stdout
    _check_same(tmp_path, "beam")


def test_the_local_build_and_the_module_load_without_beam(tmp_path):
    program = (
        "import sys; sys.modules['apache_beam'] = None; import preprocessing.build;"
        "from preprocessing import beam_build, build, build_config;"
        "config = build_config.BuildConfig('in', sys.argv[1], 'small');"
        "beam_build.build_dataset(config, '', build.StageClock())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert "apache_beam cannot be imported" in done.stderr
    assert "InputError" in done.stderr


@pytest.mark.parametrize("options", ["--runner='DirectRunner", "--runner=NoSuchRunner"])
def test_options_that_mean_nothing_are_one_line(options, tmp_path):
    with pytest.raises(errors.CodeT5Error, match="--pipeline_options|NoSuchRunner"):
        with beam_runner.StepRunner(options) as runner:
            list(beam_pool.BeamPool(runner, tmp_path).map(normalize.normalize, [b"a"]))


def test_a_pool_gives_results_in_order_and_leaves_no_files(tmp_path):
    with beam_runner.StepRunner("") as runner:
        pool = beam_pool.BeamPool(runner, tmp_path / "shared")
        inputs = [b"%d\r\n" % number for number in range(20)]
        assert list(pool.map(normalize.normalize, inputs)) == [b"%d\n" % n for n in range(20)]
        assert list(pool.map(normalize.normalize, [])) == []
    assert list((tmp_path / "shared").iterdir()) == []


def test_an_error_of_a_worker_arrives_as_what_it_was(tmp_path):
    with beam_runner.StepRunner("") as runner:
        pool = beam_pool.BeamPool(runner, tmp_path / "shared")
        with pytest.raises(errors.InputError, match="cannot read the input directory"):
            list(pool.map(flcc_layout.find_v3_root, [str(tmp_path / "nowhere")]))


def test_a_defect_in_a_worker_names_the_step(tmp_path):
    with beam_runner.StepRunner("") as runner:
        pool = beam_pool.BeamPool(runner, tmp_path / "shared")
        with pytest.raises(errors.CodeT5Error, match="'normalize' failed with .*Error"):
            list(pool.map(normalize.normalize, [5]))


def test_every_value_comes_back_as_it_was(tmp_path):
    mapped = np.lib.format.open_memmap(
        tmp_path / "m.npy", mode="w+", dtype=[("a", "<u4"), ("b", "S3")], shape=(3,)
    )
    mapped["a"] = [1, 2, 3]
    value = {
        "plain": [1, 2.5, None, True, "\udc80é"],
        "tuple": (1, (b"\xff", {})),
        7: pathlib.Path("a/b"),
        "named": flcc_layout.FileEntry("a.py", 1, 2, 3),
        "data": filters.FilterConfig(max_line_length=7),
        "number": np.int64(5),
    }
    beam_values.write_value(tmp_path / "v.npz", value)
    assert beam_values.read_value(tmp_path / "v.npz") == value
    arrays = (mapped, mapped[1:], np.arange(6).reshape(2, 3))
    beam_values.write_value(tmp_path / "a.npz", arrays)
    whole, part, table = beam_values.read_value(tmp_path / "a.npz")
    assert isinstance(whole, np.memmap) and not isinstance(part, np.memmap)
    assert whole["a"].tolist() == [1, 2, 3] and part["a"].tolist() == [2, 3]
    assert table.tolist() == [[0, 1, 2], [3, 4, 5]]
    bound = functools.partial(filters.decide, config=filters.FilterConfig(max_file_bytes=1))
    beam_values.write_value(tmp_path / "f.npz", bound)
    assert beam_values.read_value(tmp_path / "f.npz")(b"ab") == (filters.TOO_LARGE, b"")


@pytest.mark.parametrize(
    "value",
    [object(), lambda: 0, os.system, subprocess.Popen, random.Random(1), {1, 2}],
    ids=["object", "lambda", "builtin", "class", "foreign", "set"],
)
def test_what_no_file_can_carry_is_refused(tmp_path, value):
    with pytest.raises(errors.InputError, match="cannot be sent to a Beam worker"):
        beam_values.write_value(tmp_path / "v.npz", value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "node",
    [
        {"~": "function", "name": "os:system"},
        {"~": "function", "name": "preprocessing.build:os.system"},
        {"~": "data", "name": "preprocessing.build:pathlib.Path", "fields": {}},
        {"~": "named", "name": "preprocessing.build:shutil", "items": []},
        {"~": "nothing"},
    ],
)
def test_a_file_can_name_nothing_outside_of_the_project(tmp_path, node):
    tree = np.frombuffer(json.dumps(node).encode(), np.uint8)
    np.savez(tmp_path / "v.npz", tree=tree)
    with pytest.raises(errors.ArtifactError):
        beam_values.read_value(tmp_path / "v.npz")


@pytest.mark.parametrize("damage", ["cut", "missing", "text"])
def test_a_damaged_value_is_refused(tmp_path, damage):
    path = tmp_path / "v.npz"
    beam_values.write_value(path, [1, 2, 3])
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"[1]")
    with pytest.raises(errors.ArtifactError, match="build again"):
        beam_values.read_value(path)


def _index(rows: list[tuple[int, int, int]]) -> np.ndarray:
    index = np.zeros(len(rows), scan.INDEX_DTYPE)
    for place, (content, file_id, rank) in enumerate(rows):
        index[place]["hash"] = bytes([content]) * 32
        index[place]["file_id"], index[place]["rank"] = file_id, rank
    return index


def test_ranges_of_hashes_keep_the_same_copies_in_any_order(tmp_path):
    rows = _index([(1, 10, 1), (1, 4, 2), (1, 900, 0), (2, 5, 1), (2, 3, 1), (9, 7, 0)])
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))
        pieces = [rows[order[:2]].tobytes(), rows[order[2:]].tobytes()]
        assert list(beam_exact.keep_one_of_each((3, pieces), step_dir=str(tmp_path))) == []
        kept = np.load(tmp_path / "kept-000003.npy")
        assert sorted(kept["file_id"].tolist()) == [3, 7, 900]
    folder = tmp_path / "local"
    folder.mkdir()
    rows["file_id"] = [1, 0, 5, 3, 2, 4]
    kept = exact.mark_copies(rows, decisions.create(folder, 6))
    assert sorted(kept["file_id"].tolist()) == [2, 4, 5]


def test_ranges_cover_all_hashes_in_their_order():
    hashes = np.sort(np.random.default_rng(1).integers(0, 2**64, 1000, dtype=np.uint64))
    ranges = beam_files.range_of(hashes, 7)
    assert ranges[0] == 0 and ranges[-1] == 6
    assert (np.diff(ranges) >= 0).all()
    counts = collections.Counter(ranges.tolist())
    assert min(counts.values()) > 100


def test_a_beam_pool_is_a_pool(tmp_path):
    with beam_runner.StepRunner("") as runner:
        assert isinstance(beam_pool.BeamPool(runner, tmp_path), parallel.WorkerPool)
