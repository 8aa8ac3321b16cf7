from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.hf_artifacts.built.built_request import BuiltRequest, TokenizingOptions


def _name(dataset: str, config: str | None = "default", **options: object) -> str:
    return BuiltRequest(dataset, config, **options).folder_name


@pytest.mark.parametrize(
    ("dataset", "config", "name"),
    [
        ("wikiann", "en", "wikiann--en"),
        ("unimelb-nlp/wikiann", "en", "unimelb-nlp--wikiann--en"),
        ("conll2003", "default", "conll2003--default"),
        ("wikimedia/wikipedia", "20231101.en", "wikimedia--wikipedia--20231101.en"),
    ],
)
def test_a_folder_is_called_after_the_data_set_and_its_configuration(dataset, config, name):
    assert _name(dataset, config) == name


def test_options_are_in_the_name_as_a_hash_that_does_not_change():
    assert _name("wikiann", "en", subset=0.1) == "wikiann--en--options-ea4e0e40c50a"
    tokenizing = TokenizingOptions("acme/tiny-t5", label_column="ner_tags")
    assert _name("wikiann", "en", tokenizing=tokenizing) == "wikiann--en--options-5d93bb4c7823"


def test_every_option_gives_another_name():
    t5 = TokenizingOptions("t5-small")
    names = [
        _name("a"), _name("b"), _name("a", "b"), _name("o/a"), _name("a", revision="main"),
        _name("a", data_dir="x"), _name("a", data_files="x"), _name("a", data_files=("x", "y")),
        _name("a", data_files={"train": "x", "test": "y"}), _name("a", subset=0.1),
        _name("a", subset=0.2), _name("a", subset=0.1, seed=1), _name("a", tokenizing=t5),
        _name("a", tokenizing=TokenizingOptions("t5-base")),
        _name("a", tokenizing=TokenizingOptions("t5-small", text_columns=("x",))),
        _name("a", tokenizing=TokenizingOptions("t5-small", label_column="x")),
        _name("a", tokenizing=TokenizingOptions("t5-small", max_length=8)),
        _name("a", tokenizing=TokenizingOptions("t5-small", max_length=8, padding="max_length")),
        _name("a", tokenizing=TokenizingOptions("t5-small", add_special_tokens=False)),
    ]  # fmt: skip
    assert len(set(names)) == len(names)


def test_what_means_the_same_has_one_name():
    assert _name("a", subset=1.0, seed=7) == _name("a", subset=0.0) == "a--default"
    assert _name("a", data_files="x") == _name("a", data_files={"train": ("x",)})
    assert _name("a", data_dir="x/") == _name("a", data_dir="x")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b--c"), ("a/b", "c")),
        (("a", "options-ea4e0e40c50a"), ("a", "default")),
        (("a/b", "x y"), ("a/b", "x-y")),
        (("a/b", "x/y"), ("a/b", "x--y")),
        (("/folder/rows", "default"), ("rows", "default")),
        (("/one/rows", "default"), ("/other/rows", "default")),
    ],
)
def test_names_that_look_alike_are_told_apart(one, other):
    assert _name(*one) != _name(*other)


@pytest.mark.parametrize(
    "dataset", ["../../etc", "/etc/..", "a/../..", "~/x", ".", "\x1b[31m", "é"]
)
@pytest.mark.parametrize("config", ["..", "../x", "/", ".hidden", "a\nb", "x" * 300])
def test_a_name_is_one_folder_below_the_output_whatever_was_given(dataset, config):
    name = _name(dataset, config)
    assert "/" not in name and name.isprintable() and not name.startswith(".")
    assert len(name) < 150
    assert name.rpartition("--")[2].startswith("options-")


def test_a_configuration_that_looks_like_options_is_told_apart():
    name = _name("a", subset=0.1)
    assert name.startswith("a--default--options-")
    assert _name("a/default", name.rpartition("--")[2]) != name


def test_there_is_no_name_without_a_configuration():
    with pytest.raises(errors.InputError, match="no configuration of a is named; .*--config=NAME"):
        _ = BuiltRequest("a").folder_name


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (BuiltRequest(""), "the data set's name is ''"),
        (BuiltRequest("a", subset=1.5), "subset is 1.5; wanted a share of the rows, a num"),
        (BuiltRequest("a", subset="0.1"), "subset is '0.1'; wanted .* a number from 0 to 1"),
        (BuiltRequest("a", seed="7"), "the seed is '7'; wanted a whole number"),
        (BuiltRequest("a", subset=-0.1), "subset is -0.1"),
        (BuiltRequest("a", subset=float("nan")), "subset is nan"),
        (BuiltRequest("a", tokenizing=TokenizingOptions("t", padding="max_length")), "no max_len"),
        (BuiltRequest("a", tokenizing=TokenizingOptions("t", padding="x")), "padding is 'x'"),
        (BuiltRequest("a", tokenizing=TokenizingOptions("t", max_length=0)), "max_length is 0"),
        (
            BuiltRequest("a", tokenizing=TokenizingOptions("t", ("a", "b", "c"))),
            "text_columns are a, b, c; wanted one, or two",
        ),
    ],
)
def test_what_cannot_be_is_refused(request_, told):
    with pytest.raises(errors.InputError, match=told):
        request_.check()
