"""Dry runs, what reports show, and what is only found out at the end of a build."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest
from small_build import config_for as _config
from small_build import dataset_folder as _folder
from small_build import examples_of as _examples
from small_build import ledger_rows as _rows
from small_build import run_build as _build
from small_build import tree_bytes as _tree_bytes

from code_t5 import errors
from fakes import some_code, write_code_repositories, write_flcc
from preprocessing import (
    build,
    build_config,
    decontamination,
    ledger,
    splits,
)
from preprocessing.dedup import near


def test_a_dry_run_writes_ledger_and_reports_and_nothing_else(tmp_path):
    write_code_repositories(tmp_path / "in")
    write_flcc(tmp_path / "in", {"zoo/fork/master/copy_1.py": some_code(1000)})
    config = _config(tmp_path)
    dry = _build(dataclasses.replace(config, dry_run=True))
    folder = build_config.dry_run_dir(config.data_dir, config.name)
    assert {path.name for path in folder.iterdir()} == {
        "ledger.parquet", "report.json", "report.html", "leak_report.json", "manifest.json",
        "COMPLETED",
    }  # fmt: skip
    left = {path.name for path in pathlib.Path(config.data_dir).iterdir()}
    assert left == {".building", "dry_runs"}
    built = _build(config)
    assert ledger.read_rows(folder / "ledger.parquet") == _rows(config)
    assert dry["files_by_verdict"] == built["files_by_verdict"] == {
        "kept": 40, "exact_duplicate": 1,
    }  # fmt: skip
    assert "vocabulary" not in dry
    assert dry["splits"] == built["splits"]


def test_a_dry_run_is_made_anew_each_time_and_leaves_the_data_set_alone(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    _build(config)
    before = _tree_bytes(_folder(config))
    strict = dataclasses.replace(config, license_policy="permissive")
    report = _build(dataclasses.replace(strict, dry_run=True))
    assert report["files_by_verdict"] == {"license": 40}
    assert report["problems"][0].startswith("a build would stop here: 0 repositories")
    with pytest.raises(errors.InputError, match="0 repositories"):
        _build(dataclasses.replace(strict, name="strict"))
    dry = dataclasses.replace(config, dry_run=True)
    _build(dry)
    write_flcc(tmp_path / "in", {"zoo/new/master/own_1.py": some_code(5)})
    assert _build(dry)["num_files"] == 41
    assert _tree_bytes(_folder(config)) == before


def test_reports_show_nothing_that_redaction_finds_even_where_it_is_kept(tmp_path):
    address = "jane.roe" + "@" + "mail.example-shop.org"
    write_code_repositories(tmp_path / "in")
    owner = f'OWNER = "{address}"\n'
    write_flcc(
        tmp_path / "in",
        {
            "a/one/m/a_1.py": owner + some_code(1),
            "a/two/m/b_1.py": owner + some_code(1) + "x = 1\n",
        },
    )
    config = _config(tmp_path, redact="report")
    _build(config)
    assert any(address.encode() in example["text"] for _, example in _examples(config))
    for name in ("report.html", "report.json", "leak_report.json", "ledger.parquet"):
        assert address.encode() not in (_folder(config) / name).read_bytes(), name
    assert b"REDACTED_EMAIL" in (_folder(config) / "report.html").read_bytes()


def test_a_benchmark_that_changes_during_the_build_stops_it(tmp_path, monkeypatch):
    write_code_repositories(tmp_path / "in")
    path = tmp_path / "benchmark.jsonl"
    path.write_text(json.dumps({"solution": some_code(5000)}) + "\n")
    config = _config(
        tmp_path,
        decontamination=decontamination.DecontaminationConfig(benchmark_paths=(str(path),)),
    )
    original = build.publish.write_reports

    def changing(*args, **kwargs):
        path.write_text(json.dumps({"solution": some_code(0)}) + "\n")
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(build.publish, "write_reports", changing)
        with pytest.raises(errors.InputError, match="changed while it was used"):
            _build(config)
    assert not _folder(config).exists()
    assert _build(config)["files_by_verdict"] == {"kept": 39, "benchmark": 1}


def test_a_split_that_loses_all_its_files_to_leaks_stops_the_build(tmp_path):
    files = {f"o{i}/r{i}/m/a_1.py": some_code(1, 40) + f"x = {i}\n" for i in range(4)}
    write_flcc(tmp_path / "in", files)
    config = _config(tmp_path, near_duplicates=near.NearDupConfig(enabled=False))
    with pytest.raises(errors.InputError, match="no file is left for train.*--no_near_dup"):
        _build(config)
    report = _build(dataclasses.replace(config, dry_run=True))
    assert report["problems"][0].startswith("a build would stop here: no file is left for train")
    assert report["leaks"]["num_dropped"] == 3


def test_a_fraction_that_is_no_number_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="wanted two numbers"):
        _build(_config(tmp_path, splits=splits.SplitConfig(float("nan"), 0.1)))


@pytest.mark.parametrize("damage", [b"", b"{", None])
def test_a_damaged_report_of_a_finished_data_set_is_one_line(tmp_path, damage):
    write_code_repositories(tmp_path / "in")
    config = _config(tmp_path)
    _build(config)
    path = _folder(config) / "report.json"
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(errors.ArtifactError, match="cannot read .*report.json.*--overwrite"):
        _build(config)


def test_the_report_counts_characters_and_lengths_of_what_is_in_the_records(tmp_path):
    write_code_repositories(tmp_path / "in")
    write_flcc(tmp_path / "in", {"zoo/own/m/a_1.py": 'name = "Größe 大小"\n' + some_code(7)})
    config = _config(tmp_path)
    report = _build(config)
    texts = [(split, example["text"].decode("utf-8")) for split, example in _examples(config)]
    counts = report["vocabulary"]["by_language"]["Python"]
    assert counts["num_texts"] == len(texts) == 41
    assert counts["num_characters"] == sum(len(text) for _, text in texts)
    assert counts["num_tokens"] == report["vocabulary"]["num_tokens"]
    for split, lengths in report["vocabulary"]["token_lengths"].items():
        assert sum(lengths) == sum(of == split for of, _ in texts)
        assert lengths[-1] > 0
