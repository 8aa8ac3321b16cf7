"""Several jobs fill one root at once, as an array of jobs does: each file is fetched once."""

from __future__ import annotations

import collections
import functools
import json
import os

import fake_hub
import hf_programs
import pytest
import yaml

# huggingface_hub writes pieces of 10 MB: of less, nothing is kept.
_BYTES = 16_000_000
_MODELS = ("tests/one", "tests/two")
_DATASET = "tests/rows"


@pytest.fixture(scope="module")
def hub():
    """A Hub with two models of 16 MB and a data set."""
    with fake_hub.serve() as made:
        for name in _MODELS:
            made.add("model", name, {"config.json": "{}", "model.safetensors": os.urandom(_BYTES)})
        made.add("dataset", _DATASET, hf_programs.dataset_files())
        yield made


@pytest.fixture(autouse=True)
def _without_faults(hub):
    hub.requests.clear()
    yield
    hub.forget_faults()


@pytest.fixture
def start(hub, tmp_path):
    """Starts one more job that fetches all of it to the same root."""
    spec = tmp_path / "artefacts.yaml"
    content = {"models": list(_MODELS), "datasets": [_DATASET]}
    spec.write_text(yaml.safe_dump(content), encoding="utf-8")

    def start_one():
        return hf_programs.start(
            "precache.py", "--cache_dir", tmp_path / "root", "--spec", spec, "--no_verify",
            environment=hf_programs.online(hub, tmp_path / "home"),
        )  # fmt: skip

    return start_one


def _assert_whole(root) -> None:
    ran = hf_programs.run(
        "check_hf_cache.py", "--cache_dir", root, "--no_load",
        environment=hf_programs.offline(root.parent / "home"),
    )  # fmt: skip
    assert ran.status == 0, ran.all
    records = sorted(root.glob("artifacts/[!.]*"))
    assert len(records) == len([*_MODELS, _DATASET])
    for record in records:
        assert json.loads((record / "manifest.json").read_text())["files"]
    leftovers = [*root.glob("hub/**/*.incomplete"), *root.glob("artifacts/.*")]
    assert leftovers == []


def _num_asked(hub, number: int) -> bool:
    """Says whether so many jobs have asked for the second model."""
    return len(hub.paths("/api/models/tests/two")) >= number


def test_four_jobs_at_once_fetch_every_file_once(hub, start, tmp_path):
    jobs = [start() for _ in range(4)]
    for ran in map(hf_programs.finish, jobs):
        assert ran.status == 0, ran.all
        for name in (*_MODELS, _DATASET):
            assert name in ran.out
    _assert_whole(tmp_path / "root")
    contents = collections.Counter(hub.paths("/lfs/", method="GET"))
    assert len(contents) >= len(_MODELS) + 1
    assert set(contents.values()) == {1}


def test_when_the_job_that_fetches_is_killed_another_goes_on_with_its_bytes(hub, start, tmp_path):
    root = tmp_path / "root"
    # The first body ends in its middle, and the next answers take their time.
    hub.cut("/lfs/", after_bytes=_BYTES * 3 // 4)
    hub.delay("/lfs/", seconds=30, times=9)
    first = start()
    hf_programs.wait_for(lambda: hf_programs.fetched_bytes(root) >= 10_000_000, process=first)
    others = [start() for _ in range(3)]
    # They have asked the Hub, and wait for the job that holds the lock.
    asked_by_all = functools.partial(_num_asked, hub, 1 + len(others))
    hf_programs.wait_for(asked_by_all, process=others[-1])
    hf_programs.kill(first)
    hub.forget_faults()
    for ran in map(hf_programs.finish, others):
        assert ran.status == 0, ran.all
    _assert_whole(root)
    stretches = [
        request
        for request in hub.requests
        if "/lfs/" in request.path and request.method == "GET" and request.status == 206
    ]
    assert any(
        int(request.headers["Range"].removeprefix("bytes=").rstrip("-")) >= 10_000_000
        for request in stretches
    )
