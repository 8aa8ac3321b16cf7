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
import yaml

_TOKEN = "hf_SecretThatNobodyMaySee0123456789"
_WRONG_TOKEN = "hf_AnotherSecretThatNobodyMaySee98"
_PLAIN, _TWO, _MODEL = "tests/plain", "tests/two", "tests/model"
_CLOSED = "tests/closed"
_BLOB_BYTES = 3_000_000
# huggingface_hub writes pieces of 10 MB: of less, nothing is kept.
_BIG, _BIG_BYTES = "tests/big", 24_000_000


@pytest.fixture(scope="module")
def hub():
    """A Hub with two data sets, a model of 3 MB, and a gated data set."""
    with fake_hub.serve() as made:
        made.add("dataset", _PLAIN, hf_programs.dataset_files(padding=200))
        made.add("dataset", _TWO, hf_programs.dataset_files("first", "second"))
        weights = os.urandom(_BLOB_BYTES)
        made.add("model", _MODEL, {"config.json": "{}", "model.safetensors": weights})
        made.add("dataset", _CLOSED, hf_programs.dataset_files(), token=_TOKEN)
        yield made


@pytest.fixture(autouse=True)
def _without_faults(hub):
    yield
    hub.forget_faults()


def _write_spec(folder: pathlib.Path, **lists) -> pathlib.Path:
    path = folder / "artefacts.yaml"
    path.write_text(yaml.safe_dump(lists), encoding="utf-8")
    return path


def _precache(hub, root, *arguments, spec, **options) -> hf_programs.Ran:
    environment = hf_programs.online(hub, pathlib.Path(root).parent / "no home")
    environment.update(options.pop("more", {}))
    return hf_programs.run(
        "precache.py", "--cache_dir", root, "--spec", spec, *arguments,
        environment=environment, **options,
    )  # fmt: skip


def _check(root, *arguments, **options) -> hf_programs.Ran:
    environment = hf_programs.offline(pathlib.Path(root).parent / "no home", *options.pop("on", ()))
    return hf_programs.run(
        "check_hf_cache.py", "--cache_dir", root, *arguments, environment=environment, **options
    )


@pytest.fixture(scope="module")
def _filled(hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    spec = _write_spec(folder, models=[_MODEL], datasets=[_PLAIN, _TWO])
    ran = _precache(hub, folder / "root", "--no_verify", spec=spec)
    assert ran.status == 0, ran.all
    return folder / "root"


@pytest.fixture
def root(_filled, tmp_path):
    """A root with both data sets and the model, for this test alone."""
    return pathlib.Path(shutil.copytree(_filled, tmp_path / "root", symlinks=True))


@pytest.fixture
def spec(tmp_path):
    """A list of both data sets and the model."""
    return _write_spec(tmp_path, models=[_MODEL], datasets=[_PLAIN, _TWO])


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
    ran = _precache(hub, tmp_path / "root", spec=spec, more={"HF_DATASETS_OFFLINE": "1"})
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
    ran = _check(tmp_path / "root", "--dataset", _PLAIN, on=flags)
    assert ran.status == 1
    assert _PLAIN in ran.error
    assert "precache.py" in ran.error
    assert not (tmp_path / "root").exists()


def test_checking_a_root_that_is_not_there_is_one_line(tmp_path):
    ran = _check(tmp_path / "nowhere")
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
    root, spec = tmp_path / "root", _write_spec(tmp_path, models=[_BIG])
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
    checked = _check(root, "--no_load")
    assert checked.status == 1
    assert ".incomplete" in checked.all
    hub.forget_faults()
    asked = len(hub.requests)
    ran = _precache(hub, root, "--no_verify", spec=spec)
    assert ran.status == 0, ran.all
    again = [request for request in hub.requests[asked:] if "/lfs/" in request.path]
    ranges = [request.headers.get("Range") for request in again if request.method == "GET"]
    assert len(ranges) == 1
    assert int(ranges[0].removeprefix("bytes=").rstrip("-")) >= 10_000_000
    assert len(_blob(root, "model.safetensors").read_bytes()) == _BIG_BYTES
    assert _check(root, "--no_load").status == 0


def test_an_interrupted_download_says_that_it_goes_on(hub, tmp_path):
    root, spec = tmp_path / "root", _write_spec(tmp_path, models=[_MODEL])
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
    assert _precache(hub, root, "--no_verify", spec=spec).status == 0
    assert len(hub.paths("/lfs/")) > asked


def test_half_a_snapshot_is_not_opened_and_the_line_says_what_is_missing(root):
    _blob(root, "data/train-00000-of-00001.parquet").unlink()
    shutil.rmtree(root / "datasets")
    ran = _check(root, "--dataset", _PLAIN, on=("HF_HUB_OFFLINE",))
    assert ran.status == 1
    assert "train-00000-of-00001.parquet" in ran.error
    assert "precache.py" in ran.error


# A bit flipped.


def test_a_flipped_bit_is_named_and_mended_by_what_the_line_says(hub, root, spec):
    blob = _blob(root, "model.safetensors")
    content = bytearray(blob.read_bytes())
    content[1_234_567] ^= 4
    blob.write_bytes(content)
    ran = _check(root, "--no_load")
    assert ran.status == 1
    assert blob.relative_to(root).as_posix() in ran.all
    answer = json.loads(_check(root, "--no_load", "--json").out)
    assert blob.relative_to(root).as_posix() in json.dumps(answer)
    assert "precache" in ran.all
    # What was cached besides is as it was.
    other = [line for line in ran.out.splitlines() if _PLAIN in line]
    assert other
    assert all("yes" in line for line in other)
    blob.unlink()
    assert _precache(hub, root, "--no_verify", spec=spec).status == 0
    assert _check(root, "--no_load").status == 0


def test_a_bit_flipped_in_a_prepared_file_is_named(root):
    arrow = max(root.glob("datasets/**/*.arrow"), key=lambda path: path.stat().st_size)
    content = bytearray(arrow.read_bytes())
    content[len(content) // 2] ^= 1
    arrow.chmod(0o644)
    arrow.write_bytes(content)
    ran = _check(root, "--no_load")
    assert ran.status == 1
    assert arrow.relative_to(root).as_posix() in ran.all


# Gated.


@pytest.mark.parametrize("token", [None, _WRONG_TOKEN])
def test_a_gated_repository_says_how_to_get_access_and_prints_no_token(hub, tmp_path, token):
    spec = _write_spec(tmp_path, datasets=[_CLOSED, _PLAIN])
    hub.admit(_WRONG_TOKEN)
    more = {"HF_TOKEN": token} if token else {}
    ran = _precache(hub, tmp_path / "root", "--no_verify", spec=spec, more=more)
    assert ran.status == 1
    (line,) = [line for line in ran.out.splitlines() if _CLOSED in line]
    assert f"{hub.url}/datasets/{_CLOSED}" in line
    assert ("huggingface-cli login" in line or "hf auth login" in line) or token
    for secret in (_TOKEN, _WRONG_TOKEN, _TOKEN[3:], _WRONG_TOKEN[3:]):
        assert secret not in ran.all
    # The other one is there.
    assert _check(tmp_path / "root", "--no_load", "--only", _PLAIN).status == 0


def test_a_token_that_the_hub_does_not_know_is_said_and_not_printed(hub, tmp_path):
    token = "hf_ThisOneWasRevokedLongAgo0123456"
    spec = _write_spec(tmp_path, datasets=[_PLAIN])
    more = {"HF_TOKEN": token}
    ran = _precache(hub, tmp_path / "root", "--no_verify", spec=spec, more=more)
    assert ran.status == 1
    (line,) = [line for line in ran.out.splitlines() if _PLAIN in line]
    assert "token" in line
    assert "hf auth login" in line
    assert token[3:] not in ran.all


def test_a_token_opens_a_gated_repository_and_lies_nowhere_in_the_cache(hub, tmp_path):
    spec = _write_spec(tmp_path, datasets=[_CLOSED])
    home = tmp_path / "former home"
    home.mkdir()
    (home / "token").write_text(_TOKEN, encoding="ascii")
    ran = _precache(hub, tmp_path / "root", "--no_verify", spec=spec, more={"HF_HOME": str(home)})
    assert ran.status == 0, ran.all
    assert _TOKEN not in ran.all
    for name, content in hf_programs.tree(tmp_path / "root").items():
        assert _TOKEN.encode() not in os.fsencode(content), name
    # In the job there is none.
    opened = _check(tmp_path / "root", "--dataset", _CLOSED, on=("HF_HUB_OFFLINE",))
    assert opened.status == 0, opened.all


# Somebody else's, or read-only.


@pytest.fixture
def sealed(root):
    """The root, which belongs to somebody else: all may read it, and nobody may write."""
    with hf_programs.sealed(root):
        yield root


def test_a_cache_of_somebody_else_is_not_filled_and_stays_as_it_was(hub, sealed, tmp_path):
    before = hf_programs.tree(sealed)
    spec = _write_spec(tmp_path, datasets=[_CLOSED])
    more = {"HF_TOKEN": _TOKEN}
    ran = _precache(hub, sealed, "--no_verify", spec=spec, more=more, is_plain_user=True)
    assert ran.status == 1
    assert str(sealed) in ran.error
    assert "--cache_dir" in ran.error
    assert _TOKEN not in ran.all
    assert hf_programs.tree(sealed) == before


def test_a_cache_of_somebody_else_is_checked_and_opened(sealed):
    before = hf_programs.tree(sealed)
    for arguments in (["--no_load"], ["--dataset", _PLAIN], ["--dataset", _TWO, "--config=first"]):
        ran = _check(sealed, *arguments, on=["HF_HUB_OFFLINE"], is_plain_user=True)
        assert ran.status == 0, ran.all
    assert hf_programs.tree(sealed) == before


def test_snapshots_of_somebody_else_are_opened_without_their_arrow_files(root):
    shutil.rmtree(root / "datasets")
    with hf_programs.sealed(root):
        before = hf_programs.tree(root)
        ran = _check(root, "--dataset", _PLAIN, "--loader", is_plain_user=True)
        assert ran.status == 0, ran.all
        assert hf_programs.tree(root) == before


def test_what_may_not_even_be_read_is_named(sealed):
    hidden = sealed / "artifacts"
    hidden.chmod(0o000)
    ran = _check(sealed, "--no_load", is_plain_user=True)
    assert ran.status == 1
    assert "Traceback" not in ran.all
    assert "artifacts" in ran.all


# A full quota.

_ON_A_SMALL_DISK = """
set -eu
mount -t tmpfs -o size={size} tmpfs "$1"
status=0
"$2" -B scripts/precache.py --cache_dir "$1/root" --spec "$3" --no_verify || status=$?
echo "status $status"
find "$1/root" -name COMPLETED | wc -l
mount -o remount,size=200m "$1"
exec "$2" -B scripts/precache.py --cache_dir "$1/root" --spec "$3" --no_verify
"""


def _on_a_small_disk(hub, tmp_path, spec, *, size: str) -> hf_programs.Ran:
    """Runs precache where the disk is full, and again when it is larger."""
    (tmp_path / "disk").mkdir()
    # The file system is seen by these processes alone, and goes with them.
    rights = [] if hf_programs.IS_ROOT else ["--user", "--map-root-user"]
    ran = subprocess.run(
        ["unshare", *rights, "--mount", "sh", "-c", _ON_A_SMALL_DISK.format(size=size), "sh",
         str(tmp_path / "disk"), sys.executable, str(spec)],
        env=hf_programs.online(hub, tmp_path / "home"), cwd=hf_programs.ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return hf_programs.Ran(ran.returncode, ran.stdout, ran.stderr)


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(hub, tmp_path):
    spec = _write_spec(tmp_path, models=[_MODEL])
    asked = len(hub.paths("/lfs/"))
    ran = _on_a_small_disk(hub, tmp_path, spec, size="1m")
    assert "status 1\n0\n" in ran.out
    assert "free" in ran.error
    assert "wanted 3.0 MB" in ran.error
    assert ran.status == 0, ran.all
    assert len(hub.paths("/lfs/")) == asked + 1


def test_a_quota_that_is_full_midway_is_one_line_and_goes_on_later(hub, tmp_path):
    # There is room for the file of the Hub, but not for what is prepared of it as well.
    content = hf_programs.parquet(300, padding=20_000)
    hub.add("dataset", "tests/large", {"data/train-00000-of-00001.parquet": content})
    spec = _write_spec(tmp_path, datasets=["tests/large"])
    ran = _on_a_small_disk(hub, tmp_path, spec, size="8m")
    assert "status 1\n0\n" in ran.out
    assert "Traceback" not in ran.all
    failed = [line for line in ran.all.splitlines() if "space" in line]
    assert failed, ran.all
    assert ran.status == 0, ran.all


def test_a_limit_on_the_size_of_files_is_one_line(hub, tmp_path):
    spec = _write_spec(tmp_path, models=[_MODEL])
    environment = hf_programs.online(hub, tmp_path / "home")
    ran = subprocess.run(
        ["sh", "-c", 'ulimit -f 1000; exec "$@"', "sh", sys.executable, "-B", "scripts/precache.py",
         "--cache_dir", str(tmp_path / "root"), "--spec", str(spec), "--no_verify"],
        env=environment, cwd=hf_programs.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "Traceback" not in ran.stdout + ran.stderr
    assert [line for line in ran.stdout.splitlines() if _MODEL in line and "no" in line.split()]
    assert not list((tmp_path / "root").glob("artifacts/*/COMPLETED"))
    assert _precache(hub, tmp_path / "root", "--no_verify", spec=spec).status == 0


# Two configurations and none named.


def test_two_configurations_and_none_named_lists_both(root, tmp_path):
    checked = _check(root, "--dataset", _TWO, on=("HF_DATASETS_OFFLINE",))
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
    named = _check(root, "--dataset", _TWO, "--config", "second", "--json")
    assert json.loads(named.out)["config"] == "second"


# A spec that is not one.

_SPECS = {
    "a key that is not known": ("modells: [a/b]", ["modells", "models", "did you mean"]),
    "a key of an entry": ("datasets: [{name: a/b, config: en}]", ["config", "configs", "entry 1"]),
    "no mapping": ("[a/b]", ["models", "datasets", "metrics"]),
    "nothing": ("", ["models", "datasets", "metrics"]),
    "no list": ("models: a/b", ["models", "list"]),
    "twice": ("models: [a/b, a/b]", ["a/b", "entry 2"]),
    "an object": ("models: [!!python/object/apply:os.system ['touch /tmp/x']]", ["YAML"]),
    "a path as a name": ("models: [../../etc]", ["../../etc"]),
    "an absolute path as a name": ("models: [/etc/passwd]", ["/etc/passwd"]),
    "a name that a terminal obeys": ('models: ["a/\\e[31mb"]', ["a/", "[31mb"]),
    "aliases": ("a: &a [x,x]\nb: &b [*a,*a]\nmodels: [*b]", ["alias"]),
    "deep": ("models: " + "[" * 20000, ["YAML"]),
    "half a mapping": ("models: [{name: a/b", ["YAML"]),
    "a pattern that is a number": ("models: [{name: a/b, patterns: [1]}]", ["patterns", "1"]),
}


@pytest.mark.parametrize("case", _SPECS)
def test_a_spec_that_is_not_one_is_one_line_that_names_the_entry(tmp_path, case):
    text, wanted = _SPECS[case]
    spec = tmp_path / "artefacts.yaml"
    spec.write_text(text, encoding="utf-8")
    environment = hf_programs.offline(tmp_path / "home")
    ran = hf_programs.run(
        "precache.py", "--cache_dir", tmp_path / "root", "--spec", spec, environment=environment
    )
    assert ran.status == 1
    assert "artefacts.yaml" in ran.error
    for word in wanted:
        assert word in ran.error
    assert "\x1b" not in ran.all
    assert len(ran.error) < 1000
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("content", [b"#" * (64 << 20), b"models: [\xff\xfe]", b"models: [a\0b]"])
def test_a_spec_that_is_huge_or_no_text_is_one_line(tmp_path, content):
    spec = tmp_path / "artefacts.yaml"
    spec.write_bytes(content)
    environment = hf_programs.offline(tmp_path / "home")
    ran = hf_programs.run(
        "precache.py", "--cache_dir", tmp_path / "root", "--spec", spec, environment=environment
    )
    assert ran.status == 1
    assert "artefacts.yaml" in ran.error
    assert len(ran.error) < 1000


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "a/b/c", "a--b", "a b", "", "a\x1bb"])
def test_a_name_that_is_none_is_refused_before_the_hub_is_asked(hub, tmp_path, name):
    asked = len(hub.requests)
    ran = hf_programs.run(
        "precache.py", "--cache_dir", tmp_path / "root", "--no_conll2003", "--no_wikiann",
        f"--models={name}", environment=hf_programs.online(hub, tmp_path / "home"),
    )  # fmt: skip
    assert ran.status == 1
    assert "\x1b" not in ran.all
    assert ran.error
    assert len(hub.requests) == asked
    assert not (tmp_path / "root").exists()


# Paths.


def test_a_path_with_spaces_and_quotes_works_from_precache_to_the_job(hub, tmp_path):
    folder = tmp_path / 'a cache of "Jo\'s" $HOME & co'
    folder.mkdir()
    spec = _write_spec(folder, datasets=[_PLAIN])
    ran = _precache(hub, folder / "the root", "--no_verify", spec=spec)
    assert ran.status == 0, ran.all
    script = 'set -eu; . "$1/env.sh"; exec "$2" -B scripts/check_hf_cache.py --dataset "$3" --json'
    job = subprocess.run(
        ["bash", "-c", script, "bash", str(folder / "the root"), sys.executable, _PLAIN],
        env=hf_programs.offline(tmp_path / "home"), cwd=hf_programs.ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert job.returncode == 0, job.stderr
    assert [split["num_rows"] for split in json.loads(job.stdout)["splits"]] == [20, 5]


# Hostile caches and Hubs.


def test_a_hub_that_names_files_outside_of_the_cache_is_refused(hub, tmp_path):
    for number, path in enumerate(("../../evil.txt", "/tmp/evil.txt", "a/../../../../evil.txt")):
        name = f"tests/hostile{number}"
        hub.add("model", name, {"config.json": "{}", path: "evil"})
        spec = _write_spec(tmp_path, models=[{"name": name, "patterns": ["*"]}])
        ran = _precache(hub, tmp_path / "root", "--no_verify", spec=spec)
        assert ran.status == 1
        assert "Traceback" not in ran.all
        assert not list(tmp_path.rglob("evil.txt"))
        assert not list((tmp_path / "root").glob("artifacts/*/COMPLETED"))


_CARDS = {
    "config": ("config_name: x", "config_name: ../../../../code_t5_evil"),
    "path": ("path: x/train-*", "path: ../../../../../../../etc/hostname"),
    "split": ("split: train", "split: ../../code_t5_evil"),
}


def test_a_repository_whose_card_names_what_lies_outside_is_refused(hub, tmp_path):
    for case, (found, replaced) in _CARDS.items():
        files = hf_programs.dataset_files("x")
        files["README.md"] = files["README.md"].replace(found, replaced)
        hub.add("dataset", f"tests/card-{case}", files)
    names = [f"tests/card-{case}" for case in _CARDS]
    spec = _write_spec(tmp_path, datasets=names)
    ran = _precache(hub, tmp_path / "root", "--no_verify", spec=spec)
    assert ran.status == 1
    assert "Traceback" not in ran.all
    assert [line.split()[1] for line in ran.out.splitlines() if " no " in line] == names
    for name in names:
        opened = _check(tmp_path / "root", "--dataset", name)
        assert opened.status == 1
        assert name in opened.error
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]
    assert not list((tmp_path / "root").glob("artifacts/*/COMPLETED"))


_RECORDS = (
    {"files": [1]},
    {"files": {"a": {"size_bytes": "NaN", "sha256": 1, "blob": 2}}},
    {"files": {"/etc/passwd": {"size_bytes": 1, "sha256": "a", "blob": ""}}},
    {"commit": "../../../../etc"},
    {"request": None},
    {"request": {"kind": "evil", "name": "a/b"}},
    {"request": {"kind": "model", "name": "../../etc"}},
    {"repository": "../../etc"},
    {"prepared": [{"config": "x", "arrow_dir": "../../etc", "splits": {}, "files": {}}]},
    {"format_version": 99},
)


def test_records_that_are_none_are_each_named_and_the_others_hold(root):
    (record,) = root.glob("artifacts/models--*")
    held = json.loads((record / "manifest.json").read_text())
    texts = [json.dumps({**held, **changes}) for changes in _RECORDS]
    texts += ["[" * 100_000, "\0", '{"a": 1', "[]"]
    for number, text in enumerate(texts):
        folder = record.with_name(f"models--bad{number:02d}")
        folder.mkdir()
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        (folder / "COMPLETED").write_text("")
    ran = _check(root, "--no_load")
    assert ran.status == 1
    assert "Traceback" not in ran.all
    for number in range(len(texts)):
        assert f"models--bad{number:02d}" in ran.out
    for name in (_MODEL, _PLAIN, _TWO):
        assert any(name in line and " yes " in line for line in ran.out.splitlines())


def test_a_record_that_leads_out_is_refused_and_what_it_names_is_not_read(root):
    (record,) = root.glob("artifacts/models--*")
    manifest = json.loads((record / "manifest.json").read_text())
    manifest["files"]["../../../../../../etc/passwd"] = manifest["files"]["config.json"]
    (record / "manifest.json").write_text(json.dumps(manifest))
    # The marker holds the hash of the manifest; in older artefacts it is empty.
    (record / "COMPLETED").write_text("")
    ran = _check(root, "--no_load")
    assert ran.status == 1
    assert "Traceback" not in ran.all
    assert "etc/passwd" in ran.all
    assert "root:x:" not in ran.all


def test_a_link_that_leads_out_is_found(root, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("not for you", encoding="ascii")
    (snapshot,) = root.glob("hub/models--*/snapshots/*")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(secret)
    ran = _check(root, "--no_load")
    assert ran.status == 1
    assert "config.json" in ran.all
    assert "not for you" not in ran.all


def test_names_on_the_disk_command_no_terminal(root):
    (snapshot,) = root.glob("hub/models--*/snapshots/*")
    (snapshot / "a\x1b]0;owned\x07\nb").write_text("x")
    (root / "hub" / "models--a--\x1b[31m").mkdir()
    for arguments in ([], ["--json"]):
        ran = _check(root, "--no_load", *arguments)
        assert "\x1b" not in ran.all
        assert "\x07" not in ran.all
        assert "Traceback" not in ran.all


def test_a_file_in_the_place_of_the_root_is_one_line(hub, tmp_path, spec):
    file = tmp_path / "file"
    file.write_text("mine", encoding="ascii")
    for ran in (_precache(hub, file, spec=spec), _check(file), _check(file, "--dataset", _PLAIN)):
        assert ran.status == 1
        assert str(file) in ran.error
    assert file.read_text(encoding="ascii") == "mine"


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
