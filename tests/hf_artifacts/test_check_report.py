"""`check_hf_cache.py`: a table with yes or no and the reason for each, and the exit status."""

from __future__ import annotations

import json
import os
import shutil

import hub_artefacts
import hub_cache_files
import offline_children
import pytest
from hub_cache_files import COMMIT

from code_t5 import errors
from code_t5.hf_artifacts import records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import load_checks, report, report_text
from code_t5.hf_artifacts.checking.load_target import LoadTarget, Proof
from code_t5.hf_artifacts.checking.report import CheckConfig
from code_t5.hf_artifacts.requests import ArtefactRequest

FILES = {"config.json": b"{}", "model.safetensors": b"weights"}
MODEL = ArtefactRequest("model", "org/name")
NOT_LOADED = CheckConfig(is_loading=False)


@pytest.fixture
def root(tmp_path):
    """A model with its record, and one without."""
    made = CacheRoot(tmp_path / "a cache")
    hub_cache_files.put_repository(made, "models--org--name", FILES)
    hub_cache_files.put_record(made, MODEL, FILES)
    hub_cache_files.put_repository(made, "models--org--other", FILES, refs=("v1", "v2"))
    return made


def _check(*arguments):
    return offline_children.run_script("check_hf_cache.py", *arguments, environment=os.environ)


def _listed(folder):
    # `datasets` makes locks while it reads; that they came and went is all that folders may tell.
    return {
        path.relative_to(folder).as_posix(): 0 if path.is_dir() else path.lstat().st_mtime_ns
        for part in ("hub", "datasets", "artifacts", "transformers")
        for path in (folder / part).rglob("*")
    }


@pytest.fixture(scope="module")
def checked(filled_root):
    """What the program said of a cache that precache filled, as JSON; and the files before."""
    before = _listed(filled_root)
    done = _check(f"--cache-dir={filled_root}", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _listed(filled_root) == before
    return json.loads(done.stdout)


def test_everything_that_precache_fetched_is_whole_and_loads(checked):
    rows = checked["artefacts"]
    told = {(row["name"], row["revision"]): (row["whole"], row["loads"]) for row in rows}
    assert set(told.values()) == {("yes", "yes")}
    assert {
        ("conll2003", "refs/convert/parquet"), ("wikiann", None), ("imagenet-1k", None),
        (hub_artefacts.MINILM, None), (hub_artefacts.CHAT, None), ("acme/reviews", "v1"),
    } <= set(told)  # fmt: skip
    assert all(row["is_recorded"] and row["is_proved"] for row in rows)
    assert (checked["is_good"], checked["fence"]) == (True, "seccomp")
    assert (checked["is_hashed"], checked["is_loaded"]) == (True, True)


def test_the_json_has_the_fields_that_are_documented(checked):
    assert (checked["format_name"], checked["format_version"]) == ("code_t5_hf_check", 1)
    assert sorted(checked) == [
        "artefacts", "cache_dir", "fence", "findings", "format_name", "format_version", "is_good",
        "is_hashed", "is_loaded",
    ]  # fmt: skip
    for row in checked["artefacts"]:
        assert sorted(row) == [
            "commit", "is_good", "is_proved", "is_recorded", "key", "kind", "loads", "name",
            "parts", "prepared_bytes", "reason", "request", "revision", "size_bytes", "whole",
        ]  # fmt: skip
        assert sorted(row["request"]) == [
            "configs", "data_dir", "data_files", "ignore_patterns", "kind", "name", "patterns",
            "revision",
        ]  # fmt: skip


def test_each_part_has_its_verdict(checked):
    parts = {row["name"]: row["parts"] for row in checked["artefacts"]}
    assert parts[hub_artefacts.CHAT] == {
        "config": "yes", "tokenizer": "yes: with its chat template", "weights": "yes",
    }  # fmt: skip
    rows = "yes: default train 40, validation 12, test 8"
    assert parts["conll2003"] == {"code_t5": rows, "datasets": rows}


def test_what_the_plain_library_cannot_load_is_said_and_decides_only_when_asked(checked):
    rows = [row for row in checked["artefacts"] if row["request"]["data_dir"] == "en"]
    assert [row["loads"] for row in rows] == ["yes"]
    assert rows[0]["parts"]["datasets"].startswith("no: ValueError: Couldn't find cache")
    assert rows[0]["reason"].startswith("not by `datasets` itself: ")
    proof = Proof(LoadTarget(MODEL), rows[0]["parts"])
    assert (proof.is_good, proof.is_plainly_good) == (True, False)


def test_a_flipped_bit_is_a_no_for_whoever_uses_it(copied_root):
    blob = (
        copied_root / "hub" / "models--acme--tiny-t5" / "snapshots"
    ).glob("*/model.safetensors").__next__().resolve()  # fmt: skip
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    done = _check(f"--cache_dir={copied_root}", "--no_load")
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert [line.split()[1] for line in lines if "  no  " in line] == ["acme/tiny-t5"]
    assert f"blobs/{blob.name}: " in done.stdout
    assert lines[-1].endswith("11 artefacts, 1 of them not good")


def test_a_copy_loads_from_its_new_place(copied_root, filled_root):
    done = _check(f"--cache_dir={copied_root}", "--only", "unimelb-nlp/wikiann", "acme/tiny-t5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 5
    assert str(filled_root) not in done.stdout


def test_rows_that_differ_from_the_record_are_a_no(copied_root):
    root = CacheRoot(copied_root)
    (found,) = (
        record for _, record in records.list_records(root)
        if record.request.name == "wikiann" and record.request.configs == ("de",)
    )  # fmt: skip
    fewer = dict(found.prepared[0].splits) | {"train": 29}
    target = LoadTarget(found.request, commit=found.commit, splits={"de": fewer})
    (proof,) = load_checks.load_targets(root, [target])
    assert proof.loads == "no"
    assert "train 30" in proof.reason and "wanted train 29" in proof.reason


def test_what_has_no_record_is_checked_by_its_names_and_said_so(root):
    found = {row.request.name: row for row in report.check_root(root, NOT_LOADED).rows}
    assert [found["org/name"].is_recorded, found["org/other"].is_recorded] == [True, False]
    assert (found["org/other"].whole, found["org/other"].reason) == (
        "yes",
        "not recorded: it may be a part",
    )
    assert (found["org/name"].request.revision, found["org/other"].request.revision) == (None, "v1")
    (root.hub_dir / "models--org--other" / "blobs").joinpath(
        hub_cache_files.blob_name("config.json", b"{}")
    ).write_bytes(b"[]")
    checked = report.check_root(root, NOT_LOADED)
    assert [(row.request.name, row.whole) for row in checked.rows] == [
        ("org/name", "yes"), ("org/other", "no"),
    ]  # fmt: skip
    assert not checked.is_good


def test_damage_that_belongs_to_no_artefact_is_told_below_the_table(root):
    (root.hub_dir / "models--org--gone").symlink_to("/etc")
    found = report.check_root(root, NOT_LOADED)
    assert not found.is_good
    assert [row.whole for row in found.rows] == ["yes", "yes"]
    lines = report_text.describe(found)
    assert lines[3].startswith("damaged: hub/models--org--gone leads out of hub/")
    assert lines[-1].endswith("2 artefacts are good, and other files are damaged")


def test_a_broken_record_is_told(root):
    (root.artifacts_dir / MODEL.slug / "manifest.json").write_text("{}")
    found = report.check_root(root, NOT_LOADED)
    assert not found.is_good
    assert any(
        MODEL.slug in line and line.startswith("damaged:") for line in report_text.describe(found)
    )


def test_half_a_download_is_told(root):
    shutil.rmtree(root.artifacts_dir)
    blobs = root.hub_dir / "models--org--other" / "blobs"
    (blobs / f"{40 * 'e'}.1234.incomplete").write_bytes(b"half")
    found = {row.request.name: row for row in report.check_root(root, NOT_LOADED).rows}
    assert (found["org/name"].whole, found["org/other"].whole) == ("yes", "no")
    assert "half a download" in found["org/other"].reason


def test_what_nothing_can_be_compared_with_is_not_said_to_be_whole(root):
    (root.hub_dir / "models--org--other" / "snapshots" / COMMIT / "README.md").write_text("own")
    row = report.check_root(root, NOT_LOADED).rows[1]
    assert (row.request.name, row.whole, row.is_good) == ("org/other", "-", True)
    assert row.reason.startswith(
        "not recorded: it may be a part; 1 files cannot be checked, as hub/models--org--o"
    )


def test_without_hashing_nothing_is_said_to_be_whole(root):
    config = CheckConfig(is_loading=False, is_hashing=False)
    found = report.check_root(root, config)
    assert {row.whole for row in found.rows} == {"-"}
    assert report_text.describe(found)[-1] == (
        f"{root.path}: names and sizes are right; nothing was read or loaded"
    )


def _summary(root, **fields):
    return report_text.describe(report.check_root(root, CheckConfig(**fields)))[-1]


def test_the_last_line_says_what_was_not_done(root, filled_root):
    shutil.rmtree(root.hub_dir / "models--org--other")
    assert _summary(root, is_loading=False) == f"{root.path}: all is whole; nothing was loaded"
    filled = CacheRoot(filled_root)
    only = {"names": ("acme/tiny-t5",)}
    assert _summary(filled, **only) == (
        f"{filled_root}: all is good; loaded behind a fence (seccomp)"
    )
    assert _summary(filled, **only, is_hashing=False) == (
        f"{filled_root}: names and sizes are right, and all loads; no content was hashed; loaded "
        "behind a fence (seccomp)"
    )
    (root.hub_dir / "models--org--name" / "snapshots" / COMMIT / "README.md").write_text("own")
    shutil.rmtree(root.artifacts_dir)
    assert _summary(root, is_loading=False) == (
        f"{root.path}: what could be checked is whole; nothing was loaded (1 of 1 artefacts only "
        "in part)"
    )


def test_a_record_that_was_not_proved_is_said_to_be_so(root):
    row = report.check_root(root, NOT_LOADED).rows[0]
    assert (row.is_proved, row.reason) == (False, "not proved yet")
    hub_cache_files.put_record(root, MODEL, FILES, is_proved=True)
    row = report.check_root(root, NOT_LOADED).rows[0]
    assert (row.is_proved, row.reason) == (True, "")


def test_sizes_of_the_hubs_files_and_of_what_was_prepared_are_told_apart(tmp_path):
    root, request = CacheRoot(tmp_path), ArtefactRequest("dataset", "words")
    files, arrow_files = {"a.parquet": 3000 * b"a"}, {"words-train.arrow": 5000 * b"b"}
    hub_cache_files.put_repository(root, "datasets--words", files)
    hub_cache_files.put_record(root, request, files, arrow_files=arrow_files, is_proved=True)
    found = report.check_root(root, NOT_LOADED)
    assert [(row.size_bytes, row.prepared_bytes) for row in found.rows] == [(3000, 5000)]
    head, row = report_text.describe(found)[:2]
    assert head.split() == [
        "kind", "name", "commit", "size", "prepared", "whole", "loads", "reason",
    ]  # fmt: skip
    assert row.split() == ["dataset", "words", COMMIT[:12], "3.0", "kB", "5.0", "kB", "yes", "-"]


def test_half_of_a_models_files_without_a_record_is_a_no(copied_root):
    root = CacheRoot(copied_root)
    (record,) = (path for path in root.artifacts_dir.glob("models--acme--tiny-t5--*"))
    for path in (root.hub_dir / "models--acme--tiny-t5" / "snapshots").glob("*/*"):
        if path.name in ("model.safetensors", "generation_config.json"):
            path.unlink()
    shutil.rmtree(record)
    done = _check(f"--cache_dir={copied_root}", "--only", "acme/tiny-t5", "--json")
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)["artefacts"]
    assert (row["whole"], row["loads"], row["is_recorded"]) == ("yes", "no", False)
    assert row["reason"].startswith(
        "not recorded: it may be a part; weights: no weights are here; wanted those"
    )


def test_names_that_would_command_the_terminal_are_made_visible(root):
    hub_cache_files.put_repository(root, "models--a\x1b[31m--b\n", FILES)
    found = report.check_root(root)
    assert all(line.isprintable() for line in report_text.describe(found))
    row = next(row for row in found.rows if "\x1b" in row.request.name)
    assert (row.whole, row.loads) == ("yes", "no")
    assert "\x1b" not in report_text.as_json(found)


def test_an_empty_cache_is_not_good(tmp_path):
    done = _check(f"--cache_dir={tmp_path}")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{tmp_path}: nothing is cached here; fetch with python scripts/")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cache_dir=/nowhere/at all"], "there is no directory /nowhere/at all; wanted a cache"),
        (
            ["--cache_dir={root}", "--only", "nix"],
            "'nix' is not in {root}, which has org/name, org/",
        ),
        (["--cache_dir={root}", "--only"], "--only was given alone"),
        (
            ["--cache_dir={root}", "--dataset", "x", "--no-hash"],
            "--no_hash was given with --dataset",
        ),
        (["--cache_dir={root}", "more"], "'more' is no flag"),
    ],
)
def test_what_cannot_be_asked_is_one_line(root, arguments, says):
    done = _check(*(argument.format(root=root.path) for argument in arguments))
    assert done.returncode == 1
    assert says.format(root=root.path) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "" or "'more'" in says


def test_a_cache_that_may_not_be_read_is_refused(root, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(errors.InputError, match="may not be read; wanted a cache of your own"):
        report.check_root(root)


def _metric_root(folder):
    root = CacheRoot(folder)
    name = "evaluate-metric/accuracy"
    files = {"accuracy.py": hub_artefacts.accuracy()["accuracy.py"].encode()}
    snapshot = hub_cache_files.put_repository(root, "spaces--evaluate-metric--accuracy", files)
    key = hub_cache_files.put_record(root, ArtefactRequest("metric", name), files)
    copies = root.path / "modules/evaluate_modules/metrics/evaluate-metric--accuracy"
    shutil.copytree(snapshot, copies / (64 * "0"))
    return root, root.artifacts_dir / key


def test_metrics_that_somebody_else_fetched_are_not_run_unless_asked_for(tmp_path, monkeypatch):
    root, record = _metric_root(tmp_path)

    def loads(run_metrics=None):
        (row,) = report.check_root(root, CheckConfig(run_metrics=run_metrics)).rows
        return row.loads

    assert [loads(), loads(run_metrics=False)] == ["yes", "-"]
    owner = os.stat(record).st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert [loads(), loads(run_metrics=True)] == ["-", "yes"]


def test_commits_of_the_same_repository_are_rows_of_their_own(root):
    hub_cache_files.put_repository(root, "models--org--name", {"a": b"a"}, commit=40 * "d", refs=())
    found = report.check_root(root, NOT_LOADED).rows
    told = [(row.request.name, row.commit, row.is_recorded) for row in found]
    assert told == [
        ("org/name", COMMIT, True), ("org/name", 40 * "d", False), ("org/other", COMMIT, False),
    ]  # fmt: skip
    assert found[1].request.revision == 40 * "d"
