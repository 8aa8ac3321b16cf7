from __future__ import annotations

import json
import os
import pathlib
import shutil

import pytest
import small_local_rows

from code_t5 import errors
from code_t5.hf_artifacts.built import (
    build,
    built_record,
    find,
    split_writer,
    tokenize_rows,
)
from code_t5.hf_artifacts.built.build import BuildOptions
from code_t5.hf_artifacts.built.built_request import BuiltRequest, TokenizingOptions

_ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def source(tmp_path):
    return small_local_rows.write_rows(tmp_path / "my rows")


@pytest.fixture
def how(tmp_path):
    return BuildOptions(output_dir=tmp_path / "out put")


@pytest.fixture(scope="module")
def tokenizer_dir(tmp_path_factory):
    from small_tokenizer import hugging_face_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    hugging_face_tokenizer().save_pretrained(folder)
    return str(folder)


def _files(folder: pathlib.Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _marks(folder: pathlib.Path) -> dict[pathlib.Path, tuple[int, int]]:
    """Returns what changes when a file is written: its inode and time."""
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (status.st_ino, status.st_mtime_ns) for path, status in found.items()}


def test_the_plain_library_reads_what_was_built(source, how):
    import datasets

    outcome = build.build_dataset(BuiltRequest(source), options=how)
    assert outcome.num_new == 3
    read = datasets.load_from_disk(str(outcome.built.directory))
    assert {name: rows.num_rows for name, rows in read.items()} == small_local_rows.SIZES
    assert list(read) == ["train", "validation", "test"]
    assert read["validation"][5] == {"text": "row 5 of validation", "label": 2}
    assert read["train"].features == datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.Value("int64")}
    )


def test_the_folder_says_what_it_is(source, how):
    built = build.build_dataset(BuiltRequest(source, "default"), options=how).built
    assert built.directory.parent == how.output_dir
    assert built.directory.name == BuiltRequest(source, "default").folder_name
    fields = json.loads((built.directory / "manifest.json").read_bytes())
    assert (fields["format_name"], fields["format_version"]) == ("code_t5_built_dataset", 1)
    assert [split["name"] for split in fields["splits"]] == ["train", "validation", "test"]
    train = fields["splits"][0]
    assert (train["num_rows"], train["num_source_rows"]) == (40, 40)
    on_disk = {f"train/{path.name}" for path in (built.directory / "train").iterdir()}
    assert set(train["files"]) == on_disk
    assert built_record.read_record(built.directory) == built
    built.check_content()


def test_the_same_is_found_there_and_nothing_is_written(source, how):
    first = build.build_dataset(BuiltRequest(source), options=how)
    before = _marks(first.built.directory)
    second = build.build_dataset(BuiltRequest(source), splits=["train"], options=how)
    assert (second.num_new, second.built) == (0, first.built)
    assert _marks(first.built.directory) == before


def test_splits_are_added_later_and_those_that_are_there_stay(source, how):
    first = build.build_dataset(BuiltRequest(source), splits=["validation"], options=how)
    before = _files(first.built.directory)
    shard = first.built.directory / "validation" / "data-00000-of-00001.arrow"
    inode = shard.stat().st_ino
    second = build.build_dataset(BuiltRequest(source), splits=["train"], options=how)
    assert second.num_new == 1
    assert list(second.built.splits) == ["validation", "train"]
    assert set(second.built.parts["rows"]) == {"validation", "train"}
    after = _files(second.built.directory)
    for path in before:
        if path.startswith("validation/"):
            assert after[path] == before[path]
    assert shard.stat().st_ino == inode
    assert small_local_rows.read_texts(second.built.directory, "train")[39] == "row 39 of train"
    second.built.check_content()


def test_the_same_input_gives_the_same_bytes(source, how, tmp_path, tokenizer_dir):
    tokenizing = TokenizingOptions(tokenizer_dir)
    for request in (
        BuiltRequest(source),
        BuiltRequest(source, subset=0.3),
        BuiltRequest(source, subset=0.3, tokenizing=tokenizing),
    ):
        again = BuildOptions(output_dir=tmp_path / "again", batch_size=7)
        one = build.build_dataset(request, options=how).built
        other = build.build_dataset(request, options=again).built
        assert _files(one.directory) == _files(other.directory)


def test_a_part_of_the_rows_is_exact_and_in_order(source, how):
    small = build.build_dataset(BuiltRequest(source, subset=0.1), options=how).built
    large = build.build_dataset(BuiltRequest(source, subset=0.5), options=how).built
    few, many = (
        small_local_rows.read_texts(small.directory, "train"),
        small_local_rows.read_texts(large.directory, "train"),
    )
    assert (len(few), len(many)) == (4, 20)
    assert set(few) < set(many)
    numbers = [int(text.split()[1]) for text in many]
    assert numbers == sorted(numbers)
    assert small.splits["train"].num_source_rows == 40
    assert [small.splits[name].num_rows for name in ("validation", "test")] == [1, 1]


def test_another_seed_chooses_other_rows(source, how):
    requests = [BuiltRequest(source, subset=0.5, seed=seed) for seed in (1, 2)]
    built = [build.build_dataset(request, options=how).built for request in requests]
    texts = [small_local_rows.read_texts(one.directory, "train") for one in built]
    assert texts[0] != texts[1]


def test_a_part_does_not_say_that_it_is_the_whole(source, how):
    import datasets

    built = build.build_dataset(BuiltRequest(source, subset=0.5), options=how).built
    assert datasets.load_from_disk(str(built.directory))["train"].info.splits is None


def test_text_becomes_ids(source, how, tokenizer_dir):
    import datasets

    request = BuiltRequest(
        source, tokenizing=TokenizingOptions(tokenizer_dir, label_column="label", max_length=5)
    )
    built = build.build_dataset(request, options=how).built
    read = datasets.load_from_disk(str(built.directory))
    tokenizer = __import__("transformers").AutoTokenizer.from_pretrained(tokenizer_dir)
    assert set(read["train"].column_names) == {"input_ids", "attention_mask", "labels"} | (
        {"token_type_ids"} & set(read["train"].column_names)
    )
    assert read["train"][7]["input_ids"] == tokenizer("row 7 of train")["input_ids"][:5]
    assert read["train"]["labels"][:4] == [0, 1, 2, 0]


def test_a_split_of_no_rows_has_the_columns_too(tmp_path, tokenizer_dir):
    import datasets

    features = datasets.Features({"text": datasets.Value("string")})
    rows = datasets.Dataset.from_dict({"text": []}, features=features)
    options = TokenizingOptions(tokenizer_dir)
    tokenizer = tokenize_rows.RowTokenizer(options, features=features)
    request = BuiltRequest("a", "default", tokenizing=options, subset=0.5)
    writer = split_writer.SplitWriter(request, tokenizer, num_workers=2)
    written = writer.write(rows, tmp_path / "train")
    assert (written.num_rows, written.num_source_rows) == (0, 0)
    read = datasets.load_from_disk(str(tmp_path / "train"))
    assert "input_ids" in read.column_names and read.features == tokenizer.features


def test_processes_make_the_same_ids(source, how, tokenizer_dir, tmp_path):
    import datasets

    request = BuiltRequest(source, subset=0.6, tokenizing=TokenizingOptions(tokenizer_dir))
    two = BuildOptions(output_dir=tmp_path / "two", num_workers=2, batch_size=3)
    one_read, two_read = (
        datasets.load_from_disk(str(build.build_dataset(request, options=options).built.directory))
        for options in (how, two)
    )
    for split in small_local_rows.SIZES:
        assert one_read[split].to_dict() == two_read[split].to_dict()


def test_a_source_that_changed_is_refused_and_rebuilt_when_asked(source, how):
    first = build.build_dataset(BuiltRequest(source), options=how).built
    before = _files(first.directory)
    small_local_rows.write_rows(pathlib.Path(source), word="other")
    os.utime(pathlib.Path(source) / "train.parquet", (1, 1))
    with pytest.raises(errors.ArtifactError, match=r"built of something else \(rows .*--rebuild"):
        build.build_dataset(BuiltRequest(source), options=how)
    assert _files(first.directory) == before
    again = BuildOptions(output_dir=how.output_dir, rebuild=True)
    second = build.build_dataset(BuiltRequest(source), splits=["train"], options=again)
    # What was there is rebuilt too: a folder is of one source.
    assert second.num_new == 3
    assert (
        small_local_rows.read_texts(second.built.directory, "validation")[0]
        == "other 0 of validation"
    )


def test_another_tokenizer_of_the_same_name_is_refused(source, how, tmp_path):
    from small_tokenizer import hugging_face_tokenizer

    folder = tmp_path / "tokenizer"
    hugging_face_tokenizer().save_pretrained(folder)
    request = BuiltRequest(source, tokenizing=TokenizingOptions(str(folder)))
    build.build_dataset(request, options=how)
    hugging_face_tokenizer(num_unused=3).save_pretrained(folder)
    with pytest.raises(errors.ArtifactError, match=r"something else \(tokenizer \{.* --rebuild"):
        build.build_dataset(request, options=how)


def test_a_flipped_bit_is_found_and_mended_by_a_rebuild(source, how):
    built = build.build_dataset(BuiltRequest(source), options=how).built
    shard = built.directory / "train" / "data-00000-of-00001.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(errors.ArtifactError, match="arrow has SHA-256 .*--rebuild"):
        build.build_dataset(BuiltRequest(source), options=how)
    again = BuildOptions(output_dir=how.output_dir, rebuild=True)
    build.build_dataset(BuiltRequest(source), options=again).built.check_content()


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("COMPLETED", None, "has no manifest.json with a COMPLETED marker"),
        ("manifest.json", None, "has no manifest.json with a COMPLETED marker"),
        ("manifest.json", b"{", "says format None version None"),
        ("manifest.json", b'"format_version": 1', "has SHA-256"),
        ("train/data-00000-of-00001.arrow", None, "has no bytes; wanted"),
        ("train/state.json", b"{}", "has 2 bytes; wanted"),
        ("dataset_dict.json", None, "does not list the splits train, validation, test"),
        ("dataset_dict.json", b'{"splits": ["../../x"]}', "does not list the splits train, val"),
    ],
)
def test_what_is_half_there_is_refused_and_mended_by_a_rebuild(source, how, name, change, told):
    built = build.build_dataset(BuiltRequest(source), options=how).built
    path = built.directory / name
    if change is None:
        path.unlink()
    elif name == "manifest.json" and b"format" in change:
        path.write_bytes(path.read_bytes().replace(change, change + b" "))
    else:
        path.write_bytes(change)
    with pytest.raises(errors.ArtifactError, match=told):
        build.build_dataset(BuiltRequest(source), options=how)
    again = BuildOptions(output_dir=how.output_dir, rebuild=True)
    build.build_dataset(BuiltRequest(source), options=again).built.check_content()


def test_a_newer_format_is_refused(source, how):
    built = build.build_dataset(BuiltRequest(source), options=how).built
    path = built.directory / "manifest.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 2'))
    (built.directory / "COMPLETED").write_text("")
    with pytest.raises(errors.ArtifactError, match="version 2; wanted .* version 1"):
        build.build_dataset(BuiltRequest(source), options=how)


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_folder_of_somebody_else_is_never_replaced(source, how, rebuild):
    folder = how.output_dir / BuiltRequest(source, "default").folder_name
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")
    options = BuildOptions(output_dir=how.output_dir, rebuild=rebuild)
    with pytest.raises(errors.ArtifactError, match="is there and no data set that was built"):
        build.build_dataset(BuiltRequest(source), options=options)
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("away", ["../../secret", "train/../../secret", "/etc/passwd"])
def test_a_manifest_that_leads_out_is_refused(source, how, away):
    built = build.build_dataset(BuiltRequest(source), options=how).built
    path = built.directory / "manifest.json"
    path.write_text(path.read_text().replace('"train/state.json"', f'"{away}"'))
    (built.directory / "COMPLETED").write_text("")
    with pytest.raises(errors.ArtifactError, match=f"names the path '{away}'"):
        built_record.read_record(built.directory)
    assert find.find_built(source, output_dir=how.output_dir).found is None


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        (["dev"], "Unknown split|dev"),
        (["train[:10%]"], "is no name of a split; .* give --subset"),
        (["../train"], "is no name of a split"),
        (["train", "train"], "the split train is named twice"),
        (["COMPLETED"], "is no name of a split"),
    ],
)
def test_splits_that_are_none_are_refused(source, how, splits, told):
    with pytest.raises(errors.InputError, match=told):
        build.build_dataset(BuiltRequest(source), splits=splits, options=how)
    assert not how.output_dir.exists() or not list(how.output_dir.iterdir())


def test_where_nothing_can_be_written_it_is_said(source, tmp_path):
    (tmp_path / "file").write_text("")
    options = BuildOptions(output_dir=tmp_path / "file" / "out")
    with pytest.raises(errors.InputError, match="file/out .it cannot be made: Not a directory"):
        build.build_dataset(BuiltRequest(source), options=options)


def test_built_data_may_be_moved(source, how, tmp_path):
    built = build.build_dataset(BuiltRequest(source), options=how).built
    shutil.move(built.directory, tmp_path / "moved")
    moved = built_record.read_record(tmp_path / "moved")
    moved.check_content()
    assert find.open_built(moved, split="train")["text"][0] == "row 0 of train"
    content = b"".join(_files(tmp_path / "moved").values())
    assert str(how.output_dir).encode() not in content
