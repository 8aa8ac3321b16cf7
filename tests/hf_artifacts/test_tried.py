"""The error that says what was tried, and the command in it."""

from __future__ import annotations

import os
import subprocess

import pytest

from code_t5.hf_artifacts import spec
from code_t5.hf_artifacts.loading import tried
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest
from code_t5.hf_artifacts.loading.tried import Tried
from code_t5.hf_artifacts.requests import ArtefactRequest

_STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > words
cat > given
"""


@pytest.mark.parametrize(
    ("request_", "asks_for"),
    [
        (
            DatasetRequest("org/name", "it's", data_dir="x y", revision="v1"),
            ArtefactRequest(
                "dataset", "org/name", revision="v1", configs=("it's",), data_dir="x y"
            ),
        ),
        (
            DatasetRequest(
                "name", data_files={"train": ("a\\n b/*.json", "\u00e9.c"), "test": ("$d",)}
            ),
            ArtefactRequest(
                "dataset",
                "name",
                data_files={"train": ("a\\n b/*.json", "\u00e9.c"), "test": ("$d",)},
            ),
        ),
    ],
)
def test_the_command_asks_for_the_same_in_a_plain_shell_and_touches_no_file(
    tmp_path, request_, asks_for
):
    (tmp_path / "python").write_text(_STAND_IN)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "artefacts.yaml").write_text("of the user")
    command = tried.mending_command(request_, root="/a cache")
    subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, check=True,
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert (tmp_path / "words").read_text().splitlines() == [
        *("scripts/precache.py", "--cache_dir", "/a cache", "--spec", "/dev/stdin")
    ]
    (read,) = spec.read_spec(tmp_path / "given")
    assert read == asks_for
    assert (tmp_path / "artefacts.yaml").read_text() == "of the user"
    assert len(list(tmp_path.iterdir())) == 4


def test_the_two_that_are_fetched_by_default_have_flags_of_their_own():
    assert tried.mending_command(DatasetRequest("conll2003"), root="/cache") == (
        "python scripts/precache.py --cache_dir /cache --no_wikiann --no_models"
    )
    pinned = DatasetRequest("wikiann", "en", revision="main")
    assert "--spec" in tried.mending_command(pinned, root="/cache")


def test_the_error_is_one_line_without_secrets_or_control_characters():
    places = [Tried("hub snapshot", "/a\x1b[31m", "no\nanswer at https://me:word@host/x?token=1")]
    text = str(tried.not_cached(DatasetRequest("org/name"), tried=places, root="/cache"))
    assert "\n" not in text
    assert "\x1b" not in text
    assert "word" not in text
    assert "token" not in text
    assert "(1) hub snapshot" in text


def test_many_places_are_counted():
    places = [Tried("place", f"/{number}", "no") for number in range(30)]
    text = str(tried.not_cached(DatasetRequest("org/name"), tried=places, root="/cache"))
    assert "(12) place /11: no; and 18 more" in text
    assert "/12:" not in text


def test_a_program_is_told_the_flag_that_names_a_configuration():
    error = tried.NoConfigError("two", todo="call it", choices=("a b", "c"))
    assert str(error) == "two; wanted one; call it"
    assert str(error.with_flag()) == "two; wanted one; add --config='a b'"
