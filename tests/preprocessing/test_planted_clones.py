"""A corpus of 50 repositories with planted clones ends with no clone across splits."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import clone_corpus
import pytest

from code_t5.storage import tfrecords
from preprocessing import build, build_config, ledger, splits
from preprocessing.dedup import near
from preprocessing.leaks import measure

_WIDE = splits.SplitConfig(0.2, 0.2)
_NO_NEAR_DUP = near.NearDupConfig(enabled=False)
# Options of each build, beside the input.
_BUILDS = {
    "usual": {},
    "workers": {"num_workers": 2},
    "wide": {"splits": _WIDE},
    "copies": {"near_duplicates": _NO_NEAR_DUP},
    "copies_workers": {"near_duplicates": _NO_NEAR_DUP, "num_workers": 2},
    "copies_wide": {"near_duplicates": _NO_NEAR_DUP, "splits": _WIDE},
}
_SPLIT_SIZES = ("usual", "wide", "copies", "copies_wide")


@dataclasses.dataclass(frozen=True)
class _Built:
    """One finished build: its report, its folder, ledger and texts read back."""

    report: dict
    folder: pathlib.Path
    rows: dict
    texts: dict


@pytest.fixture(scope="module")
def corpus():
    return clone_corpus.make_corpus()


@pytest.fixture(scope="module")
def build_fn(corpus, tmp_path_factory):
    """Builds with some options, once, every time with the same vocabulary and another data set."""
    root = tmp_path_factory.mktemp("clones")
    clone_corpus.write_corpus(corpus, root / "in")
    done = {}

    def run(name):
        if name not in done:
            done[name] = _build(root, name)
        return done[name]

    return run


def _build(root: pathlib.Path, name: str) -> _Built:
    options = {"num_workers": 1, **_BUILDS[name]}
    config = build_config.BuildConfig(
        input_dir=str(root / "in"),
        # One name for all: it is in the report.
        data_dir=str(root / name),
        name="clones",
        vocabulary=build_config.VocabularyConfig(vocab_size=400, max_sample_bytes=100_000),
        **options,
    )
    report = build.build_dataset(config, clock=build.StageClock())
    folder = build_config.dataset_dir(config.data_dir, config.name)
    rows = {
        (row["repository"], row["path"]): row for row in ledger.read_rows(folder / "ledger.parquet")
    }
    texts: dict[str, list[bytes]] = {}
    for path in sorted(folder.glob("flcc-*.tfrecord-*")):
        side = texts.setdefault(path.name.split(".")[0].split("-")[1], [])
        side += [tfrecords.decode_example(data)["text"] for data in tfrecords.read_records(path)]
    return _Built(report, folder, rows, texts)


def test_the_corpus_is_full_of_clones_before_it_is_built(corpus):
    found = clone_corpus.find_clones(corpus.by_repository())
    assert len(corpus.by_repository()) == 50
    assert len([pair for pair in found if pair.similarity == 1]) >= 50 * 49 // 2 + 4 + 12
    edited = sorted(pair.similarity for pair in found if pair.similarity < 1)
    assert 0.7 <= edited[0] < 0.74 and 0.94 <= edited[-1] < 1
    assert len(edited) >= len(clone_corpus.SIMILARITIES) + 12 + 8
    kinds = {kind: len(corpus.paths_of(kind)) for kind in ("vendored", "patched", "fork", "own")}
    assert kinds == {"vendored": 50, "patched": 20, "fork": 24, "own": 164}


@pytest.mark.parametrize("name", _SPLIT_SIZES)
def test_no_clone_stands_in_two_splits(build_fn, name):
    built = build_fn(name)
    assert set(built.texts) == {"train", "validation", "test"}
    assert clone_corpus.find_clones(built.texts) == []


@pytest.mark.parametrize("name", _SPLIT_SIZES)
def test_the_leak_report_counts_no_clone(build_fn, name):
    built = build_fn(name)
    written = json.loads((built.folder / "leak_report.json").read_bytes())
    pairs = {(pair["first"], pair["second"]): pair for pair in written["pairs"]}
    assert len(pairs) == 3
    assert {(pair["exact"], pair["near"]) for pair in pairs.values()} == {(0, 0)}
    assert built.report["leaks"]["pairs"] == written["pairs"]


def test_clones_that_nobody_drops_are_measured(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "choose_drops", lambda pairs: {})
    clone_corpus.write_corpus(corpus, tmp_path / "in")
    built = _build(tmp_path, "copies_wide")
    clones = clone_corpus.find_clones(built.texts)
    assert len(clones) >= 20
    for pair in built.report["leaks"]["pairs"]:
        sides = {pair["first"], pair["second"]}
        # Sides stand by name in a clone; in the report train comes first and test last.
        leaking = {
            clone.first_place if clone.first == pair["second"] else clone.second_place
            for clone in clones
            if {clone.first, clone.second} == sides
        }
        assert pair["near"] == len(leaking) > 0
        sets = [
            set().union(*(clone_corpus.token_ngrams(text, 13) for text in built.texts[pair[side]]))
            for side in ("first", "second")
        ]
        numbers = [pair["first_ngrams"], pair["second_ngrams"], pair["shared_ngrams"]]
        assert numbers == [*map(len, sets), len(sets[0] & sets[1])]


@pytest.mark.parametrize("name", ["usual", "wide"])
def test_of_every_set_of_clones_one_file_is_left(build_fn, corpus, name):
    built = build_fn(name)
    kept = [text for side in built.texts.values() for text in side]
    assert clone_corpus.find_clones({str(i): [text] for i, text in enumerate(kept)}) == []
    for kind in ("vendored", "patched"):
        verdicts = [built.rows[file]["verdict"] for file in corpus.paths_of(kind)]
        assert verdicts.count("kept") == 1
    for file, row in built.rows.items():
        assert row["verdict"] in ("kept", "exact_duplicate", "near_duplicate"), file
        if row["verdict"] != "kept":
            kept_row = next(r for r in built.rows.values() if r["file_id"] == row["duplicate_of"])
            assert kept_row["verdict"] == "kept"
            assert kept_row["cluster_id"] == row["cluster_id"]


@pytest.mark.parametrize("name", _SPLIT_SIZES)
def test_files_without_clones_are_all_kept(build_fn, corpus, name):
    rows = build_fn(name).rows
    assert {rows[file]["verdict"] for file in corpus.paths_of("own")} == {"kept"}
    assert {rows[file]["cluster_id"] for file in corpus.paths_of("own")} == {None}


@pytest.mark.parametrize("name", _SPLIT_SIZES)
def test_the_vendored_file_does_not_join_all_repositories(build_fn, name):
    groups = build_fn(name).report["repository_groups"]
    assert groups["num_repositories"] == 50
    assert groups["largest_group"]["num_repositories"] <= 10
    assert groups["num_groups"] >= 15
    assert groups["cut"]["num_clusters"] >= 1
    assert groups["cut"]["num_copies"] >= 40


@pytest.mark.parametrize("name", _SPLIT_SIZES)
def test_a_fork_stands_where_its_original_stands(build_fn, corpus, name):
    sides = {}
    for (repository, _), row in build_fn(name).rows.items():
        if row["split"]:
            sides.setdefault(repository, set()).add(row["split"])
    assert {len(found) for found in sides.values()} == {1}
    assert len(corpus.forks) == 6
    apart = [pair for pair in corpus.forks.items() if sides[pair[0]] != sides[pair[1]]]
    assert apart == []


@pytest.mark.parametrize("name", ["copies", "copies_wide"])
def test_without_near_dedup_edited_copies_stay_on_their_own_side(build_fn, corpus, name):
    built = build_fn(name)
    assert built.report["near_duplicates"]["enabled"] is False
    verdicts = {row["verdict"] for row in built.rows.values()}
    assert "near_duplicate" not in verdicts
    within = {f"{side} {i}": [t] for side, ts in built.texts.items() for i, t in enumerate(ts)}
    assert len(clone_corpus.find_clones(within)) >= 10
    assert ("split_leak" in verdicts) == (name == "copies_wide")
    num_dropped = [row["verdict"] for row in built.rows.values()].count("split_leak")
    assert built.report["leaks"]["num_dropped"] == num_dropped


@pytest.mark.parametrize(("one", "two"), [("usual", "workers"), ("copies", "copies_workers")])
def test_two_workers_write_the_same_bytes(build_fn, one, two):
    trees = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        for folder in (build_fn(one).folder, build_fn(two).folder)
    ]
    assert len(trees[0]) >= 6
    assert trees[0] == trees[1]
