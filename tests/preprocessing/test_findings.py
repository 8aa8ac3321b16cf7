from __future__ import annotations

from preprocessing import findings, ledger

_BASE = {
    "language": "Python", "repository": "o/r", "branch": "m", "flat_name": "a_1.py", "path": "a.py",
    "size_bytes": 10, "verdict": "kept", "split": "train",
}  # fmt: skip


def _read(tmp_path, *rows):
    path = tmp_path / "ledger.parquet"
    ledger.write_rows(path, [{**_BASE, "file_id": i, **row} for i, row in enumerate(rows)])
    return findings.read_findings(path)


def test_licences_and_repositories_are_those_of_kept_files(tmp_path):
    found = _read(
        tmp_path,
        {"license": "MIT", "license_source": "header"},
        {"license": "MIT", "license_source": "spdx_tag", "repository": "o/s"},
        {"repository": "o/s"},
        {"license": "GPL-3.0-only", "license_source": "header", "verdict": "license"},
        {"split": "test", "repository": "o/t"},
    )
    assert found.license_counts() == {
        "by_expression": {"MIT": 2, "unknown": 2},
        "by_source": {"unknown": 2, "header": 1, "spdx_tag": 1},
    }
    assert [found.num_repositories(s) for s in ("train", "validation", "test")] == [2, 0, 1]


def test_what_redaction_found_is_counted_in_files_and_places(tmp_path):
    found = _read(tmp_path, {"email": 3, "secret": 0}, {"email": 1, "secret": 2}, {})
    counts = found.redaction_counts()
    assert counts["files"] == {
        "email": 2, "ipv4": 0, "ipv6": 0, "private_key": 0, "secret": 1,
    }  # fmt: skip
    assert (counts["counts"]["email"], counts["counts"]["secret"]) == (4, 2)


def test_files_that_hold_part_of_a_benchmark_are_listed_up_to_a_bound(tmp_path, monkeypatch):
    rows = [{"contamination": f"B.jsonl:{i} prompt exact", "path": f"{i}.py"} for i in range(5)]
    monkeypatch.setattr(findings, "_MAX_MATCHES", 2)
    found = _read(tmp_path, {}, *rows)
    assert found.num_contaminated == 5
    assert [(match["file_id"], match["path"]) for match in found.matches] == [
        (1, "0.py"),
        (2, "1.py"),
    ]
    assert found.matches[1]["found"] == "B.jsonl:1 prompt exact"
