from __future__ import annotations

import dataclasses

from refusals import assert_refused

from code_t5.hf_artifacts import precache_report
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.precache_report import Outcome
from code_t5.hf_artifacts.requests import ArtefactRequest

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_GOOD = Outcome(
    ArtefactRequest("dataset", "wikiann", configs=("en", "de")),
    is_good=True,
    reason="there already",
    commit=_COMMIT,
    num_files=3,
    size_bytes=2_500_000,
    present_bytes=500_000,
)
_BAD = Outcome(ArtefactRequest("model", "x", revision="v1"), is_good=False, reason="no\x1b[2J")


def test_a_dry_run_says_what_is_wanted_here_missing_and_free(tmp_path):
    root = CacheRoot(tmp_path / "not/there")
    lines = precache_report.describe_wanted([_GOOD, _BAD], root=root)
    free = precache_report.size_text(precache_report.free_bytes(root))
    assert lines[:3] == [
        "kind     name              revision  commit        files  size     here",
        "dataset  wikiann (en, de)  main      0123456789ab  3      2.5 MB   500.0 kB",
        "model    x                 v1        -             0      0 bytes  no: no␛[2J",
    ]
    assert lines[3].startswith(f"2.5 MB in all, 2.0 MB of it to fetch; {free[:-6]}")
    assert lines[3].endswith("; data sets are prepared as well, which takes about as much again")
    assert not root.path.exists()


def test_a_dry_run_says_that_some_data_sets_are_not_prepared(tmp_path):
    root = CacheRoot(tmp_path)
    unprepared = dataclasses.replace(
        _GOOD, request=ArtefactRequest("dataset", "imagenet-1k", prepare=False)
    )
    *_, row, last = precache_report.describe_wanted([_BAD, unprepared], root=root)
    assert row.startswith("dataset  imagenet-1k [not prepared]  main")
    assert last.endswith(f"free at {tmp_path}")
    last = precache_report.describe_wanted([_GOOD, unprepared], root=root)[-1]
    assert last.endswith("as much again (but not those with prepare: false)")


def test_a_run_ends_with_yes_or_no_and_why(tmp_path):
    root = CacheRoot(tmp_path)
    assert precache_report.describe_done([_GOOD, _BAD], root=root) == [
        "kind     name              commit        size     ready  reason",
        "dataset  wikiann (en, de)  0123456789ab  2.5 MB   yes    there already",
        "model    x                 -             0 bytes  no     no␛[2J",
        "1 of 2 are not ready; do what their reasons say; the others are there",
    ]
    silent = dataclasses.replace(_BAD, may_go_on=True)
    assert precache_report.describe_done([silent], root=root)[-1] == (
        "1 of 1 are not ready; run the same command again: it goes on"
    )
    assert precache_report.describe_done([silent, _BAD], root=root)[-1] == (
        "2 of 2 are not ready; do what their reasons say (1 may be ready if the same command is "
        "run again)"
    )
    assert precache_report.describe_done([_GOOD], root=root)[-1] == (
        f"all 1 are there; for a job: source {tmp_path}/env.sh"
    )


def test_too_little_space_is_refused_with_what_is_free_and_wanted(tmp_path):
    root = CacheRoot(tmp_path)
    huge = dataclasses.replace(_GOOD, size_bytes=1 << 60)
    assert_refused(
        lambda: precache_report.check_room(root, [_GOOD, huge]),
        match=r"free; wanted 1152921\.5 TB for the files that are not here yet",
    )
    # What is here already takes no more.
    present = dataclasses.replace(huge, present_bytes=1 << 60)
    precache_report.check_room(root, [_GOOD, present])


def test_sizes_are_read_by_people():
    sizes = [0, 999, 1000, 999_499, 999_500, 1 << 30, 1 << 50, 1 << 60]
    assert [precache_report.size_text(size) for size in sizes] == [
        "0 bytes", "999 bytes", "1.0 kB", "999.5 kB", "1.0 MB", "1.1 GB", "1125.9 TB",
        "1152921.5 TB",
    ]  # fmt: skip
