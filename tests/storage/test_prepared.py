from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.storage import manifest, prepared


def _make(data_dir, name, *, version="2.0.0", **fields):
    folder = data_dir / "flcc" / name / version
    folder.mkdir(parents=True)
    values = {
        "format_name": "code_t5_dataset",
        "format_version": int(version[0]),
        "vocabulary": "default",
    }
    manifest.write_manifest(folder, {**values, **fields})
    return folder


def test_published_data_sets_are_known_before_they_are_built(tmp_path):
    _make(tmp_path, "mine")
    _make(tmp_path, "fl_py_50stars_2019", vocabulary="other")
    found = prepared.known_datasets(str(tmp_path))
    assert {d.name for d in found} == {"mine", *prepared.PUBLISHED}
    assert len(found) == 1 + len(prepared.PUBLISHED)
    built = {d.name: d.vocabulary for d in found if d.is_built}
    assert built == {"fl_py_50stars_2019": "other", "mine": "default"}


def test_each_task_name_stands_for_a_data_set_and_an_objective():
    first, second = prepared.PreparedDataset("a", "/x"), prepared.PreparedDataset("a_one", "/x")
    table = prepared.task_table([first, second], iter(["one", "two"]))
    assert table == {
        "a": (first, None),
        # A data set's own name goes before another one's Task.
        "a_one": (second, None),
        "a_two": (first, "two"),
        "a_one_one": (second, "one"),
        "a_one_two": (second, "two"),
    }
    # Whatever their order.
    assert prepared.task_table([second, first], ["one", "two"]) == table


def test_finished_data_sets_are_listed_by_name(tmp_path):
    _make(tmp_path, "second", vocabulary="other")
    _make(tmp_path, "first")
    (_make(tmp_path, "half") / "COMPLETED").unlink()
    _make(tmp_path, ".hidden")
    (tmp_path / "flcc/file").write_text("x")
    found = prepared.list_datasets(str(tmp_path))
    assert [(d.name, d.vocabulary) for d in found] == [("first", "default"), ("second", "other")]


def test_a_data_set_of_the_first_version_is_read_until_a_newer_one_is_there(tmp_path):
    _make(tmp_path, "old", version="1.0.0", vocabulary="early")
    (found,) = prepared.list_datasets(str(tmp_path))
    assert (found.version, found.vocabulary) == ("1.0.0", "early")
    assert found.read_manifest()["format_version"] == 1
    (_make(tmp_path, "old") / "COMPLETED").unlink()
    assert found.version == "1.0.0"
    (tmp_path / "flcc/old/2.0.0/COMPLETED").touch()
    assert found.read_manifest()["format_version"] == 2


def test_a_missing_data_directory_holds_nothing(tmp_path):
    assert prepared.list_datasets(str(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("vocabulary", ["../../etc", 5, None, ""])
def test_a_manifest_cannot_lead_out_of_the_data_directory(tmp_path, vocabulary):
    _make(tmp_path, "evil", vocabulary=vocabulary)
    (found,) = prepared.list_datasets(str(tmp_path))
    assert found.vocabulary_dir == tmp_path / "vocabularies/default"


def test_a_data_set_that_is_not_built_says_which_command_builds_it(tmp_path):
    dataset = prepared.PreparedDataset("fl_py_50stars_2019", str(tmp_path))
    with pytest.raises(errors.NotBuiltError) as caught:
        dataset.read_manifest()
    assert "over 50 stars) is not built" in str(caught.value)
    assert f"python -m preprocessing.build --input_dir=FLCC_DIR --data_dir={tmp_path}" in str(
        caught.value
    )


def test_data_directory_comes_from_the_variable_then_from_tfds(monkeypatch):
    monkeypatch.setenv("CODE_T5_DATA_DIR", "/ours")
    monkeypatch.setenv("TFDS_DATA_DIR", "/theirs")
    assert prepared.find_data_dir() == "/ours"
    monkeypatch.delenv("CODE_T5_DATA_DIR")
    assert prepared.find_data_dir() == "/theirs"
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", "/home/someone")
    assert prepared.find_data_dir() == "/home/someone/tensorflow_datasets"
