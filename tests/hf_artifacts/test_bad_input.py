"""What goes wrong where caches are filled and read: each is one clear line, and nothing is lost.

All of it runs the programs as a user does, against a Hub on loopback or none at all.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import fake_hub
import hf_programs
import pytest

_TOKEN = "hf_SecretThatNobodyMaySee0123456789"
_WRONG_TOKEN = "hf_AnotherSecretThatNobodyMaySee98"
_PLAIN, _TWO, _MODEL = hf_programs.PLAIN, hf_programs.TWO, hf_programs.MODEL
_CLOSED = "tests/closed"
# huggingface_hub writes pieces of 10 MB: of less, nothing is kept.
_BIG, _BIG_BYTES = "tests/big", 24_000_000


@pytest.fixture(scope="module")
def hub():
    """A Hub with two data sets, a model of 3 MB, and a gated data set."""
    with fake_hub.serve() as made:
        hf_programs.add_repositories(made)
        made.add("dataset", _CLOSED, hf_programs.dataset_files(), token=_TOKEN)
        yield made


@pytest.fixture(autouse=True)
def _without_faults(hub):
    yield
    hub.forget_faults()


@pytest.fixture(scope="module")
def _filled(hub, tmp_path_factory):
    return hf_programs.fill_root(hub, tmp_path_factory.mktemp("filled"))


@pytest.fixture
def root(_filled, tmp_path):
    """A root with both data sets and the model, for this test alone."""
    return hf_programs.copy_root(_filled, tmp_path)


@pytest.fixture
def spec(tmp_path):
    """A list of both data sets and the model."""
    return hf_programs.write_spec(tmp_path, models=[_MODEL], datasets=[_PLAIN, _TWO])


def _blob(root: pathlib.Path, name: str) -> pathlib.Path:
    """Returns the content of the one file with this name in a snapshot."""
    (found,) = root.glob(f"hub/*/snapshots/*/{name}")
    return found.resolve()


# No network and nothing cached.


def test_precache_without_a_network_is_one_line_each_and_leaves_no_record(tmp_path, spec):
    environment = hf_programs.offline(tmp_path / "home")
    ran = hf_programs.run(
        "precache.py", "--cache_dir", tmp_path / "root", "--spec", spec, environment=environment
    )
    assert ran.status == 1
    assert "Traceback" not in ran.all
    for name in (_MODEL, _PLAIN, _TWO):
        assert any(name in line and "127.0.0.1:9" in line for line in ran.all.splitlines())
    assert not list((tmp_path / "root").glob("artifacts/*"))


def test_precache_with_an_offline_flag_says_which_and_the_command_without(hub, tmp_path, spec):
    ran = hf_programs.precache(hub, tmp_path / "root", spec=spec, more={"HF_DATASETS_OFFLINE": "1"})
    assert ran.status == 1
    assert "HF_DATASETS_OFFLINE=1 is set" in ran.error
    assert "run HF_DATASETS_OFFLINE=0 python" in ran.error
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "flags", [(), ("HF_HUB_OFFLINE",), ("HF_DATASETS_OFFLINE",), ("TRANSFORMERS_OFFLINE",)]
)
def test_a_data_set_that_is_not_cached_is_one_line_with_the_command_that_fetches_it(
    tmp_path, flags
):
    ran = hf_programs.check(tmp_path / "root", "--dataset", _PLAIN, on=flags)
    assert ran.status == 1
    assert _PLAIN in ran.error
    assert "precache.py" in ran.error
    assert not (tmp_path / "root").exists()


def test_checking_a_root_that_is_not_there_is_one_line(tmp_path):
    ran = hf_programs.check(tmp_path / "nowhere")
    assert ran.status == 1
    assert "nowhere" in ran.error
    assert "precache.py" in ran.error
    assert not (tmp_path / "nowhere").exists()


def test_building_what_is_not_cached_is_one_line_and_builds_nothing(tmp_path):
    ran = hf_programs.run(
        "build_dataset.py", "--dataset", _PLAIN, "--splits", "train",
        "--cache_dir", tmp_path / "root", "--output_dir", tmp_path / "data",
        environment=hf_programs.offline(tmp_path / "home", "HF_HUB_OFFLINE"),
    )  # fmt: skip
    assert ran.status == 1
    assert _PLAIN in ran.error
    assert "precache.py" in ran.error
    assert hf_programs.tree(tmp_path / "data") == {}


# Half a download.


def test_a_killed_download_is_no_record_and_goes_on_where_it_stopped(hub, tmp_path):
    hub.add("model", _BIG, {"config.json": "{}", "model.safetensors": os.urandom(_BIG_BYTES)})
    root, spec = tmp_path / "root", hf_programs.write_spec(tmp_path, models=[_BIG])
    # The first body ends in its middle; requests for the rest are not answered for a while.
    hub.cut("/lfs/", after_bytes=_BIG_BYTES * 3 // 4)
    hub.delay("/lfs/", seconds=30, times=9)
    process = hf_programs.start(
        "precache.py", "--cache_dir", root, "--spec", spec, "--no_verify",
        environment=hf_programs.online(hub, tmp_path / "home"),
    )  # fmt: skip
    hf_programs.wait_for(lambda: hf_programs.fetched_bytes(root) >= 10_000_000, process=process)
    hf_programs.kill(process)
    assert not list(root.glob("artifacts/*/COMPLETED"))
    checked = hf_programs.check(root, "--no_load")
    assert checked.status == 1
    assert ".incomplete" in checked.all
    hub.forget_faults()
    asked = len(hub.requests)
    ran = hf_programs.precache(hub, root, spec=spec)
    assert ran.status == 0, ran.all
    again = [request for request in hub.requests[asked:] if "/lfs/" in request.path]
    ranges = [request.headers.get("Range") for request in again if request.method == "GET"]
    assert len(ranges) == 1
    assert int(ranges[0].removeprefix("bytes=").rstrip("-")) >= 10_000_000
    assert len(_blob(root, "model.safetensors").read_bytes()) == _BIG_BYTES
    assert hf_programs.check(root, "--no_load").status == 0


def test_an_interrupted_download_says_that_it_goes_on(hub, tmp_path):
    root, spec = tmp_path / "root", hf_programs.write_spec(tmp_path, models=[_MODEL])
    hub.delay("/lfs/", seconds=5)
    asked = len(hub.paths("/lfs/"))
    process = hf_programs.start(
        "precache.py", "--cache_dir", root, "--spec", spec, "--no_verify",
        environment=hf_programs.online(hub, tmp_path / "home"),
    )  # fmt: skip
    hf_programs.wait_for(lambda: bool(list(root.glob("hub/*/blobs/*"))), process=process)
    os.kill(process.pid, signal.SIGINT)
    ran = hf_programs.finish(process)
    assert ran.status == 130, ran.all
    assert "interrupted: run the same command again" in ran.err
    assert "Traceback" not in ran.err
    assert not list(root.glob("artifacts/*/COMPLETED"))
    assert hf_programs.precache(hub, root, spec=spec).status == 0
    assert len(hub.paths("/lfs/")) > asked


def test_half_a_snapshot_is_not_opened_and_the_line_says_what_is_missing(root):
    _blob(root, "data/train-00000-of-00001.parquet").unlink()
    shutil.rmtree(root / "datasets")
    ran = hf_programs.check(root, "--dataset", _PLAIN, on=("HF_HUB_OFFLINE",))
    assert ran.status == 1
    assert "no file of the split train is in it, only of test" in ran.error
    assert "precache.py" in ran.error


# A bit flipped.


def test_a_flipped_bit_is_named_and_mended_by_what_the_line_says(hub, root, spec):
    blob = _blob(root, "model.safetensors")
    content = bytearray(blob.read_bytes())
    content[1_234_567] ^= 4
    blob.write_bytes(content)
    ran = hf_programs.check(root, "--no_load")
    assert ran.status == 1
    assert blob.relative_to(root).as_posix() in ran.all
    answer = json.loads(hf_programs.check(root, "--no_load", "--json").out)
    assert blob.relative_to(root).as_posix() in json.dumps(answer)
    assert "precache" in ran.all
    # What was cached besides is as it was.
    other = [line for line in ran.out.splitlines() if _PLAIN in line]
    assert other
    assert all("yes" in line for line in other)
    blob.unlink()
    assert hf_programs.precache(hub, root, spec=spec).status == 0
    assert hf_programs.check(root, "--no_load").status == 0


def test_a_bit_flipped_in_a_prepared_file_is_named(root):
    arrow = max(root.glob("datasets/**/*.arrow"), key=lambda path: path.stat().st_size)
    content = bytearray(arrow.read_bytes())
    content[len(content) // 2] ^= 1
    arrow.chmod(0o644)
    arrow.write_bytes(content)
    ran = hf_programs.check(root, "--no_load")
    assert ran.status == 1
    assert arrow.relative_to(root).as_posix() in ran.all


# Gated.


@pytest.mark.parametrize("token", [None, _WRONG_TOKEN])
def test_a_gated_repository_says_how_to_get_access_and_prints_no_token(hub, tmp_path, token):
    spec = hf_programs.write_spec(tmp_path, datasets=[_CLOSED, _PLAIN])
    hub.admit(_WRONG_TOKEN)
    more = {"HF_TOKEN": token} if token else {}
    ran = hf_programs.precache(hub, tmp_path / "root", spec=spec, more=more)
    assert ran.status == 1
    (line,) = [line for line in ran.out.splitlines() if _CLOSED in line]
    assert f"{hub.url}/datasets/{_CLOSED}" in line
    assert ("huggingface-cli login" in line or "hf auth login" in line) or token
    for secret in (_TOKEN, _WRONG_TOKEN, _TOKEN[3:], _WRONG_TOKEN[3:]):
        assert secret not in ran.all
    # The other one is there.
    assert hf_programs.check(tmp_path / "root", "--no_load", "--only", _PLAIN).status == 0


def test_a_token_that_the_hub_does_not_know_is_said_and_not_printed(hub, tmp_path):
    token = "hf_ThisOneWasRevokedLongAgo0123456"
    spec = hf_programs.write_spec(tmp_path, datasets=[_PLAIN])
    more = {"HF_TOKEN": token}
    ran = hf_programs.precache(hub, tmp_path / "root", spec=spec, more=more)
    assert ran.status == 1
    (line,) = [line for line in ran.out.splitlines() if _PLAIN in line]
    assert "token" in line
    assert "hf auth login" in line
    assert token[3:] not in ran.all


def test_a_token_opens_a_gated_repository_and_lies_nowhere_in_the_cache(hub, tmp_path):
    spec = hf_programs.write_spec(tmp_path, datasets=[_CLOSED])
    home = tmp_path / "former home"
    home.mkdir()
    (home / "token").write_text(_TOKEN, encoding="ascii")
    ran = hf_programs.precache(hub, tmp_path / "root", spec=spec, more={"HF_HOME": str(home)})
    assert ran.status == 0, ran.all
    assert _TOKEN not in ran.all
    for name, content in hf_programs.tree(tmp_path / "root").items():
        assert _TOKEN.encode() not in os.fsencode(content), name
    # In the job there is none.
    opened = hf_programs.check(tmp_path / "root", "--dataset", _CLOSED, on=("HF_HUB_OFFLINE",))
    assert opened.status == 0, opened.all


# Two configurations and none named.


def test_two_configurations_and_none_named_lists_both(root, tmp_path):
    checked = hf_programs.check(root, "--dataset", _TWO, on=("HF_DATASETS_OFFLINE",))
    built = hf_programs.run(
        "build_dataset.py", "--dataset", _TWO, "--splits", "train",
        "--cache_dir", root, "--output_dir", tmp_path / "data",
        environment=hf_programs.offline(tmp_path / "home", "HF_HUB_OFFLINE"),
    )  # fmt: skip
    for ran in (checked, built):
        assert ran.status == 1
        assert "first" in ran.error
        assert "second" in ran.error
        # The flag of the programs, or the argument that it stands for.
        assert "--config" in ran.error or f"load_dataset('{_TWO}', 'first')" in ran.error
    assert hf_programs.tree(tmp_path / "data") == {}
    named = hf_programs.check(root, "--dataset", _TWO, "--config", "second", "--json")
    assert json.loads(named.out)["config"] == "second"


# Paths.


def test_a_path_with_spaces_and_quotes_works_from_precache_to_the_job(hub, tmp_path):
    folder = tmp_path / 'a cache of "Jo\'s" $HOME & co'
    folder.mkdir()
    spec = hf_programs.write_spec(folder, datasets=[_PLAIN])
    ran = hf_programs.precache(hub, folder / "the root", spec=spec)
    assert ran.status == 0, ran.all
    script = 'set -eu; . "$1/env.sh"; exec "$2" -B scripts/check_hf_cache.py --dataset "$3" --json'
    job = subprocess.run(
        ["bash", "-c", script, "bash", str(folder / "the root"), sys.executable, _PLAIN],
        env=hf_programs.offline(tmp_path / "home"), cwd=hf_programs.ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert job.returncode == 0, job.stderr
    assert [split["num_rows"] for split in json.loads(job.stdout)["splits"]] == [20, 5]


# Left over.


def test_leftover_arguments_are_an_error(tmp_path, root, spec):
    environment = hf_programs.offline(tmp_path / "home")
    for program, arguments in {
        "precache.py": ["--cache_dir", root, "--spec", spec],
        "check_hf_cache.py": ["--cache_dir", root],
        "build_dataset.py": ["--dataset", _PLAIN],
    }.items():
        ran = hf_programs.run(program, *arguments, "left", environment=environment)
        assert ran.status == 1
        assert "left" in ran.all
        assert "Traceback" not in ran.all
