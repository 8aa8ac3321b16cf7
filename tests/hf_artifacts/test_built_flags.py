from __future__ import annotations

import shlex

import pytest
from absl import flags

from code_t5 import command_line, errors
from code_t5.hf_artifacts.built import build_flags
from code_t5.hf_artifacts.built.build import BuildOptions
from code_t5.hf_artifacts.built.built_request import BuiltRequest, TokenizingOptions


def _parsed(*words: str) -> flags.FlagValues:
    values = flags.FlagValues()
    build_flags.define_flags(values)
    joined = command_line.join_arguments(
        ["program", *words], list_flags=build_flags.LIST_FLAGS, values=values
    )
    assert values(joined) == ["program"]
    return values


def _request(*words: str) -> BuiltRequest:
    return build_flags.read_flags(_parsed(*words))[0]


def test_the_issues_command_is_read():
    words = "--dataset wikiann --splits train validation --subset 0.0 --rebuild".split()
    request, splits, options = build_flags.read_flags(_parsed(*words))
    assert request == BuiltRequest("wikiann")
    assert splits == ["train", "validation"]
    assert options == BuildOptions(output_dir="data", rebuild=True)


def test_every_flag_may_be_written_with_hyphens():
    request = _request(
        "--dataset=a", "--data-dir=x", "--tokenizer-name", "t", "--text-columns", "p", "q",
        "--label-column=l", "--max-length=9", "--noadd_special_tokens", "--padding=max_length",
    )  # fmt: skip
    tokenizing = TokenizingOptions("t", ("p", "q"), "l", 9, "max_length", False)
    assert request == BuiltRequest("a", data_dir="x", tokenizing=tokenizing)


def test_files_may_be_named_with_their_split():
    assert _request("--dataset=a", "--data_files", "x", "y").data_files == ("x", "y")
    files = _request("--dataset=a", "--data_files", "train=x", "test=z", "train=y").data_files
    assert files == {"train": ("x", "y"), "test": ("z",)}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no data set was named; .*--dataset=NAME"),
        (["--dataset=a", "--max_length=4"], "--max_length was given without --tokenizer_name"),
        (["--dataset=a", "--text_columns", "x"], "--text_columns was given without"),
        (["--dataset=a", "--subset=2"], "subset is 2.0"),
    ],
)
def test_flags_that_do_not_fit_are_refused(words, told):
    with pytest.raises(errors.InputError, match=told):
        _request(*words)


def test_nobody_waits_for_less_than_no_time():
    with pytest.raises(flags.IllegalFlagValueError, match="lower_bound|non-negative"):
        _request("--dataset=a", "--wait_minutes=-3")
    assert build_flags.read_flags(_parsed("--dataset=a", "--wait_minutes=0"))[2].wait_minutes == 0


@pytest.mark.parametrize(
    "request_",
    [
        BuiltRequest("a"),
        BuiltRequest("o/a b", "it's", revision="refs/convert/parquet", data_dir="x y"),
        BuiltRequest("a", data_files=("x", "y"), subset=0.25, seed=7),
        BuiltRequest("a", data_files={"train": ("x", "y"), "test": ("z",)}),
        BuiltRequest("a", tokenizing=TokenizingOptions("t")),
        BuiltRequest(
            "a", tokenizing=TokenizingOptions("t", ("p", "q"), "l", 9, "max_length", False)
        ),
    ],
)
def test_the_command_that_is_shown_asks_for_the_same(request_):
    words = build_flags.as_arguments(request_, splits=["train", "test"], output_dir="my out")
    values = _parsed(*shlex.split(" ".join(words)))
    found, splits, options = build_flags.read_flags(values)
    assert (found, splits, options.output_dir) == (request_, ["train", "test"], "my out")


def test_the_libraries_are_pointed_at_the_cache_that_is_named(tmp_path):
    environment = {"HF_HOME": "/old", "HF_HUB_OFFLINE": "1"}
    build_flags.point_libraries(_parsed(f"--cache_dir={tmp_path}"), environment=environment)
    assert environment == {
        "HF_HOME": str(tmp_path), "HF_HUB_CACHE": f"{tmp_path}/hub", "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": f"{tmp_path}/datasets",
        "TRANSFORMERS_CACHE": f"{tmp_path}/transformers", "HF_MODULES_CACHE": f"{tmp_path}/modules",
    }  # fmt: skip


def test_whoever_is_logged_in_stays_so(tmp_path):
    (tmp_path / "token").write_text("hf_secret")
    environment = {"HF_HOME": str(tmp_path)}
    build_flags.point_libraries(_parsed("--cache_dir=/other"), environment=environment)
    assert environment["HF_TOKEN_PATH"] == str(tmp_path / "token")


@pytest.mark.parametrize("name", ["HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE"])
def test_an_environment_that_names_a_place_is_left_as_it_is(name):
    environment = {name: "/place"}
    build_flags.point_libraries(_parsed(), environment=environment)
    assert environment == {name: "/place"}


def test_the_usual_root_is_taken_where_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    environment: dict[str, str] = {}
    build_flags.point_libraries(_parsed(), environment=environment)
    assert environment == {}
    (tmp_path / "hf-cache").mkdir()
    build_flags.point_libraries(_parsed(), environment=environment)
    assert environment["HF_HOME"] == str(tmp_path / "hf-cache")
