from __future__ import annotations

import pathlib
import shutil

import pytest

from code_t5 import errors, hf_artifacts
from code_t5.hf_artifacts.built import built_record, find
from code_t5.hf_artifacts.built.built_record import BuiltDataset, BuiltFile, BuiltSplit
from code_t5.hf_artifacts.built.built_request import BuiltRequest, TokenizingOptions
from code_t5.storage import atomic, fingerprints

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_REPOSITORY = "unimelb-nlp/wikiann"


def _build(
    output: pathlib.Path,
    dataset: str = "wikiann",
    config: str = "en",
    *,
    splits: tuple[str, ...] = ("train", "test"),
    repository: str = _REPOSITORY,
    **options: object,
) -> pathlib.Path:
    """Writes what a build would, by the plain library and the module under test."""
    import datasets

    request = BuiltRequest(dataset, config, **options)
    folder = output / request.folder_name
    with atomic.directory(folder) as temporary:
        rows = {split: datasets.Dataset.from_dict({"x": [split, config]}) for split in splits}
        datasets.DatasetDict(rows).save_to_disk(str(temporary))
        made = {}
        for split in splits:
            paths = sorted((temporary / split).iterdir())
            files = {
                f"{split}/{path.name}": BuiltFile(path.stat().st_size, fingerprints.hash_file(path))
                for path in paths
            }
            made[split] = BuiltSplit(2, 2, files)
        parts = {"request": request.as_json(), "commit": _COMMIT, "config": config, "rows": {}}
        built_record.write_record(temporary, BuiltDataset(folder, parts, made, repository))
    return folder


def test_it_is_found_by_the_name_it_was_built_by_and_by_its_present_one(tmp_path):
    folder = _build(tmp_path)
    for name in ("wikiann", _REPOSITORY):
        looked = find.find_built(name, "en", output_dir=tmp_path)
        assert (looked.found.directory, looked.reason) == (folder, "")
        assert (looked.found.commit, looked.found.config) == (_COMMIT, "en")
        assert list(looked.found.splits) == ["train", "test"]
    assert find.find_built("wiki", "en", output_dir=tmp_path).found is None


def test_its_own_name_goes_before_another_name_of_the_same_repository(tmp_path):
    first = _build(tmp_path, "wikiann")
    second = _build(tmp_path, _REPOSITORY)
    assert find.find_built("wikiann", "en", output_dir=tmp_path).found.directory == first
    assert find.find_built(_REPOSITORY, "en", output_dir=tmp_path).found.directory == second
    _build(tmp_path, "a", repository="b/a")
    third = _build(tmp_path, "b/a", repository="b/a")
    assert find.find_built("b/a", "en", output_dir=tmp_path).found.directory == third


def test_without_a_configuration_the_only_one_is_meant(tmp_path):
    _build(tmp_path, config="de")
    assert find.find_built("wikiann", output_dir=tmp_path).found.config == "de"
    _build(tmp_path, config="en")
    looked = find.find_built("wikiann", output_dir=tmp_path)
    assert looked.found is None
    assert looked.reason == f"{tmp_path} has the configurations de, en; name one"
    _build(tmp_path, config="default")
    assert find.find_built("wikiann", output_dir=tmp_path).found.config == "default"


def test_a_revision_is_compared_with_what_was_asked_for_and_with_the_commit(tmp_path):
    plain = _build(tmp_path)
    for revision in (None, _COMMIT):
        found = find.find_built("wikiann", "en", revision=revision, output_dir=tmp_path).found
        assert found.directory == plain
    assert find.find_built("wikiann", "en", revision="v2", output_dir=tmp_path).found is None
    tagged = _build(tmp_path, config="de", revision="v2")
    found = find.find_built("wikiann", "de", revision="v2", output_dir=tmp_path).found
    assert found.directory == tagged
    assert find.find_built("wikiann", "de", output_dir=tmp_path).found.directory == tagged


@pytest.mark.parametrize(
    "options",
    [{"subset": 0.5}, {"tokenizing": TokenizingOptions("t5-small")}, {"data_dir": "sub"}]
    + [{"data_files": "a.json"}],
)
def test_a_part_or_ids_are_not_taken_for_the_rows_themselves(tmp_path, options):
    _build(tmp_path, **options)
    looked = find.find_built("wikiann", "en", output_dir=tmp_path)
    assert looked.found is None
    assert looked.reason == f"{tmp_path} has nothing built of wikiann en"


def test_files_are_compared_in_one_form(tmp_path):
    folder = _build(tmp_path, data_files=("a.json", "b.json"), data_dir="x/")
    found = find.find_built(
        "wikiann", data_files={"train": ["a.json", "b.json"]}, data_dir="x", output_dir=tmp_path
    ).found
    assert found.directory == folder


def test_a_split_that_it_lacks_is_named(tmp_path):
    folder = _build(tmp_path)
    assert find.find_built("wikiann", splits=["test"], output_dir=tmp_path).found is not None
    looked = find.find_built("wikiann", splits=["test", "dev"], output_dir=tmp_path)
    assert looked == (None, f"{folder} has no dev, only train, test")


def test_what_is_damaged_is_refused_with_its_reason(tmp_path):
    folder = _build(tmp_path)
    (folder / "train" / "state.json").write_text("")
    looked = find.find_built("wikiann", "en", output_dir=tmp_path)
    assert looked.found is None
    assert looked.reason.startswith(f"{folder}/train/state.json has 0 bytes; wanted")


def test_folders_that_are_none_are_passed_over(tmp_path):
    (tmp_path / "wikiann--en").mkdir()
    (tmp_path / "file").write_text("x")
    shutil.copytree(_build(tmp_path / "other"), tmp_path / ".wikiann--en.building")
    looked = find.find_built("wikiann", "en", output_dir=tmp_path)
    assert looked == (None, f"{tmp_path} has nothing built of wikiann en")
    assert find.find_built("wikiann", output_dir=tmp_path / "none").found is None


def test_it_is_opened_by_the_words_it_was_built_with(tmp_path):
    _build(tmp_path, subset=0.5)
    options = TokenizingOptions("t5-small", max_length=8)
    _build(tmp_path, tokenizing=options, splits=("train",))
    rows = hf_artifacts.load_built_dataset(
        "wikiann", "en", split="test", subset=0.5, output_dir=tmp_path
    )
    assert rows["x"][:] == ["test", "en"]
    both = hf_artifacts.load_built_dataset("wikiann", tokenizing=options, output_dir=tmp_path)
    assert list(both) == ["train"]


def test_what_was_not_built_is_told_with_the_command_that_builds_it(tmp_path):
    with pytest.raises(errors.NotBuiltError) as caught:
        hf_artifacts.load_built_dataset(
            "wikiann", "en", split="train", subset=0.5, output_dir=tmp_path / "my data",
            tokenizing=TokenizingOptions("t5-small", label_column="ner_tags"),
        )  # fmt: skip
    assert str(caught.value).partition("; run ")[2] == (
        "python scripts/build_dataset.py --dataset=wikiann --config=en --subset=0.5 --seed=42 "
        f"--tokenizer_name=t5-small --label_column=ner_tags '--output_dir={tmp_path}/my data' "
        "--splits train"
    )


def test_an_option_that_is_none_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="there is no option num_proc; wanted revision"):
        hf_artifacts.load_built_dataset("wikiann", num_proc=2)


def test_a_fingerprint_of_other_parts_is_not_believed(tmp_path):
    folder = _build(tmp_path)
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace(_COMMIT, "f" * 40))
    (folder / "COMPLETED").write_text("")
    with pytest.raises(errors.ArtifactError, match="another fingerprint's parts"):
        built_record.read_record(folder)
