"""A build made up for the report's tests: ledger, report and texts, some of them hostile."""

from __future__ import annotations

import copy
import dataclasses
import pathlib
import random
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

HOSTILE = "evil/<script>alert(1)</script>"
HOSTILE_CODE = 'x = "<script>alert(2)</script></code></pre>"  # &amp; \u202e reversed\x00\x1b\n'

_TYPES = {
    "file_id": pa.int64(),
    "size_bytes": pa.int64(),
    "duplicate_of": pa.int64(),
    "cluster_id": pa.int64(),
    "truncated": pa.bool_(),
    **{kind: pa.int32() for kind in ("email", "ipv4", "ipv6", "private_key", "secret")},
}
_STRINGS = (
    *("language", "repository", "branch", "flat_name", "path", "content_hash", "verdict"),
    *("split", "license", "license_source", "contamination"),
)
SCHEMA = pa.schema([*_TYPES.items(), *((name, pa.string()) for name in _STRINGS)])


@dataclasses.dataclass
class Built:
    """What a build leaves."""

    ledger_path: pathlib.Path
    report: dict[str, Any]
    rows: list[dict[str, Any]]
    texts: dict[int, str]


def make_row(file_id: int, **columns: Any) -> dict[str, Any]:
    row = {
        "file_id": file_id,
        "language": "Python",
        "repository": f"org{file_id % 5}/project-{file_id % 17}",
        "branch": "master",
        "flat_name": f"module_{file_id}.py",
        "path": f"src/package/module_{file_id}.py",
        "size_bytes": 1000,
        "content_hash": "00",
        "verdict": "kept",
        "split": None,
        "truncated": False,
        **{kind: 0 for kind in ("email", "ipv4", "ipv6", "private_key", "secret")},
        **columns,
    }
    if row["verdict"] == "kept" and row["split"] is None:
        row["split"] = ("validation", "test", *["train"] * 15)[file_id % 17]
    return row


def write_ledger(path: pathlib.Path, rows: list[dict[str, Any]]) -> pathlib.Path:
    parquet.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, row_group_size=64)
    return path


def code(seed: int, *, changed: int = -1) -> str:
    words = "alpha beta gamma delta index value total count".split()
    rng = random.Random(seed)
    lines = ["import os", "", f"def function_{seed}(first, second):"]
    for number in range(30):
        lines.append(f"    {rng.choice(words)} = first[{number}] + {rng.choice(words)}")
    if changed >= 0:
        lines[5 + changed % 20] = f"    renamed_{changed} = first[0]"
        lines.insert(12, "    # one line more")
    return "\n".join([*lines, "    return total", ""])


_DROPPED = {
    **{"symbolic_link": 2, "unreadable": 1, "too_large": 3, "not_utf8": 7, "empty": 41},
    **{"long_line": 12, "generated": 9, "license": 30, "benchmark": 4},
}


def _rows() -> tuple[list[dict[str, Any]], dict[int, str]]:
    rng, rows, texts = random.Random(7), [], {}
    for verdict, number in _DROPPED.items():
        for _ in range(number):
            size = int(rng.lognormvariate(8, 1.5))
            columns: dict[str, Any] = {"verdict": verdict, "size_bytes": size}
            if verdict == "license":
                columns["license"] = "GPL-3.0-only"
            if verdict == "benchmark":
                columns["contamination"] = "humaneval.jsonl:12 prompt exact"
            rows.append(make_row(len(rows), **columns))
    for number in range(700):
        language = "Python" if number % 7 else "C++"
        columns = {"size_bytes": int(rng.lognormvariate(8, 1.3)), "language": language}
        columns["license"] = ("MIT", "Apache-2.0", None)[number % 3]
        file_id = len(rows)
        rows.append(make_row(file_id, **columns))
        texts[file_id] = code(file_id)
        if number % 35 == 0:
            rows[file_id]["cluster_id"] = file_id
            for copy in range(1 + number // 70):
                verdict = "exact_duplicate" if copy % 3 == 2 else "near_duplicate"
                copy_id = len(rows)
                links = {"duplicate_of": file_id, "cluster_id": file_id}
                rows.append(make_row(copy_id, verdict=verdict, size_bytes=1500, **links))
                texts[copy_id] = code(file_id, changed=copy)
    rows.append(make_row(len(rows), repository=HOSTILE, path="a'b\"&<i>.py", split="train"))
    rows[-1]["language"] = "<b>Evil</b>"
    texts[len(rows) - 1] = HOSTILE_CODE
    return rows, texts


def _count(rows: list[dict[str, Any]], value: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + (row[value] if value else 1)
    return counts


_STAGES: dict[str, Any] = {
    "vocabulary": {
        "name": "default",
        "fingerprint": "ab" * 32,
        "vocab_size": 32100,
        "characters_per_token": 4.154,
        "num_tokens": 1234567,
        "by_language": {
            "Python": {"num_texts": 601, "num_characters": 4_100_000, "num_tokens": 990_000},
            "C++": {"num_texts": 100, "num_characters": 700_000, "num_tokens": 244_567},
        },
        "token_lengths": {
            "train": [0, 0, 1, 4, 9, 22, 60, 130, 170, 120, 60, 20, 5, 1],
            "validation": [0, 0, 0, 0, 1, 2, 5, 10, 12, 8, 3],
            "test": [0, 0, 0, 1, 0, 2, 6, 9, 14, 7, 4, 1],
        },
    },
    "near_duplicates": {
        "enabled": True,
        "threshold": 0.7,
        "verify": True,
        "num_permutations": 256,
        "num_bands": 25,
        "rows_per_band": 10,
        "num_candidate_pairs": 25111,
        "num_compared_pairs": 14555,
        "num_pairs": 1233,
        "num_clusters": 20,
        "num_removed": 80,
    },
    "repository_groups": {
        "num_repositories": 17,
        "num_groups": 12,
        "num_linked_repositories": 6,
        "largest_group": {"num_repositories": 4, "num_files": 120, "name": HOSTILE},
        "num_fork_pairs": 2,
        "cut": {"num_clusters": 3, "num_copies": 31, "size_bytes": 48123},
    },
    "redaction": {
        "mode": "replace",
        "files": {"email": 61, "ipv4": 5, "ipv6": 0, "private_key": 1, "secret": 9},
        "counts": {"email": 1144, "ipv4": 7, "ipv6": 0, "private_key": 1, "secret": 12},
    },
    "licenses": {
        "policy": "any",
        "by_expression": {"MIT": 300, "Apache-2.0": 233, "GPL-3.0-only": 30, "unknown": 234},
        "by_source": {"spdx_tag": 40, "header": 93, "license_file": 430, "unknown": 234},
    },
    "decontamination": {
        "action": "drop",
        "benchmarks": [
            {
                "file": "humaneval.jsonl",
                "num_entries": 164,
                "num_searched": 160,
                "num_too_short": 4,
                "num_allowed": 0,
            }
        ],
        "matches": [
            {
                "file_id": 3,
                "path": "a<b>.py",
                "repository": HOSTILE,
                "found": "humaneval.jsonl:12 prompt exact",
            }
        ],
        "num_files": 4,
    },
}


def make_report(rows: list[dict[str, Any]]) -> dict[str, Any]:
    files, sizes = _count(rows, ""), _count(rows, "size_bytes")
    splits = {}
    for split in ("train", "validation", "test"):
        members = [row for row in rows if row["split"] == split]
        splits[split] = {
            "num_examples": len(members),
            "num_bytes": sum(row["size_bytes"] for row in members),
            "num_repositories": len({row["repository"] for row in members}),
            "num_shards": 1,
        }
    pair = {"exact": 0, "near": 0, "ngram_size": 13, "first_ngrams": 91234, "second_ngrams": 8120}
    pairs = [
        {**pair, "first": a, "second": b, "shared_ngrams": 140 + i, "share_of_second": 0.017}
        for i, (a, b) in enumerate(
            [("train", "validation"), ("train", "test"), ("validation", "test")]
        )
    ]
    return {
        "name": "planted",
        "num_files": len(rows),
        "size_bytes": sum(sizes.values()),
        "files_by_verdict": files,
        "bytes_by_verdict": sizes,
        "num_problems": 1,
        "problems": ["org1/x: paths.json is damaged <img src=x onerror=alert(3)>"],
        "dry_run": False,
        "splits": splits,
        "lossless": {"num_texts": files["kept"], "num_differing": 0},
        **copy.deepcopy(_STAGES),
        "leaks": {"pairs": pairs, "num_dropped": 0, "threshold": 0.7},
    }


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Built:
    """The made-up build."""
    rows, texts = _rows()
    path = write_ledger(tmp_path_factory.mktemp("built") / "ledger.parquet", rows)
    return Built(path, make_report(rows), rows, texts)
