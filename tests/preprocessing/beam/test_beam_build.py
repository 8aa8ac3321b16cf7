"""The Beam build gives the bytes of the local one, on every runner that this machine can have."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from fakes import some_code, write_flcc
from preprocessing import build, build_config, decontamination, flcc_layout, records, scan, splits

beam_build = pytest.importorskip("preprocessing.beam_build")
pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROCESSES = "--runner=DirectRunner --direct_running_mode=multi_processing --direct_num_workers=2"


_SOLUTION = """
def has_close_pair(numbers, limit):
    for place, number in enumerate(sorted(numbers)[1:]):
        if number - sorted(numbers)[place] < limit:
            return True
    return False
"""


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
    files["zoo/extra/master/solved.py"] = some_code(902, 30) + _SOLUTION
    benchmark = json.dumps({"task_id": "T/1", "canonical_solution": _SOLUTION})
    root.parent.joinpath("benchmark.jsonl").write_text(benchmark + "\n")
    paths = {"zoo/extra/master": {"a.py": "src/a.py", "gone.py": "gone.py"}}
    return write_flcc(root, files, paths=paths)


def _config(folder: pathlib.Path, data_dir: str, **changes) -> build_config.BuildConfig:
    config = build_config.BuildConfig(
        input_dir=str(folder / "in"),
        data_dir=str(folder / data_dir),
        name="small",
        num_workers=1,
        decontamination=decontamination.DecontaminationConfig(
            benchmark_paths=(str(folder / "benchmark.jsonl"),)
        ),
        splits=splits.SplitConfig(0.2, 0.2),
        vocabulary=build_config.VocabularyConfig(vocab_size=400, max_sample_bytes=200_000),
    )
    return dataclasses.replace(config, **changes)


@contextlib.contextmanager
def _many_small_pieces():
    """Cuts work units and shards so small that several workers have work."""
    units_fn = functools.partial(flcc_layout.work_units, max_files=9)
    plans_fn = functools.partial(records.plan_shards, shard_bytes=6000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flcc_layout, "work_units", units_fn)
        patch.setattr(records, "plan_shards", plans_fn)
        yield patch


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
        build.build_dataset(_config(folder, "local"), clock=build.StageClock())
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
    assert verdicts["benchmark"] == 1
    assert report["redaction"]["counts"]["email"] == 1
    assert report["near_duplicates"]["num_compared_pairs"] >= 3
    assert report["splits"]["train"]["num_shards"] > 2


def test_direct_runner_gives_the_bytes_of_the_local_build(local):
    with _many_small_pieces():
        clock = build.StageClock()
        beam_build.build_dataset(
            _config(local, "direct"), pipeline_options="--runner=DirectRunner", clock=clock
        )
    _check_same(local, "direct")
    assert {"scan", "prepare", "records", "lossless"} <= set(clock.seconds)


def test_near_duplicates_come_from_the_steps_and_not_from_the_launcher(local, monkeypatch):
    from preprocessing.dedup import near

    def refuse(*arguments, **options):
        raise AssertionError("the launcher compared texts; wanted the steps to")

    monkeypatch.setattr(near, "find_clusters", refuse)
    with _many_small_pieces():
        beam_build.build_dataset(
            _config(local, "steps"), pipeline_options="", clock=build.StageClock()
        )
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
    build.build_dataset(config, clock=build.StageClock())
    config = dataclasses.replace(config, data_dir=str(tmp_path / "beam"))
    beam_build.build_dataset(config, pipeline_options="", clock=build.StageClock())
    _check_same(tmp_path, "beam")


def test_several_processes_give_the_bytes_of_the_local_build(local):
    with _many_small_pieces() as patch:
        patch.setattr(scan, "scan_unit", _refuse_to_scan)
        beam_build.build_dataset(
            _config(local, "processes"), pipeline_options=PROCESSES, clock=build.StageClock()
        )
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


def test_dask_workers_give_the_bytes_of_the_local_build(local, tmp_path, monkeypatch):
    # The workers were started elsewhere: what is relative here must not be so there.
    monkeypatch.chdir(local)
    with _dask_cluster(tmp_path) as (scheduler_file, _), _many_small_pieces() as patch:
        patch.setattr(scan, "scan_unit", _refuse_to_scan)
        options = f"--runner=DaskRunner --dask_scheduler_file={scheduler_file}"
        beam_build.build_dataset(
            _config(pathlib.Path(), "dask"), pipeline_options=options, clock=build.StageClock()
        )
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
        beam_build.build_dataset(
            _config(local, "killed"), pipeline_options=options, clock=build.StageClock()
        )
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
                beam_build.build_dataset(config, pipeline_options="", clock=build.StageClock())
        monkeypatch.setattr(scan, "scan_unit", _refuse_to_scan)
        build.build_dataset(config, clock=build.StageClock())
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
            beam_build.build_dataset(
                _config(local, "pool"), pipeline_options=options, clock=build.StageClock()
            )
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
        "beam_build.build_dataset(config, pipeline_options='', clock=build.StageClock())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert "apache_beam cannot be imported" in done.stderr
    assert "InputError" in done.stderr
