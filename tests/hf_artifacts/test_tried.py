"""The error that says what was tried, and the command in it."""

from __future__ import annotations

import json
import shlex

from code_t5.hf_artifacts import requests, spec
from code_t5.hf_artifacts.loading import tried
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest
from code_t5.hf_artifacts.loading.tried import Tried


def test_the_command_of_a_data_set_is_one_that_precache_reads(tmp_path):
    request = DatasetRequest(
        "org/it's",
        "en",
        revision="v1",
        data_files={"train": ("a b/*.json",), "test": ("c.json",)},
    )
    command = tried.mending_command(request, root="/a cache")
    words = shlex.split(command)
    assert words[0] == "echo"
    assert words[2:4] == [">", "artefacts.yaml"]
    assert words[4:] == [
        *("&&", "python", "scripts/precache.py", "--cache_dir", "/a cache"),
        *("--spec", "artefacts.yaml"),
    ]
    assert json.loads(words[1])["datasets"][0]["name"] == "org/it's"


def test_the_list_in_the_command_asks_for_the_same(tmp_path):
    request = DatasetRequest(
        "org/name", "en", data_dir="x y", revision="v1", data_files={"train": ("a b/*.json",)}
    )
    words = shlex.split(tried.mending_command(request, root="/cache"))
    (tmp_path / "artefacts.yaml").write_text(words[1])
    (read,) = spec.read_spec(str(tmp_path / "artefacts.yaml"))
    assert read == requests.ArtefactRequest(
        "dataset", "org/name", revision="v1", configs=("en",), data_dir="x y",
        data_files={"train": ("a b/*.json",)},
    )  # fmt: skip


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
