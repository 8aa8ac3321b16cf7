"""Caches that belong to others, that are full, or that somebody prepared: nothing leads out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import fake_hub
import hf_programs
import pytest

_PLAIN, _TWO, _MODEL = hf_programs.PLAIN, hf_programs.TWO, hf_programs.MODEL
_NEW = "tests/new"


@pytest.fixture(scope="module")
def hub():
    """A Hub with two data sets and a model of 3 MB."""
    with fake_hub.serve() as made:
        hf_programs.add_repositories(made)
        made.add("dataset", _NEW, hf_programs.dataset_files())
        yield made


@pytest.fixture(scope="module")
def _filled(hub, tmp_path_factory):
    return hf_programs.fill_root(hub, tmp_path_factory.mktemp("filled"))


@pytest.fixture
def root(_filled, tmp_path):
    """A root with both data sets and the model, for this test alone."""
    return hf_programs.copy_root(_filled, tmp_path)


# Somebody else's, or read-only.


@pytest.fixture
def sealed(root):
    """The root, which belongs to somebody else: all may read it, and nobody may write."""
    with hf_programs.sealed(root):
        yield root


def test_a_cache_of_somebody_else_is_not_filled_and_stays_as_it_was(hub, sealed, tmp_path):
    before = hf_programs.tree(sealed)
    spec = hf_programs.write_spec(tmp_path, datasets=[_NEW])
    ran = hf_programs.precache(hub, sealed, spec=spec, is_plain_user=True)
    assert ran.status == 1
    assert str(sealed) in ran.error
    assert "--cache_dir" in ran.error
    assert hf_programs.tree(sealed) == before


def test_a_cache_of_somebody_else_is_checked_and_opened(sealed):
    before = hf_programs.tree(sealed)
    for arguments in (["--no_load"], ["--dataset", _PLAIN], ["--dataset", _TWO, "--config=first"]):
        ran = hf_programs.check(sealed, *arguments, on=["HF_HUB_OFFLINE"], is_plain_user=True)
        assert ran.status == 0, ran.all
    assert hf_programs.tree(sealed) == before


def test_snapshots_of_somebody_else_are_opened_without_their_arrow_files(root):
    shutil.rmtree(root / "datasets")
    with hf_programs.sealed(root):
        before = hf_programs.tree(root)
        ran = hf_programs.check(root, "--dataset", _PLAIN, "--loader", is_plain_user=True)
        assert ran.status == 0, ran.all
        assert hf_programs.tree(root) == before


def test_what_may_not_even_be_read_is_named(sealed):
    hidden = sealed / "artifacts"
    hidden.chmod(0o000)
    ran = hf_programs.check(sealed, "--no_load", is_plain_user=True)
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
    spec = hf_programs.write_spec(tmp_path, models=[_MODEL])
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
    spec = hf_programs.write_spec(tmp_path, datasets=["tests/large"])
    ran = _on_a_small_disk(hub, tmp_path, spec, size="8m")
    assert "status 1\n0\n" in ran.out
    assert "Traceback" not in ran.all
    failed = [line for line in ran.all.splitlines() if "space" in line]
    assert failed, ran.all
    assert ran.status == 0, ran.all


def test_a_limit_on_the_size_of_files_is_one_line(hub, tmp_path):
    spec = hf_programs.write_spec(tmp_path, models=[_MODEL])
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
    assert hf_programs.precache(hub, tmp_path / "root", spec=spec).status == 0


# Hostile.


def test_a_hub_that_names_files_outside_of_the_cache_is_refused(hub, tmp_path):
    for number, path in enumerate(("../../evil.txt", "/tmp/evil.txt", "a/../../../../evil.txt")):
        name = f"tests/hostile{number}"
        hub.add("model", name, {"config.json": "{}", path: "evil"})
        spec = hf_programs.write_spec(tmp_path, models=[{"name": name, "patterns": ["*"]}])
        ran = hf_programs.precache(hub, tmp_path / "root", spec=spec)
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
    spec = hf_programs.write_spec(tmp_path, datasets=names)
    ran = hf_programs.precache(hub, tmp_path / "root", spec=spec)
    assert ran.status == 1
    assert "Traceback" not in ran.all
    assert [line.split()[1] for line in ran.out.splitlines() if " no " in line] == names
    for name in names:
        opened = hf_programs.check(tmp_path / "root", "--dataset", name)
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
    ran = hf_programs.check(root, "--no_load")
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
    ran = hf_programs.check(root, "--no_load")
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
    ran = hf_programs.check(root, "--no_load")
    assert ran.status == 1
    assert "config.json" in ran.all
    assert "not for you" not in ran.all


def test_names_on_the_disk_command_no_terminal(root):
    (snapshot,) = root.glob("hub/models--*/snapshots/*")
    (snapshot / "a\x1b]0;owned\x07\nb").write_text("x")
    (root / "hub" / "models--a--\x1b[31m").mkdir()
    for arguments in ([], ["--json"]):
        ran = hf_programs.check(root, "--no_load", *arguments)
        assert "\x1b" not in ran.all
        assert "\x07" not in ran.all
        assert "Traceback" not in ran.all


def test_a_file_in_the_place_of_the_root_is_one_line(hub, tmp_path):
    spec = hf_programs.write_spec(tmp_path, datasets=[_PLAIN])
    file = tmp_path / "file"
    file.write_text("mine", encoding="ascii")
    for ran in (
        hf_programs.precache(hub, file, spec=spec),
        hf_programs.check(file),
        hf_programs.check(file, "--dataset", _PLAIN),
    ):
        assert ran.status == 1
        assert str(file) in ran.error
    assert file.read_text(encoding="ascii") == "mine"
