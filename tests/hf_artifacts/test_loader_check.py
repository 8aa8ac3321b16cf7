"""`check_hf_cache.py --dataset`: what training will open, opened from the cache alone."""

from __future__ import annotations

import io
import json
import pathlib
import shutil
import subprocess
import sys

import fake_hub
import hf_programs
import pytest
import yaml
from absl import flags
from PIL import Image

from code_t5 import errors
from code_t5.hf_artifacts.checking import loader_check

_IMAGES, _TABLES, _LINES = "tests/imagenet", "tests/tables", "tests/lines"
_PARTS = "tests/parts"
_TOKEN = "hf_TokenOfATestThatNobodyElseHas01"
_SIZES = {"train": 25, "validation": 9}
_SHARDS = {"train": 3, "validation": 2}
_FLAGS = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
_FETCH = """
import sys, huggingface_hub
for name in sys.argv[1:]:
    huggingface_hub.snapshot_download(name, repo_type="dataset")
"""


def _image(split: str, row: int) -> bytes:
    """Returns an image of its own size: PNG or JPEG, in colours or grey."""
    sink = io.BytesIO()
    size = (16 + row % 5, 12 + row % 3) if split == "train" else (16, 12)
    Image.new("RGB", size, (row, 1, 2)).save(sink, "JPEG" if row % 2 else "PNG")
    return sink.getvalue()


def _image_shard(split: str, rows: range) -> bytes:
    import pyarrow
    import pyarrow.parquet

    held = [
        {"image": {"bytes": _image(split, row), "path": f"{split}_{row}"}, "label": row % 3}
        for row in rows
    ]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(held), sink, row_group_size=4)
    return sink.getvalue()


def _image_files() -> dict[str, bytes | str]:
    """Returns a data set laid out as imagenet-1k is."""
    names = {str(number): name for number, name in enumerate(("cat", "dog", "owl"))}
    info = {
        "features": [
            {"name": "image", "dtype": "image"},
            {"name": "label", "dtype": {"class_label": {"names": names}}},
        ],
        "splits": [{"name": name, "num_examples": size} for name, size in _SIZES.items()],
    }
    patterns = [{"split": name, "path": f"data/{name}-*"} for name in _SIZES]
    card = {"configs": [{"config_name": "default", "data_files": patterns}], "dataset_info": info}
    files: dict[str, bytes | str] = {"README.md": f"---\n{yaml.safe_dump(card)}---\nImages\n"}
    for split, size in _SIZES.items():
        total = _SHARDS[split]
        for shard in range(total):
            rows = range(size * shard // total, size * (shard + 1) // total)
            files[f"data/{split}-{shard:05d}-of-{total:05d}.parquet"] = _image_shard(split, rows)
    return files


def _files_read_in_part() -> dict[str, bytes | str]:
    """Returns Parquet files of which the README wants one column, or some rows."""
    files = hf_programs.dataset_files()
    patterns = [{"split": name, "path": f"data/{name}-*"} for name in ("train", "test")]
    configs = [
        {"config_name": "column", "data_files": patterns, "columns": ["text"]},
        {"config_name": "rows", "data_files": patterns, "filters": [["number", ">=", 3]]},
    ]
    return {**files, "README.md": f"---\n{yaml.safe_dump({'configs': configs})}---\nParts\n"}


@pytest.fixture(scope="module")
def hub():
    """A Hub with a gated data set of images, three of tables, and one of lines of JSON."""
    lines = [json.dumps({"text": f"line {row}", "ids": list(range(row % 4))}) for row in range(11)]
    with fake_hub.serve() as made:
        made.add("dataset", _IMAGES, _image_files(), token=_TOKEN)
        made.add("dataset", _TABLES, hf_programs.dataset_files("first", "second"))
        made.add("dataset", _PARTS, _files_read_in_part())
        made.add("dataset", _LINES, {"train.jsonl": "\n".join(lines) + "\n"})
        yield made


@pytest.fixture(scope="module")
def _snapshots(hub, tmp_path_factory):
    """A root with the snapshots alone, as huggingface_hub fetches them."""
    root = tmp_path_factory.mktemp("snapshots") / "root"
    environment = {**hf_programs.online(hub, root), "HF_TOKEN": _TOKEN}
    command = [sys.executable, "-c", _FETCH, _IMAGES, _TABLES, _LINES, _PARTS]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return root


@pytest.fixture
def root(_snapshots, tmp_path):
    """The same, for this test alone."""
    return pathlib.Path(shutil.copytree(_snapshots, tmp_path / "root", symlinks=True))


def _open(root, *arguments, on=("HF_HUB_OFFLINE",), environment=None) -> hf_programs.Ran:
    given = environment or hf_programs.offline(root.parent / "no home", *on)
    command = ["--cache_dir", root, *arguments]
    return hf_programs.run("check_hf_cache.py", *command, environment=given)


def _read(root, *arguments, **options) -> dict:
    ran = _open(root, *arguments, "--json", **options)
    assert ran.status == 0, ran.all
    return json.loads(ran.out)


@pytest.mark.parametrize("on", [(), *((flag,) for flag in _FLAGS), _FLAGS])
def test_images_go_through_a_loader_whichever_flags_are_set_and_nothing_is_written(root, on):
    before = hf_programs.tree(root)
    found = _read(root, "--dataset", _IMAGES, "--loader", "--batch_size", "10", on=on)
    assert found["is_good"]
    assert (found["format_name"], found["format_version"]) == ("code_t5_hf_dataset_check", 1)
    assert found["place"] == "hub snapshot"
    assert found["commit"] in found["directory"]
    train, validation = found["splits"]
    assert (train["split"], train["num_rows"]) == ("train", 25)
    assert train["columns"] == {"image": "Image", "label": "ClassLabel of 3"}
    assert train["loader"]["num_batches"] == 3
    assert train["loader"]["num_rows"] == 15
    assert train["loader"]["first"]["image"] == "10 x uint8 [3, 12..14, 16..20]"
    assert train["loader"]["last"]["label"] == "int64 [5]"
    assert validation["loader"]["first"]["image"] == "uint8 [9, 3, 12, 16]"
    assert hf_programs.tree(root) == before


def test_all_batches_are_read_by_several_processes(root):
    found = _read(
        root, "--dataset", _IMAGES, "--loader", "--batch-size=4", "--num_workers=2",
        "--all_batches", "--splits", "train", "validation",
    )  # fmt: skip
    loaders = [split["loader"] for split in found["splits"]]
    assert [loader["num_read"] for loader in loaders] == [7, 3]
    assert [loader["num_rows"] for loader in loaders] == [25, 9]


def test_an_image_that_cannot_be_decoded_is_a_no_with_its_reason(root):
    (snapshot,) = root.glob("hub/datasets--tests--imagenet/snapshots/*")
    shard = (snapshot / "data" / "train-00000-of-00003.parquet").resolve()
    content = shard.read_bytes()
    png = content.index(b"\x89PNG")
    shard.write_bytes(content[:png] + b"\0" * 24 + content[png + 24 :])
    ran = _open(root, "--dataset", _IMAGES, "--loader", "--json")
    assert ran.status == 1
    found = json.loads(ran.out)
    reads = {split["split"]: split["is_good"] for split in found["splits"]}
    assert reads == {"train": False, "validation": True}
    assert "image" in found["splits"][0]["reason"]
    shown = _open(root, "--dataset", _IMAGES, "--loader")
    assert shown.status == 1
    assert "reads: no: " in shown.out
    assert "Traceback" not in shown.all


def test_a_shard_that_is_missing_is_refused(root):
    (snapshot,) = root.glob("hub/datasets--tests--imagenet/snapshots/*")
    (snapshot / "data" / "train-00001-of-00003.parquet").unlink()
    ran = _open(root, "--dataset", _IMAGES, "--loader")
    assert ran.status == 1
    assert "train-00001-of-00003.parquet" in ran.error


def test_a_shard_that_was_cut_short_is_a_no_for_its_split_alone(root):
    (snapshot,) = root.glob("hub/datasets--tests--imagenet/snapshots/*")
    shard = (snapshot / "data" / "train-00002-of-00003.parquet").resolve()
    shard.write_bytes(shard.read_bytes()[:-100])
    ran = _open(root, "--dataset", _IMAGES, "--loader", "--json")
    assert ran.status == 1
    assert "Traceback" not in ran.all
    train, validation = json.loads(ran.out)["splits"]
    assert "Parquet" in train["reason"]
    assert validation["loader"]["num_batches"] == 1


def test_fewer_rows_than_the_repository_describes_are_a_no(root):
    readme = next(root.glob("hub/datasets--tests--imagenet/snapshots/*/README.md"))
    text = readme.read_text(encoding="utf-8").replace("num_examples: 25", "num_examples: 26")
    readme.unlink()
    readme.write_text(text, encoding="utf-8")
    ran = _open(root, "--dataset", _IMAGES, "--json")
    assert ran.status == 1
    train, validation = json.loads(ran.out)["splits"]
    assert train["reason"].startswith("25 rows; wanted 26, which its README.md says")
    assert validation["is_good"]


def test_a_folder_without_data_is_one_line(tmp_path):
    (tmp_path / "folder").mkdir()
    ran = _open(tmp_path / "root", "--dataset", tmp_path / "folder")
    assert ran.status == 1
    assert "folder cannot be opened" in ran.error


def test_lines_of_json_are_read_where_they_lie(root):
    before = hf_programs.tree(root)
    found = _read(root, "--dataset", _LINES, "--loader", "--batch_size=4", "--all_batches")
    (split,) = found["splits"]
    assert split["num_rows"] == 11
    assert split["loader"]["num_batches"] == 3
    assert split["loader"]["first"]["text"] == "4 x str"
    assert split["loader"]["last"]["ids"] == "3 x int64 [0..2]"
    assert hf_programs.tree(root) == before


def test_a_configuration_and_splits_can_be_chosen(root):
    found = _read(root, "--dataset", _TABLES, "--config", "second", "--splits", "test")
    assert found["config"] == "second"
    assert [split["split"] for split in found["splits"]] == ["test"]
    assert found["splits"][0]["columns"] == {"number": "int64", "text": "string"}
    assert found["splits"][0]["num_rows"] == 5
    assert "loader" not in found["splits"][0]
    ran = _open(root, "--dataset", _TABLES, "--config", "second", "--splits", "dev")
    assert ran.status == 1
    assert "'dev'" in ran.error
    assert "train, test" in ran.error


def test_files_of_a_data_set_can_be_chosen(root):
    path = "first/test-00000-of-00001.parquet"
    found = _read(root, "--dataset", _TABLES, f"--data_files=mine={path}")
    assert [(split["split"], split["num_rows"]) for split in found["splits"]] == [("mine", 5)]


@pytest.mark.parametrize(
    ("config", "rows", "columns"), [("column", [20, 5], ["text"]), ("rows", [17, 2], None)]
)
def test_files_are_read_in_part_where_the_repository_says_so(root, config, rows, columns):
    found = _read(root, "--dataset", _PARTS, "--config", config)
    assert [split["num_rows"] for split in found["splits"]] == rows
    assert [list(split["columns"]) for split in found["splits"]] == [
        columns or ["number", "text"]
    ] * 2


def test_the_text_says_what_the_json_says(root):
    ran = _open(root, "--dataset", _IMAGES, "--loader", "--batch_size", "10", "--splits=train")
    assert ran.status == 0, ran.all
    lines = [line.strip() for line in ran.out.splitlines()]
    assert f"{_IMAGES}, configuration default" in lines
    assert "rows: 25" in lines
    assert "columns: image (Image), label (ClassLabel of 3)" in lines
    assert "batches of 10: 3, 2 of them read" in lines
    assert "reads: yes" in lines


def test_a_stream_is_read_from_the_snapshot_while_a_flag_is_set(root):
    for more, num_read in (["--all_batches"], [3, 1]), ([], [1, 1]):
        arguments = ["--streaming", "--loader", "--batch_size=10", *more]
        found = _read(root, "--dataset", _IMAGES, *arguments)
        assert found["place"] == "hub snapshot"
        assert [split["num_rows"] for split in found["splits"]] == [25, 9]
        assert [split["loader"]["num_batches"] for split in found["splits"]] == [3, 1]
        assert [split["loader"]["num_read"] for split in found["splits"]] == num_read
        # Of a stream the last batch is behind all others.
        lasts = [split["loader"]["last"].get("label") for split in found["splits"]]
        assert lasts == ["int64 [5]" if more else None, "int64 [9]"]


def test_of_a_stream_the_text_says_that_the_last_batch_was_not_read(root):
    ran = _open(
        root, "--dataset", _TABLES, "--config=first", "--streaming", "--loader", "--batch_size=10"
    )
    assert ran.status == 0, ran.all
    lines = [line.strip() for line in ran.out.splitlines()]
    assert "batches of 10: 2, 1 of them read" in lines
    assert [line for line in lines if line.startswith("last: ")] == [
        "last: not read (--all_batches)", "last: number int64 [5]; text 5 x str",
    ]  # fmt: skip


def _online(hub, home, *, token: str | None) -> dict[str, str]:
    """Returns an environment without offline flags, in which somebody is logged in."""
    home.mkdir()
    if token:
        (home / "token").write_text(token, encoding="ascii")
    return hf_programs.online(hub, home)


def test_a_stream_comes_from_the_hub_while_no_flag_is_set_and_leaves_the_root_alone(hub, tmp_path):
    found = _read(
        tmp_path / "root", "--dataset", _IMAGES, "--streaming", "--loader", "--batch_size=10",
        environment=_online(hub, tmp_path / "home", token=_TOKEN),
    )  # fmt: skip
    assert found["place"] == "the Hub"
    assert [found["commit"]] == list(hub.find_repository("dataset", _IMAGES).commits)
    assert found["splits"][0]["loader"]["num_batches"] == 3
    assert found["splits"][0]["loader"]["num_read"] == 1
    assert found["splits"][0]["loader"]["num_rows"] == 10
    assert not (tmp_path / "root").exists()
    assert sorted(hf_programs.tree(tmp_path / "home")) == ["token"]


@pytest.mark.parametrize("token", [None, "hf_SomeTokenThatTheHubDoesNotKnow01"])
def test_a_stream_of_a_gated_data_set_says_how_to_get_access(hub, tmp_path, token):
    ran = _open(
        tmp_path / "root", "--dataset", _IMAGES, "--streaming",
        environment=_online(hub, tmp_path / "home", token=token),
    )  # fmt: skip
    assert ran.status == 1
    assert f"{hub.url}/datasets/{_IMAGES}" in ran.error
    assert "hf auth login" in ran.error
    assert "hf_Some" not in ran.all


def test_without_a_flag_the_hub_is_not_asked_for_what_is_cached(hub, root):
    environment = hf_programs.online(hub, root.parent / "home")
    asked = len(hub.requests)
    found = _read(root, "--dataset", _TABLES, "--config=first", environment=environment)
    assert [split["num_rows"] for split in found["splits"]] == [20, 5]
    assert len(hub.requests) == asked


def test_arrow_files_of_a_record_are_mapped_and_not_read_again(hub, tmp_path):
    spec = tmp_path / "artefacts.yaml"
    entry = {"name": _TABLES, "configs": ["first"]}
    spec.write_text(yaml.safe_dump({"datasets": [entry]}), encoding="utf-8")
    ran = hf_programs.run(
        "precache.py", "--cache_dir", tmp_path / "root", "--spec", spec, "--no_verify",
        environment=hf_programs.online(hub, tmp_path / "home"),
    )  # fmt: skip
    assert ran.status == 0, ran.all
    moved = tmp_path / "elsewhere"
    (tmp_path / "root").rename(moved)
    before = hf_programs.tree(moved)
    found = _read(moved, "--dataset", _TABLES, "--loader", "--batch_size=8")
    assert "Arrow" in found["place"]
    assert [split["loader"]["num_batches"] for split in found["splits"]] == [3, 1]
    assert hf_programs.tree(moved) == before


@pytest.mark.parametrize("name", [_TABLES, "data/tests--tables--first"])
def test_a_built_data_set_is_hashed_before_it_is_opened(root, tmp_path, name):
    environment = hf_programs.offline(tmp_path / "home", "HF_HUB_OFFLINE")
    built = hf_programs.run(
        "build_dataset.py", "--cache_dir", root, "--dataset", _TABLES, "--config", "first",
        environment=environment, cwd=tmp_path,
    )  # fmt: skip
    assert built.status == 0, built.all
    shutil.rmtree(root)
    (tmp_path / "root").mkdir()

    def check():
        given = ["--dataset", name, "--cache_dir", root]
        given += ["--config=first"] if name == _TABLES else []
        return hf_programs.run(
            "check_hf_cache.py", *given, "--json", environment=environment, cwd=tmp_path
        )

    ran = check()
    assert ran.status == 0, ran.all
    assert [split["num_rows"] for split in json.loads(ran.out)["splits"]] == [20, 5]
    (arrow,) = tmp_path.glob("data/tests--tables--first/test/*.arrow")
    content = arrow.read_bytes()
    assert content.count(b"text 3") == 1
    arrow.write_bytes(content.replace(b"text 3", b"lies 3"))
    ran = check()
    assert ran.status == 1
    assert f"{arrow.name} has SHA-256 " in ran.error
    assert "build it again with --rebuild" in ran.error


def _values(*arguments: str) -> flags.FlagValues:
    values = flags.FlagValues()
    loader_check.define_flags(values)
    values(["program", *arguments])
    return values


def test_flags_that_go_with_others_are_refused_alone():
    assert not loader_check.is_asked(_values())
    assert loader_check.is_asked(_values("--dataset=a", "--loader", "--batch_size=3"))
    with pytest.raises(errors.InputError, match="--config was given without --dataset"):
        loader_check.is_asked(_values("--config=en"))
    with pytest.raises(errors.InputError, match="--batch_size was given without --loader"):
        loader_check.is_asked(_values("--dataset=a", "--batch_size=3"))


def test_a_batch_without_rows_is_refused():
    with pytest.raises(flags.IllegalFlagValueError):
        _values("--dataset=a", "--loader", "--batch_size=0")
