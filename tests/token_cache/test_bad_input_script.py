"""`scripts/build_token_cache.py` on bad input: one line, status 1, and the cache as it was."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys

import datasets
import numpy as np
import pytest
import small_tokenizer
from refusals import content

from code_t5.token_cache import layout
from code_t5.token_cache.reader import TokenCacheReader

_TEXTS = [f"a warm film about number {number}" for number in range(300)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tokenizer, a data set and a cache of it."""
    folder = tmp_path_factory.mktemp("place")
    small_tokenizer.hugging_face_tokenizer().save_pretrained(folder / "tokenizer")
    columns = {"text": _TEXTS, "label": list(range(len(_TEXTS)))}
    train = datasets.Dataset.from_dict(columns)
    splits = {"train": train, "empty": train.filter(lambda row: False)}
    datasets.DatasetDict(splits).save_to_disk(folder / "rows")
    done = _run(folder, "--split=train")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(place, tmp_path):
    """A copy of it that a test may change."""
    shutil.copytree(place, tmp_path / "place")
    return tmp_path / "place"


def _run(folder, *flags, limit_bytes=None):
    def limit_files():
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    given = {flag.split("=")[0] for flag in flags}
    defaults = (
        f"--dataset_dir={folder / 'rows'}",
        f"--tokenizer_name={folder / 'tokenizer'}",
        f"--cache_dir={folder / 'cache'}",
        "--mapping_column_name=text",
        "--num_workers=2",
    )
    defaults = [flag for flag in defaults if flag.split("=")[0] not in given]
    if "--verify" in given:
        defaults = [f"--cache_dir={folder / 'cache'}"]
    return subprocess.run(
        [sys.executable, "scripts/build_token_cache.py", *defaults, *flags],
        capture_output=True, text=True, check=False, preexec_fn=limit_files,
    )  # fmt: skip


def _assert_one_line(done, *words):
    assert done.returncode == 1, done
    # Bars end in a carriage return, and are none of the message.
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in (*words, "wanted"):
        assert word in lines[0], lines[0]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--mapping_column_name=body"], ["no column 'body'", "one of text, label"]),
        (["--mapping_column_name=label"], ["'label'", "is int64"]),
        (["--split=empty"], ["'train'", "empty"]),
    ],
)
def test_bad_input_is_one_line_and_the_cache_as_it_was(folder, flags, words):
    before = content(folder)
    _assert_one_line(_run(folder, "--split=train", "--overwrite", *flags), *words)
    assert content(folder) == before


def test_other_arguments_are_named(folder):
    before = content(folder)
    done = _run(folder, "--split=train[:10]")
    _assert_one_line(done, "train[:10]", "--overwrite", "is not the cache that was asked for")
    assert content(folder) == before


def test_estimate_of_bad_input_is_one_line(folder):
    _assert_one_line(_run(folder, "--estimate", "--mapping_column_name=body"), "no column 'body'")


def test_no_room_on_the_disk_is_one_line_and_the_same_command_goes_on(folder):
    before = content(folder / "cache")
    # Larger than what each unit leaves behind, smaller than the tokens.
    done = _run(folder, "--split=train", "--overwrite", "--nouse_eos_token", limit_bytes=8000)
    _assert_one_line(done, "cache")
    assert content(folder / "cache") == before
    done = _run(folder, "--split=train", "--overwrite", "--nouse_eos_token")
    assert done.returncode == 0, done.stderr
    found = TokenCacheReader(folder / "cache")
    assert found.end_of_text_id is None
    assert found.split("train").num_tokens == sum(map(len, _TEXTS))
    assert sorted(os.listdir(folder)) == ["cache", "rows", "tokenizer"]


@pytest.mark.parametrize("damage", ["flipped bit", "cut short", "newer format", "half-written"])
def test_verification_finds_damage(folder, damage):
    path = folder / "cache/train.npy"
    if damage == "flipped bit":
        tokens = np.load(path)
        tokens[5] ^= 1
        np.save(path, tokens)
        words = ["train.npy has SHA-256"]
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:-2])
        words = ["train.npy"]
    elif damage == "newer format":
        manifest_path = folder / "cache/manifest.json"
        fields = json.loads(manifest_path.read_text())
        manifest_path.write_text(
            json.dumps({**fields, "format_version": layout.FORMAT_VERSION + 1})
        )
        words = [f"version {layout.FORMAT_VERSION + 1}"]
    else:
        (folder / "cache/COMPLETED").unlink()
        words = ["COMPLETED"]
    before = content(folder)
    _assert_one_line(_run(folder, "--verify"), *words)
    assert content(folder) == before
