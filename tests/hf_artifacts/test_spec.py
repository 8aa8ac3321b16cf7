from __future__ import annotations

import textwrap

import pytest
from refusals import assert_refused

from code_t5.hf_artifacts import spec
from code_t5.hf_artifacts.requests import ArtefactRequest


def _read(tmp_path, text: str):
    file = tmp_path / "artefacts.yaml"
    file.write_text(textwrap.dedent(text))
    return spec.read_spec(file)


def test_names_and_mappings_are_read_in_order(tmp_path):
    found = _read(
        tmp_path,
        """
        metrics:
        - accuracy
        - org/own_metric
        datasets:
        - {name: conll2003, revision: refs/convert/parquet}
        - name: wikiann
          configs: [en, "no"]
          data_dir: data
          data_files:
            train: train/*.parquet
            test: [a.parquet, b.parquet]
        models:
        - org/first
        - {name: second, patterns: "*.json", ignore_patterns: ["a*", "b*"]}
        """,
    )
    assert found == (
        ArtefactRequest("model", "org/first"),
        ArtefactRequest("model", "second", patterns=("*.json",), ignore_patterns=("a*", "b*")),
        ArtefactRequest("dataset", "conll2003", revision="refs/convert/parquet"),
        ArtefactRequest(
            "dataset",
            "wikiann",
            configs=("en", "no"),
            data_dir="data",
            data_files={"train": "train/*.parquet", "test": ("a.parquet", "b.parquet")},
        ),
        ArtefactRequest("metric", "evaluate-metric/accuracy"),
        ArtefactRequest("metric", "org/own_metric"),
    )


def test_a_data_set_may_be_left_unprepared(tmp_path):
    found = _read(tmp_path, "datasets: [{name: a, prepare: false}, {name: b, prepare: true}]")
    assert found == (
        ArtefactRequest("dataset", "a", prepare=False),
        ArtefactRequest("dataset", "b"),
    )
    for entry, match in {
        "datasets: [{name: a, prepare: 0}]": r"prepare is 0 \(int\); wanted true or false",
        "models: [{name: a, prepare: false}]": r"has the key 'prepare'; wanted name",
    }.items():
        assert_refused(lambda entry=entry: _read(tmp_path, entry), match=match)


def test_data_files_may_be_one_path_or_several(tmp_path):
    found = _read(
        tmp_path,
        """
        datasets:
        - {name: a, data_files: a.json}
        - {name: b, data_files: [a.json, b.json]}
        """,
    )
    assert [request.data_files for request in found] == ["a.json", ("a.json", "b.json")]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("model: [a]", r"artefacts\.yaml has the key 'model'; .*did you mean models\?"),
        (
            "datasets: [{name: wikiann, config: en}]",
            r"entry 1 of datasets has the key 'config'; .*did you mean configs\?",
        ),
        ("models: [{name: a, configs: [en]}]", "entry 1 of models has the key 'configs'"),
        ("models: [{name: a, zzz: 1}]", "remove it"),
        ("datasets: [{configs: [en]}]", "entry 1 of datasets has no name"),
        ("datasets: [{name: a, configs: [en, no]}]", r"\(a\): number 2 of configs is False \(bool"),
        ("models: [{name: a, revision: 1.0}]", r"revision is 1.0 \(float\); .*in quotes"),
        ("models: [{name: a, revision: 2024-01-01}]", "wanted text; put it in quotes"),
        ("models: [{name: a, revision: }]", "revision is empty; wanted text; write it"),
        ("models: [{name: a, patterns: []}]", "patterns is a list; wanted a list of texts"),
        ("models: [{name: a, patterns: {a: b}}]", "patterns is a mapping"),
        ("datasets: [{name: a, data_files: {}}]", "data_files is empty"),
        ("datasets: [{name: a, data_files: {train: 3}}]", r"data_files of train is 3 \(int\)"),
        ("datasets: [{name: a, data_files: {train: [1]}}]", "number 1 of data_files of train is 1"),
        ("models: a", "models is text 'a'; wanted a list of names"),
        ("models:", "models is empty; wanted a list"),
        ("models: [[a]]", "entry 1 of models is a list; wanted a name"),
        ("models: [3]", r"entry 1 of models is 3 \(int\)"),
        ("[a, b]", "holds a list; wanted models, datasets, metrics"),
        ("", "holds empty; wanted models"),
        ("{}", "lists nothing"),
        ("models: []", "lists nothing"),
        ("models: [a, b, a]", "entry 3 of models asks for the model a again; .* entry 1 of models"),
        ("models: [a", "is no YAML that is read here"),
        ("models: [a]\nmodels: [b]", "has a key twice"),
        ("models: [&a b, *a]", "line 1 has an alias"),
        ("models: [!!python/name:os.system a]", "is no YAML that is read here"),
        ("models: [{name: a, revision: 2024-99-99}]", "is no YAML that is read here"),
        ("models: [" * 20000, "is no YAML that is read here"),
    ],
)
def test_what_is_no_spec_is_refused_in_one_line(tmp_path, text, match):
    file = tmp_path / "artefacts.yaml"
    file.write_text(text)
    assert_refused(lambda: spec.read_spec(file), match=match, unchanged=tmp_path)


@pytest.mark.parametrize(
    "entry",
    [
        "{name: ../../etc}",
        "{name: a/b/c}",
        "{name: /etc}",
        "{name: a--b}",
        '{name: "a\\0b"}',
        '{name: "a\\e[2Jb"}',
        "{name: " + 5000 * "a" + "}",
        "{name: a, revision: ../../x}",
        "{name: a, revision: /x}",
        "{name: a, patterns: [../*]}",
        "{name: a, patterns: [/etc/*]}",
        "{name: a, data_dir: ..}",
        "{name: a, data_files: {train: ~/x}}",
    ],
)
def test_nothing_in_it_may_lead_out_of_the_cache(tmp_path, entry):
    file = tmp_path / "artefacts.yaml"
    file.write_text(f"datasets: [{entry}]")
    assert_refused(lambda: spec.read_spec(file), match="entry 1 of datasets .*: its|it names")


def test_a_key_that_commands_the_terminal_is_shown_harmless(tmp_path):
    file = tmp_path / "artefacts.yaml"
    file.write_text('models: [{name: a, "\\e[2J": 1}]')
    assert_refused(lambda: spec.read_spec(file), match=r"the key '\\x1b\[2J'")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    assert_refused(lambda: spec.read_spec(tmp_path / "none.yaml"), match="cannot read .*none.yaml")
    assert_refused(lambda: spec.read_spec(tmp_path), match="cannot read")


def test_a_huge_file_is_refused(tmp_path):
    file = tmp_path / "huge.yaml"
    with open(file, "wb") as opened:
        opened.truncate(1 << 30)
    assert_refused(lambda: spec.read_spec(file), match="is larger than 1048576 bytes")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    file = tmp_path / "artefacts.yaml"
    file.write_bytes(b"models: [\xff\xfe]\x00")
    assert_refused(lambda: spec.read_spec(file), match="is no YAML that is read here")
