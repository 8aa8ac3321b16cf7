from __future__ import annotations

import hashlib
import json
import os
import pathlib

import numpy as np
import pytest

from code_t5.storage import tfrecords
from fakes import some_code, write_flcc
from preprocessing import decontamination, flcc_layout, scan

_SOLUTION = """def running_maximum(numbers):
    best, found = None, []
    for number in numbers:
        best = number if best is None or number > best else best
        found.append(best)
    return found
"""
_HEAD = '"""Small things about numbers."""\n\nimport math\n\n\ndef half(x):\n    return x / 2\n\n\n'
# Put together here, so that no scanner takes this file for one with an address in it.
_ADDRESS = "jane.roe" + "@" + "mail.example-shop.org"


def _scan(root: pathlib.Path, config: scan.ScanConfig) -> scan.ScannedUnit:
    branches = flcc_layout.list_branches(root / "v3", ["Python"])
    (unit,) = flcc_layout.work_units(branches)
    return scan.scan_unit(unit, config)


def _texts(scanned: scan.ScannedUnit) -> list[bytes]:
    ends = scanned.index["offset"] + scanned.index["length"]
    return [
        scan.text_of_record(scanned.records[start:end])
        for start, end in zip(scanned.index["offset"].tolist(), ends.tolist())
    ]


@pytest.fixture
def benchmark(tmp_path):
    path = tmp_path / "benchmark.jsonl"
    path.write_text(json.dumps({"task_id": "T/1", "canonical_solution": _SOLUTION}) + "\n")
    return str(path)


def test_the_hash_is_that_of_the_text_in_the_record_after_redaction(tmp_path):
    code = some_code(1) + f'OWNER = "{_ADDRESS}"\n'
    write_flcc(tmp_path, {"o/r/m/a_1.py": code})
    scanned = _scan(tmp_path, scan.ScanConfig())
    (text,) = _texts(scanned)
    assert text.decode() == code.replace(_ADDRESS, "REDACTED_EMAIL")
    (row,) = scanned.rows
    assert row["content_hash"] == hashlib.sha256(text).hexdigest()
    assert (row["email"], row["secret"]) == (1, 0)


@pytest.mark.parametrize(("mode", "count"), [("off", None), ("report", 1)])
def test_other_modes_leave_the_text_alone(tmp_path, mode, count):
    code = some_code(1) + f'OWNER = "{_ADDRESS}"\n'
    write_flcc(tmp_path, {"o/r/m/a_1.py": code})
    scanned = _scan(tmp_path, scan.ScanConfig(redact=mode))
    assert _texts(scanned) == [code.encode()]
    assert scanned.rows[0].get("email") == count


def test_a_file_with_a_solution_is_dropped_with_the_entry_named(tmp_path, benchmark):
    write_flcc(
        tmp_path,
        {"o/r/m/a_1.py": _HEAD + _SOLUTION.replace("    ", "\t"), "o/r/m/b_2.py": some_code(2)},
    )
    config = decontamination.DecontaminationConfig(benchmark_paths=(benchmark,))
    scanned = _scan(tmp_path, scan.ScanConfig(decontamination=config))
    assert [row["verdict"] for row in scanned.rows] == ["benchmark", "kept"]
    assert scanned.rows[0]["contamination"].startswith("benchmark.jsonl:1 canonical_solution exact")
    assert scanned.index["file_id"].tolist() == [1]
    assert _texts(scanned) == [some_code(2).encode()]


def test_truncating_keeps_what_stands_before_and_drops_a_file_with_nothing_before(
    tmp_path, benchmark
):
    write_flcc(
        tmp_path, {"o/r/m/a_1.py": _HEAD + _SOLUTION + some_code(3), "o/r/m/b_2.py": _SOLUTION}
    )
    config = decontamination.DecontaminationConfig(benchmark_paths=(benchmark,), action="truncate")
    scanned = _scan(tmp_path, scan.ScanConfig(decontamination=config))
    assert [row["verdict"] for row in scanned.rows] == ["kept", "benchmark"]
    assert scanned.rows[0]["truncated"] is True
    assert _texts(scanned) == [_HEAD.encode()]
    whole = _scan(tmp_path, scan.ScanConfig())
    assert scanned.index["num_ngrams"][0] < whole.index["num_ngrams"][0]


def test_a_policy_drops_by_licence_and_the_record_holds_the_licence(tmp_path):
    write_flcc(
        tmp_path,
        {
            "o/r/m/a_1.py": "# SPDX-License-Identifier: MIT\n" + some_code(1),
            "o/r/m/b_2.py": "# SPDX-License-Identifier: GPL-3.0-only\n" + some_code(2),
            "o/r/m/c_3.py": some_code(3),
        },
    )
    strict = _scan(tmp_path, scan.ScanConfig(license_policy="permissive"))
    assert [row["verdict"] for row in strict.rows] == ["kept", "license", "license"]
    assert [row["license"] for row in strict.rows] == ["MIT", "GPL-3.0-only", None]
    mild = _scan(tmp_path, scan.ScanConfig(license_policy="permissive_or_unknown"))
    assert [row["verdict"] for row in mild.rows] == ["kept", "license", "kept"]
    example = tfrecords.decode_example(tfrecords.unframe_record(strict.records))
    assert (example["license"], strict.index["rank"].tolist()) == (b"MIT", [0])


def test_a_licence_file_of_the_repository_holds_for_files_that_say_nothing(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": some_code(1)})
    folder = tmp_path / "v3/repositories/o/r/m"
    folder.mkdir(parents=True)
    (folder / "LICENSE").write_text("SPDX-License-Identifier: Apache-2.0\n")
    (row,) = _scan(tmp_path, scan.ScanConfig()).rows
    assert (row["license"], row["license_source"]) == ("Apache-2.0", "license_file")


def test_short_files_have_no_ngrams_and_signatures_do_not_depend_on_neighbours(tmp_path):
    write_flcc(tmp_path / "both", {"o/r/m/a_1.py": some_code(1), "o/r/m/b_2.py": "x = 1\n"})
    write_flcc(tmp_path / "one", {"o/r/m/a_1.py": some_code(1)})
    both = _scan(tmp_path / "both", scan.ScanConfig())
    one = _scan(tmp_path / "one", scan.ScanConfig())
    assert both.index["num_ngrams"][1] == 0 < both.index["num_ngrams"][0]
    assert np.array_equal(both.signatures[:1], one.signatures)


def test_a_benchmark_with_an_address_in_it_is_found_before_the_address_is_replaced(tmp_path):
    path = tmp_path / "mail.jsonl"
    solution = f'def owner(register):\n    return register.find("{_ADDRESS}") or "nobody at all"\n'
    path.write_text(json.dumps({"solution": solution}) + "\n")
    write_flcc(tmp_path, {"o/r/m/a_1.py": _HEAD + solution})
    config = decontamination.DecontaminationConfig(benchmark_paths=(str(path),))
    (row,) = _scan(tmp_path, scan.ScanConfig(decontamination=config)).rows
    assert row["verdict"] == "benchmark"
    assert "solution exact" in row["contamination"]


def test_a_file_under_an_unwanted_licence_is_dropped_for_that_whatever_it_holds(
    tmp_path, benchmark
):
    write_flcc(tmp_path, {"o/r/m/a_1.py": "# SPDX-License-Identifier: GPL-3.0-only\n" + _SOLUTION})
    config = decontamination.DecontaminationConfig(benchmark_paths=(benchmark,))
    scanned = _scan(tmp_path, scan.ScanConfig(license_policy="permissive", decontamination=config))
    assert scanned.rows[0]["verdict"] == "license"
    assert scanned.rows[0]["content_hash"]


def test_a_key_in_the_place_of_a_licence_is_not_published(tmp_path):
    key = "AKIA" + "Q3EGRIJ4" + "XJ7KTLP2"
    write_flcc(
        tmp_path,
        {
            "o/r/m/a_1.py": f"# SPDX-License-Identifier: LicenseRef-{key}\n" + some_code(1),
            "o/r/m/b_2.py": f"# SPDX-License-Identifier: {_ADDRESS}\n" + some_code(2),
            "o/r/m/c_3.py": "# SPDX-License-Identifier: LicenseRef-scancode-x-net\n" + some_code(3),
        },
    )
    rows = _scan(tmp_path, scan.ScanConfig()).rows
    assert [row["license"] for row in rows] == [
        "LicenseRef-other", None, "LicenseRef-scancode-x-net",
    ]  # fmt: skip


def test_nothing_behind_a_linked_folder_is_read(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": some_code(1)})
    outside = tmp_path / "outside/r/m"
    outside.mkdir(parents=True)
    (outside / "LICENSE").write_text("SPDX-License-Identifier: MIT\n")
    (outside / "paths.json").write_text('{"a_1.py": "secret/place.py"}')
    (tmp_path / "v3/repositories").mkdir()
    (tmp_path / "v3/repositories/o").symlink_to(tmp_path / "outside")
    scanned = _scan(tmp_path, scan.ScanConfig())
    assert (scanned.rows[0]["license"], scanned.rows[0]["path"]) == (None, "a_1.py")
    assert "lies behind a symbolic link" in scanned.problems[0]


def test_a_pipe_in_the_place_of_paths_json_holds_nobody_up(tmp_path):
    write_flcc(tmp_path, {"o/r/m/a_1.py": some_code(1)})
    folder = tmp_path / "v3/repositories/o/r/m"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "paths.json")
    scanned = _scan(tmp_path, scan.ScanConfig())
    assert "cannot be read" in scanned.problems[0]
    assert scanned.rows[0]["path"] == "a_1.py"
