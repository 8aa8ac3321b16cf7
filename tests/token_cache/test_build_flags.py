from __future__ import annotations

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from absl import flags

from code_t5 import errors
from code_t5.token_cache import build_flags, provider_build

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _parse(*arguments):
    values = flags.FlagValues()
    build_flags.define_flags(values)
    assert values(["program", *arguments]) == ["program"]
    return values


@pytest.fixture(name="asked")
def _asked(monkeypatch):
    """Returns the method and the arguments that flags come to."""
    monkeypatch.setattr(provider_build, "read_request", lambda method, given: (method, given))
    return lambda *arguments: build_flags.read_flags(_parse(*arguments))


def test_flags_are_the_arguments_of_from_hub(asked):
    method, given = asked(
        "--dataset_name=glue",
        "--dataset_config_name=sst2",
        "--tokenizer_name=gpt2",
        "--mapping_column_name=sentence,idx",
        "--revision=abc",
        "--cache_dir=c",
        "--num_workers=3",
        "--nouse_eos_token",
        "--overwrite",
        "--encoder=tokenizers",
        "--seed=7",
    )
    assert method == "from_hub"
    assert given == {
        "dataset_name": "glue",
        "dataset_config_name": "sst2",
        "data_dir": None,
        "data_files": None,
        "split": None,
        "revision": "abc",
        "tokenizer_name": "gpt2",
        "mapping_column_name": ["sentence", "idx"],
        "validation_split": None,
        "seed": 7,
        "num_workers": 3,
        "use_eos_token": False,
        "cache_dir": "c",
        "overwrite": True,
        "encoder": "tokenizers",
    }


@pytest.mark.parametrize(
    ("entries", "split"),
    [
        (["train[:10%]"], "train[:10%]"),
        (["train", "test"], ["train", "test"]),
        (["train=train[:5]", "test=train[5:]"], {"train": "train[:5]", "test": "train[5:]"}),
    ],
)
def test_split_is_one_or_several_or_named(asked, entries, split):
    _, given = asked("--dataset_dir=d", *(f"--split={entry}" for entry in entries))
    assert given["split"] == split


def test_files_of_a_split_are_gathered(asked):
    _, given = asked("--dataset_name=json", "--data_files=train=a,train=b,test=c")
    assert given["data_files"] == {"train": ["a", "b"], "test": ["c"]}
    _, given = asked("--dataset_name=json", "--data_files=a,b")
    assert given["data_files"] == ["a", "b"]


@pytest.mark.parametrize(("text", "number"), [("0.05", 0.05), ("1000", 1000)])
def test_validation_is_a_share_or_a_number(asked, text, number):
    _, given = asked("--dataset_dir=d", f"--validation_split={text}")
    assert given["validation_split"] == number
    assert type(given["validation_split"]) is type(number)


def test_prepared_data_set_has_its_own_arguments(asked):
    method, given = asked("--flcc_data_dir=data", "--flcc_name=small", "--vocabulary=bpe")
    assert method == "from_flcc"
    assert (given["data_dir"], given["name"], given["vocabulary"]) == ("data", "small", "bpe")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no source was given"),
        (["--dataset_name=a", "--dataset_dir=b"], "--dataset_name and --dataset_dir was given"),
        (["--dataset_dir=b", "--revision=c"], "--revision was given with --dataset_dir"),
        (["--dataset_name=a", "--vocabulary=b"], "--vocabulary was given with --dataset_name"),
        (["--flcc_name=a", "--flcc_data_dir=b", "--seed=1"], "--seed was given with --flcc_name"),
        (["--flcc_name=a"], "wanted --flcc_data_dir"),
        (["--dataset_dir=b", "--validation_split=a lot"], "--validation_split is 'a lot'"),
    ],
)
def test_flags_that_do_not_fit_are_one_line(asked, arguments, said):
    with pytest.raises(errors.InputError, match=said) as caught:
        asked(*arguments)
    assert "\n" not in str(caught.value)


def test_home_is_found_in_the_cache_path(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert build_flags.cache_path(_parse("--cache_dir=~/c")) == pathlib.Path("/somewhere/c")


def _run(*arguments):
    command = [sys.executable, "scripts/build_token_cache.py", *arguments]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)


def test_program_estimates_builds_opens_and_verifies(small_data_dir, tmp_path):
    cache_dir = tmp_path / "cache"
    given = [f"--flcc_data_dir={small_data_dir}", "--flcc_name=small", f"--cache_dir={cache_dir}"]
    estimated = _run(*given, "--estimate")
    assert estimated.returncode == 0, estimated.stderr
    assert "train: 45 documents, about " in estimated.stdout
    assert not cache_dir.exists()
    built = _run(*given)
    assert built.returncode == 0, built.stderr
    num_tokens = np.load(cache_dir / "train.npy", mmap_mode="r").size
    assert "train: 45 documents, " in built.stdout
    assert f" {num_tokens:,} tokens" in built.stdout
    assert _run(*given).stdout == built.stdout
    verified = _run(f"--cache_dir={cache_dir}", "--verify")
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.splitlines()[-1] == f"{cache_dir}: all of it is as it was written"
    refused = _run(*given, "--nouse_eos_token")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ") and refused.stderr.count("\n") == 1


def test_help_lists_the_flags():
    # absl ends with 1 where a flag's help was asked for.
    said = " ".join(_run("--help").stdout.split())
    for name in ("--dataset_name:", "--cache_dir:", "--[no]overwrite:", "--[no]verify:"):
        assert name in said
    assert "A data set of the Hub is fetched for it" in said


def test_program_takes_no_words():
    done = _run("glue")
    assert done.returncode == 1
    assert "'glue' is no flag" in done.stdout + done.stderr
