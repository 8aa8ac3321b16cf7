"""What `datasets` gives online, compared with what we give offline of caches with a part of it.

A cache may lack anything: then it is refused. What is returned has the rows that the Hub gives.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil

import fake_hub
import offline_children
import plain_caches
import pytest

from code_t5 import errors
from code_t5.hf_artifacts import load_dataset, records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.loading import load

_CARD = plain_caches.card(
    {"a": {"train": "a/*.jsonl"}, "b": {"train": "b/train*", "test": "b/test*"}}
)
_FOLDED = """---
dataset_info:
  features:
  - {name: text, dtype: string}
  splits:
  - {name: train, num_bytes: 10, num_examples: 12}
---
"""


def _rows(name, number=3):
    return plain_caches.json_lines(*(f"{name} {row}" for row in range(number)))


def _files(*paths):
    return {path: _rows(path) for path in paths}


REPOSITORIES = {
    "z/many": _files(*(f"d{d}/p{p}.jsonl" for d in range(3) for p in range(2))),
    "z/shards": {
        "data/train-00000-of-00002.jsonl": _rows("train 0"),
        "data/train-00001-of-00002.jsonl": _rows("train 1"),
        "data/test-00000-of-00001.jsonl": _rows("test", 2),
    },
    "z/cards": {
        "README.md": _CARD,
        **_files("a/1.jsonl", "a/2.jsonl", "b/train.jsonl", "b/train2.jsonl", "b/test.jsonl"),
        **_files("extra/1.jsonl", "extra/2.jsonl"),
    },
    "z/mixed": {
        **_files("d0/1.jsonl", "d0/2.jsonl", "d1/1.jsonl", "train.jsonl"),
        "d0/notes.txt": "not a row\n",
        "d1/1.csv": "text\na\n",
    },
    "z/folded": {"README.md": _FOLDED, **_files(*(f"f{d}/train.jsonl" for d in range(4)))},
}
# What programs ask for; those of one repository mean overlapping parts of it.
REQUESTS = {
    "z/many": [
        {}, {"data_dir": "d0"}, {"data_dir": "d1"}, {"data_files": "d0/*"}, {"data_files": "d*/*"},
        {"data_files": "**"}, {"data_files": ["d0/*", "d2/*"]}, {"data_files": "d[12]/*"},
        {"data_files": "d0/p0.jsonl"}, {"data_files": {"train": "d0/*", "test": "d1/*"}},
        {"data_files": "*/p0.jsonl"}, {"data_files": "p*", "data_dir": "d0"},
        {"data_files": "d0/*", "split": "train[:2]"},
        {"data_files": ["d0/p0.jsonl", "d1/p0.jsonl"]},
        {"data_files": "d9/*"}, {"data_files": ["d0/*", "d9/*"]},
        {"data_files": "d0/p1.jsonl", "split": "train"},
        {"data_files": "p0.jsonl", "data_dir": "d0"},
    ],
    "z/shards": [
        {}, {"split": "train"}, {"split": "test"}, {"data_files": "data/train*"},
        {"data_files": "data/*"}, {"data_files": "data/train-00000-of-00002.jsonl"},
        {"data_files": {"train": "data/train*", "test": "data/test*"}}, {"data_dir": "data"},
        {"data_files": {"train": "data/train*", "test": "data/test*"}, "split": "test"},
    ],
    "z/cards": [
        {"name": "a"}, {"name": "b"}, {"name": "b", "split": "test"}, {"data_files": "extra/*"},
        {"data_files": "**/*.jsonl"}, {"data_files": "a/*"}, {"data_files": "*/train*"},
        {"data_dir": "extra"}, {"data_dir": "b"}, {"data_files": "b/t*"},
    ],
    "z/mixed": [
        {}, {"data_dir": "d0"}, {"data_dir": "d1"}, {"data_files": "d0/*.jsonl"},
        {"data_files": "*/1.jsonl"}, {"data_files": "**/*.jsonl"}, {"data_files": "d0/1.jsonl"},
        {"split": "train"}, {"data_files": "d0/*"}, {"data_files": "d1/*"},
    ],
    "z/folded": [{}, {"split": "train"}, {"data_files": "f0/*"}, {"data_files": "f*/*"}],
}  # fmt: skip

_SPECS = {
    "one part": """
    datasets:
    - {name: z/many, data_files: "d0/*"}
    - {name: z/shards, data_files: data/train-00000-of-00002.jsonl}
    - {name: z/cards, configs: [a]}
    - {name: z/mixed, data_files: d0/1.jsonl}
    - {name: z/folded, data_files: "f0/*", prepare: false}
    """,
    "two parts": """
    datasets:
    - {name: z/many, data_files: "d0/*"}
    - {name: z/many, data_files: "d1/*"}
    - {name: z/shards, data_files: "data/train*"}
    - {name: z/cards, data_files: "extra/*"}
    - {name: z/cards, configs: [b]}
    - {name: z/mixed, data_dir: d0}
    - {name: z/mixed, data_dir: d1}
    - {name: z/folded, data_files: "f[012]/*", prepare: false}
    """,
    "patterns": """
    datasets:
    - {name: z/many, patterns: ["d0/*", "d1/p0.jsonl"]}
    - {name: z/shards, patterns: ["data/test*"]}
    - {name: z/cards, ignore_patterns: ["b/test*", "a/2*"]}
    - {name: z/mixed, patterns: ["*.jsonl"]}
    - {name: z/folded, ignore_patterns: ["f3/*"]}
    """,
    "whole": "datasets: [z/many, z/shards, z/cards, z/mixed, z/folded]",
}
# What programs loaded online before.
_PLAIN = {
    "plain parts": [
        ("z/many", {"data_files": "d0/*"}), ("z/many", {"data_dir": "d1"}),
        ("z/shards", {"data_files": "data/train-00000-of-00002.jsonl"}),
        ("z/cards", {"name": "b"}), ("z/cards", {"data_files": "a/1.jsonl"}),
        ("z/mixed", {"data_files": "d0/*.jsonl"}),
    ],
    "plain folders": [
        ("z/many", {"data_files": "p0.jsonl", "data_dir": "d0"}),
        ("z/shards", {"data_files": "data/train*"}), ("z/cards", {"data_dir": "extra"}),
        ("z/mixed", {"data_dir": "d1"}),
    ],
    "plain whole": [("z/many", {}), ("z/shards", {}), ("z/cards", {"name": "a"}), ("z/mixed", {})],
}  # fmt: skip
# Of these caches, what must be found and not only be refused.
_FOUND = {
    "one part": [
        ("z/many", {"data_files": "d0/*"}), ("z/many", {"data_dir": "d0"}),
        ("z/many", {"data_files": ["d0/*", "d9/*"]}),
        ("z/shards", {"data_files": "data/train-00000-of-00002.jsonl"}),
        ("z/cards", {"name": "a"}), ("z/cards", {"data_files": "a/*"}),
    ],
    "two parts": [
        ("z/many", {"data_files": {"train": "d0/*", "test": "d1/*"}}),
        ("z/shards", {"split": "train"}), ("z/cards", {"data_dir": "extra"}),
        ("z/cards", {"name": "b"}), ("z/cards", {"data_files": "b/t*"}),
        ("z/mixed", {"data_files": "*/1.jsonl"}),
    ],
    "patterns": [("z/many", {"data_files": "d0/*"}), ("z/shards", {"split": "test"})],
    "plain parts": [
        ("z/many", {"data_dir": "d1"}), ("z/many", {"data_files": "d0/p0.jsonl"}),
        ("z/cards", {"name": "b"}), ("z/cards", {"name": "b", "split": "test"}),
    ],
    "plain folders": [("z/many", {"data_files": "p0.jsonl", "data_dir": "d0"})],
    "plain whole": [("z/many", {}), ("z/shards", {}), ("z/cards", {"name": "a"}), ("z/mixed", {})],
}  # fmt: skip

_ONLINE = """
import json, sys
from datasets import load_dataset
for name, options in json.loads(sys.argv[1]):
    try:
        found = load_dataset(name, **options)
        splits = found if isinstance(found, dict) else {"the only one": found}
        told = {str(split): list(rows["text"]) for split, rows in splits.items()}
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    print("told:" + json.dumps(told), flush=True)
"""


def _load_online(hub, home, asked):
    done = offline_children.run_python(
        _ONLINE, json.dumps(asked), environment=hub.environment(home)
    )
    told = [json.loads(line[5:]) for line in done.stdout.splitlines() if line[:5] == "told:"]
    assert len(told) == len(asked), done.stderr[-3000:]
    return told


@pytest.fixture(scope="module")
def hub():
    """A Hub with the repositories above."""
    with fake_hub.serve() as served:
        for name, files in REPOSITORIES.items():
            served.add("dataset", name, files)
        yield served


@pytest.fixture(scope="module")
def online(hub, tmp_path_factory):
    """What each request gives online, by repository and request as JSON."""
    asked = [(name, one) for name, every in REQUESTS.items() for one in every]
    told = _load_online(hub, tmp_path_factory.mktemp("online"), asked)
    given = {(name, json.dumps(one)): rows for (name, one), rows in zip(asked, told)}
    # `datasets` compares it with the number of rows of all files.
    chosen = "z/folded", json.dumps({"data_files": "f0/*"})
    assert "NonMatchingSplitsSizesError" in given[chosen]["error"]
    given[chosen] = {"train": [f"f0/train.jsonl {row}" for row in range(3)]}
    return given


@pytest.fixture(scope="module")
def fill(hub, tmp_path_factory):
    """Returns a cache of one of the names above; each is filled once."""
    made: dict[str, pathlib.Path] = {}

    def fill_one(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("filled")
            if kind in _PLAIN:
                told = _load_online(hub, folder / "cache", _PLAIN[kind])
                assert not [one for one in told if "error" in one], told
            else:
                (folder / "spec.yaml").write_text(_SPECS[kind])
                done = offline_children.run_script(
                    "precache.py", f"--cache_dir={folder / 'cache'}",
                    f"--spec={folder / 'spec.yaml'}", "--no_verify",
                    environment=hub.environment(folder / "home"),
                )  # fmt: skip
                assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            made[kind] = folder / "cache"
        return made[kind]

    return fill_one


def _load_offline(root, name, options, *, streaming):
    try:
        found = load_dataset(name, cache_dir=root, streaming=streaming, **options)
    except errors.InputError as error:
        return {"error": str(error)}
    splits = found if isinstance(found, dict) else {"the only one": found}
    try:
        return {str(split): [row["text"] for row in rows] for split, rows in splits.items()}
    except Exception as error:
        # A stream of files that are none: online as well.
        return {"error": str(error)}


def _compare(root, online):
    """Returns what was returned as online, and what otherwise."""
    same, other = [], []
    for name, every in REQUESTS.items():
        for options in every:
            wanted = online[name, json.dumps(options)]
            for streaming in (False, True):
                if streaming and "[" in str(options.get("split")):
                    # Streams are not cut by numbers, online as well.
                    continue
                found = _load_offline(root, name, options, streaming=streaming)
                if "error" in found:
                    continue
                (same if found == wanted else other).append((name, options, streaming, found))
    return same, other


_SPELLED = """
from datasets import load_dataset
load_dataset("z/foo_bar")
load_dataset("z/plain")
"""


def test_a_repository_of_another_spelling_is_not_read(tmp_path):
    """`datasets` calls the folders of both `z___foo_bar`."""
    home = tmp_path / "home"
    with fake_hub.serve() as hub:
        for name in ("z/foo_bar", "z/fooBar", "z/plain"):
            hub.add("dataset", name, {"train.jsonl": _rows(name)})
        done = offline_children.run_python(_SPELLED, environment=hub.environment(home))
        assert done.returncode == 0, done.stderr[-2000:]
        other = _load_offline(home, "z/fooBar", {}, streaming=False)
        # The datasets of some versions says whose files it read.
        assert re.search("of another spelling|of the repository z/foo_bar", other["error"])
        found = _load_offline(home, "z/foo_bar", {}, streaming=False)
        assert found == {"train": [f"z/foo_bar {row}" for row in range(3)]}
        done = offline_children.run_python(
            _SPELLED.replace("foo_bar", "fooBar"), environment=hub.environment(home)
        )
        assert done.returncode == 0, done.stderr[-2000:]
    for name in ("z/foo_bar", "z/fooBar"):
        found = _load_offline(home, name, {}, streaming=False)
        assert found == {"train": [f"{name} {row}" for row in range(3)]}
    shutil.rmtree(home / "hub")
    # Where nothing says any more whose rows these are, they are nobody's.
    left = _load_offline(home, "z/foo_bar", {}, streaming=False)
    assert "error" in left or left == {"train": [f"z/foo_bar {row}" for row in range(3)]}
    rows = load_dataset("z/plain", cache_dir=home / "datasets", split="train")
    assert list(rows["text"]) == [f"z/plain {row}" for row in range(3)]


def test_a_snapshot_of_which_nobody_says_anything_is_read_with_a_note(tmp_path):
    plain_caches.put_files(tmp_path, REPOSITORIES["z/many"], name="z/many")
    for chosen in ({}, {"data_files": "d*/*"}, {"data_dir": "d0"}):
        found = load.find_dataset("z/many", cache_dir=tmp_path, **chosen)
        assert found.place == load.SNAPSHOT
        assert "no record says whether" in found.note
    named = load.find_dataset("z/many", cache_dir=tmp_path, data_files="d0/p0.jsonl")
    assert named.note == ""
    with pytest.raises(errors.InputError, match=r"no file of it matches 'd9/\*'"):
        load_dataset("z/many", data_files=["d0/*", "d9/*"], cache_dir=tmp_path)


def test_a_snapshot_without_all_configurations_of_its_readme_takes_no_patterns(tmp_path):
    files = {path: text for path, text in REPOSITORIES["z/cards"].items() if path[:2] != "b/"}
    plain_caches.put_files(tmp_path, files, name="z/cards")
    with pytest.raises(errors.InputError, match="it has no files of the configuration b"):
        load_dataset("z/cards", data_files="**/1.jsonl", cache_dir=tmp_path)


@pytest.mark.parametrize("kind", [*_SPECS, *_PLAIN])
def test_what_is_returned_offline_has_the_rows_that_the_hub_gives(kind, fill, online):
    same, other = _compare(fill(kind), online)
    assert other == []
    found = [(name, options) for name, options, streaming, _ in same if not streaming]
    assert [one for one in _FOUND.get(kind, ()) if one not in found] == []


def test_of_a_whole_cache_everything_is_returned(fill, online):
    same, _ = _compare(fill("whole"), online)
    found = [(name, options) for name, options, streaming, _ in same if not streaming]
    wanted = [
        (name, options)
        for name, every in REQUESTS.items()
        for options in every
        if "error" not in online[name, json.dumps(options)]
    ]
    lacking = [one for one in wanted if one not in found]
    # Of a repository that lists configurations, what belongs to none of them is not fetched.
    assert {name for name, _ in lacking} <= {"z/cards"}
    assert len(lacking) <= 4, lacking


def test_old_records_that_do_not_list_the_repository_are_read_with_care(fill, online, tmp_path):
    for kind in ("one part", "two parts", "patterns", "whole"):
        root = tmp_path / kind
        shutil.copytree(fill(kind), root, symlinks=True)
        for _, record in list(records.list_records(CacheRoot(root))):
            assert record.others is not None
            old = dataclasses.replace(record, others=None)
            records.write_record(CacheRoot(root), old)
        same, other = _compare(root, online)
        assert other == []
        assert same != []


def test_a_damaged_record_does_not_make_a_part_of_a_repository_whole(fill, online, tmp_path):
    root = shutil.copytree(fill("one part"), tmp_path / "root", symlinks=True)
    for path in root.glob("artifacts/*/manifest.json"):
        path.write_text("{")
    _, other = _compare(root, online)
    assert other == []


def test_without_arrow_files_the_snapshots_are_read_with_the_same_care(fill, online, tmp_path):
    for kind in ("one part", "two parts", "patterns"):
        root = tmp_path / kind
        shutil.copytree(fill(kind), root, symlinks=True)
        shutil.rmtree(root / "datasets")
        same, other = _compare(root, online)
        assert other == []
        assert same != []


def test_a_cache_whose_path_has_the_characters_of_patterns_is_read(fill, online, tmp_path):
    root = tmp_path / "a [1] * and ?"
    shutil.copytree(fill("whole"), root, symlinks=True)
    shutil.rmtree(root / "datasets")
    before = sorted(os.listdir(tmp_path))
    same, other = _compare(root, online)
    assert other == []
    assert {streaming for *_, streaming, _ in same} == {False, True}
    assert ("z/many", {"data_files": "d*/*"}) in [one[:2] for one in same]
    assert load.find_dataset("z/many", cache_dir=root).place == load.SNAPSHOT
    assert sorted(os.listdir(tmp_path)) == before
