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


def _run_alone(*flags, limit_bytes=None):
    def limit_files():
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "scripts/build_token_cache.py", *flags],
        capture_output=True, text=True, check=False, preexec_fn=limit_files,
    )  # fmt: skip


def _run(folder, *flags, limit_bytes=None):
    """Builds the cache of the folder, but for what the flags say."""
    defaults = (
        f"--dataset_dir={folder / 'rows'}",
        f"--tokenizer_name={folder / 'tokenizer'}",
        f"--cache_dir={folder / 'cache'}",
        "--mapping_column_name=text",
        "--num_workers=1",
    )
    given = {flag.split("=")[0] for flag in flags}
    defaults = [flag for flag in defaults if flag.split("=")[0] not in given]
    return _run_alone(*defaults, *flags, limit_bytes=limit_bytes)


def _assert_one_line(done, *words):
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ["--split=train", "--mapping_column_name=body"],
            ["no column 'body'", "one of text, label"],
        ),
        (["--split=train", "--mapping_column_name=label"], ["'label'", "is int64"]),
        (["--split=empty"], ["'train'", "empty"]),
    ],
)
def test_bad_input_is_one_line_and_the_cache_as_it_was(folder, flags, words):
    before = content(folder)
    _assert_one_line(_run(folder, *flags, "--overwrite"), *words)
    assert content(folder) == before


def test_other_arguments_are_named(folder):
    before = content(folder)
    done = _run(folder, "--split=train[:10]")
    _assert_one_line(done, "train[:10]", "--overwrite", "is not the cache that was asked for")
    assert content(folder) == before


def test_no_room_on_the_disk_is_one_line_and_the_same_command_goes_on(folder):
    before = content(folder / "cache")
    flags = ["--split=train", "--overwrite", "--nouse_eos_token"]
    # Room for the tokenizer's files, and not for the tokens.
    done = _run(folder, *flags, limit_bytes=8000)
    _assert_one_line(
        done, "no room on the disk", str(folder / "cache"), "wanted about 0.1 MB", "it goes on"
    )
    assert content(folder / "cache") == before
    done = _run(folder, *flags)
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
    done = _run_alone(f"--cache_dir={folder / 'cache'}", "--verify")
    _assert_one_line(done, *words)
    assert content(folder) == before
