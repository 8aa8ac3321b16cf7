from __future__ import annotations

import hashlib
import itertools
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from code_t5 import errors, parallel
from code_t5.storage import tfrecords
from preprocessing import records, splits
from preprocessing.leaks import held_out_index, lookup, measure


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _write(
    folder: pathlib.Path, texts: Mapping[str, Sequence[str]], *, per_shard: int = 7
) -> list[records.Shard]:
    written = []
    for split, members in texts.items():
        for start in range(0, len(members), per_shard):
            framed = b"".join(
                tfrecords.frame_record(
                    tfrecords.encode_example(
                        {"text": text.encode("utf-8"), "content_hash": _name(text).encode("ascii")}
                    )
                )
                for text in members[start : start + per_shard]
            )
            name = f"flcc-{split}-{start}"
            (folder / name).write_bytes(framed)
            num_examples = len(members[start : start + per_shard])
            written.append(records.Shard(split, name, num_examples, len(framed), ""))
    return written


def _measure(
    folder: pathlib.Path, texts: Mapping[str, Sequence[str]], **options: Any
) -> measure.LeakReport:
    shards = _write(folder, texts)
    options = {"threshold": 0.7, "pool": parallel.WorkerPool(1), **options}
    return measure.measure_leaks(shards, dataset_dir=folder, work_dir=folder, **options)


def _words(start: int, stop: int) -> str:
    return " ".join(f"w{number}" for number in range(start, stop))


def _ngrams(text: str, size: int) -> set[tuple[str, ...]]:
    found = re.findall(r"\w+", text)
    return set(zip(*(found[place:] for place in range(size))))


def _jaccard(first: str, second: str) -> float:
    a, b = _ngrams(first, 5), _ngrams(second, 5)
    return len(a & b) / len(a | b) if a | b else 0.0


def _expected(texts: Mapping[str, Sequence[str]], threshold: float) -> list[dict[str, Any]]:
    """All pairs of texts, compared one by one."""
    lines = []
    for first, second in itertools.combinations([s for s in splits.SPLITS if texts.get(s)], 2):
        earlier = set(texts[first])
        grams = [set().union(*(_ngrams(t, 13) for t in texts[s])) for s in (first, second)]
        near = [any(_jaccard(a, b) >= threshold and a != b for a in earlier) for b in texts[second]]
        shared = len(grams[0] & grams[1])
        lines.append(
            {
                "first": first,
                "second": second,
                "exact": sum(text in earlier for text in texts[second]),
                "near": sum(near),
                "ngram_size": 13,
                "first_ngrams": len(grams[0]),
                "first_ngrams_estimated": False,
                "second_ngrams": len(grams[1]),
                "shared_ngrams": shared,
                "share_of_second": shared / max(1, len(grams[1])),
            }
        )
    return lines


def _random_texts(seed: int) -> dict[str, list[str]]:
    """Texts cut from a few sources and edited, so that similarities of all sizes occur."""
    rng = np.random.default_rng(seed)
    header = _words(1000, 1030)
    sources = [[f"t{rng.integers(200)}" for _ in range(80)] for _ in range(6)]

    def text() -> str:
        words = list(sources[rng.integers(6)][: [3, 20, 50, 60, 80][rng.integers(5)]])
        for _ in range(rng.choice([0, 0, 1, 2, 3])):
            words[rng.integers(len(words))] = f"e{rng.integers(20)}"
        start = header if rng.random() < 0.5 else ""
        return f"{start}\n" + rng.choice([" ", ".", " = "]).join(words)

    sizes = {"train": 60, "validation": 20, "test": 20}
    return {split: list({text(): None for _ in range(size)}) for split, size in sizes.items()}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [0.3, 0.7, 1.0])
def test_measures_what_comparing_all_pairs_does(tmp_path, seed, threshold):
    texts = _random_texts(seed)
    report = _measure(tmp_path, texts, threshold=threshold)
    expected = _expected(texts, threshold)
    assert sum(line["near"] for line in expected) > 0
    assert report.as_json() == {"threshold": threshold, "pairs": expected}
    by_name = {_name(text): text for members in texts.values() for text in members}
    for pair in report.near_pairs:
        members = by_name[pair.content_hash_first], by_name[pair.content_hash_second]
        assert pair.jaccard == _jaccard(*members)


@pytest.mark.parametrize("max_part_ngrams", [40, 150, 900])
def test_small_memory_gives_the_same_numbers(tmp_path, monkeypatch, max_part_ngrams):
    texts = _random_texts(5)
    expected = _measure(tmp_path, texts, threshold=0.5)
    monkeypatch.setattr(lookup, "_MAX_EXPANDED", 3)
    found = _measure(tmp_path, texts, threshold=0.5, max_part_ngrams=max_part_ngrams)
    assert found == expected
    assert len(found.near_pairs) > 20


def test_workers_and_the_order_of_shards_change_nothing(tmp_path):
    texts = _random_texts(6)
    expected = _measure(tmp_path, texts)
    shards = _write(tmp_path, texts)[::-1]
    with parallel.WorkerPool(2) as pool:
        found = measure.measure_leaks(shards, dataset_dir=tmp_path, threshold=0.7, pool=pool)
    assert found == expected
    assert not list(tmp_path.glob("leaks-*"))


def test_pairs_around_the_threshold_are_told_apart(tmp_path):
    # n words are n - 4 5-grams: 14 of 20 is the threshold, 14 of 21 is less.
    train = [_words(0, 24), _words(100, 125)]
    test = [_words(0, 18), _words(100, 118)]
    report = _measure(tmp_path, {"train": train, "test": test})
    assert report.near_pairs == (
        measure.NearPair(_name(train[0]), _name(test[0]), "train", "test", 0.7),
    )


def test_exact_copies_are_counted_however_short(tmp_path):
    texts = {"train": ["a b", _words(0, 40)], "validation": ["a b"], "test": [_words(0, 40)]}
    report = _measure(tmp_path, texts)
    exact = {(pair.first, pair.second): pair.exact for pair in report.pairs}
    assert exact == {("train", "validation"): 1, ("train", "test"): 1, ("validation", "test"): 0}
    assert [pair.near for pair in report.pairs] == [0, 0, 0]
    assert report.near_pairs == ()


def test_texts_with_the_same_tokens_are_near_copies(tmp_path):
    first, second = "a = b + c\nd(e)", "a=b+c;d(e)"
    report = _measure(tmp_path, {"train": [first], "test": [second]})
    assert report.near_pairs == (
        measure.NearPair(_name(first), _name(second), "train", "test", 1.0),
    )


def test_what_is_shared_within_a_split_does_not_leak(tmp_path):
    members = [_words(0, 40), _words(0, 41), _words(0, 42)]
    report = _measure(tmp_path, {"train": [_words(100, 150)], "test": members})
    assert [(pair.exact, pair.near, pair.shared_ngrams) for pair in report.pairs] == [(0, 0, 0)]


def test_a_header_in_every_text_is_no_leak_and_hides_none(tmp_path):
    header = _words(0, 60)
    train = [f"{header} {_words(1000 * i, 1000 * i + 70)}" for i in range(1, 60)]
    test = [f"{header} {_words(1000 * i, 1000 * i + 70)}" for i in range(60, 120)]
    test.append(f"{train[7]} one more")
    report = _measure(tmp_path, {"train": train, "test": test})
    assert [pair.near for pair in report.pairs] == [1]
    assert report.near_pairs[0].content_hash_first == _name(train[7])
    # 48 of the header; the last text's other 70, less those that end in the two new words.
    assert report.pairs[0].shared_ngrams == 48 + 70


def test_a_text_of_nothing_but_common_ngrams_is_found(tmp_path):
    # The header's 14 5-grams are in 12 texts, too common to be indexed, and make 14 of 20.
    header = _words(0, 18)
    test = [f"{header} {_words(1000 * i, 1000 * i + 6)}" for i in range(1, 13)]
    report = _measure(tmp_path, {"train": [header], "test": test})
    assert report.pairs[0].near == 12
    assert {pair.jaccard for pair in report.near_pairs} == {0.7}


def test_parts_hold_every_text_once_and_no_more_ngrams_than_asked_for(tmp_path):
    texts = [_words(0, 4 + count) for count in (3, 5, 2, 9, 1, 1, 1)]
    prepared = [
        held_out_index.prepare_shard(
            (shard.split, shard.name), dataset_dir=str(tmp_path), work_dir=str(tmp_path)
        )
        for shard in _write(tmp_path, {"test": texts}, per_shard=3)
    ]
    parts = held_out_index.plan_parts(prepared, max_ngrams=8)
    assert [(part.first_text, part.stop_text) for part in parts] == [(0, 2), (2, 3), (3, 4), (4, 7)]
    assert (parts[0].long_start, parts[-1].long_stop) == (0, 1 << 64)
    assert [part.long_start for part in parts[1:]] == [part.long_stop for part in parts[:-1]]


def test_every_near_copy_counts_but_only_the_nearest_are_listed(tmp_path):
    test = [f"{_words(0, 200)} {_words(300, 300 + i)}" for i in range(1, 21)]
    report = _measure(tmp_path, {"train": [_words(0, 200)], "test": test})
    assert report.pairs[0].near == 20
    assert [pair.content_hash_second for pair in report.near_pairs] == [_name(t) for t in test[:8]]


def test_one_split_leaks_nowhere(tmp_path):
    assert _measure(tmp_path, {"train": ["a b c d e f"]}).as_json() == {
        "threshold": 0.7,
        "pairs": [],
    }


def test_large_splits_get_an_estimate_close_to_the_truth(tmp_path, monkeypatch):
    texts = {"train": [_words(i, i + 400) for i in range(0, 20_000, 380)], "test": ["a b c d e"]}
    true = len(set().union(*(_ngrams(text, 13) for text in texts["train"])))
    monkeypatch.setattr(measure, "_EXACT_COUNT_BYTES", 20_000)
    pair = _measure(tmp_path, texts).pairs[0]
    assert pair.first_ngrams_estimated
    assert pair.first_ngrams != true
    assert pair.first_ngrams == pytest.approx(true, rel=0.1)


@pytest.mark.parametrize("threshold", [0, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(tmp_path, threshold):
    with pytest.raises(errors.InputError, match="wanted a number above 0 and at most 1"):
        _measure(tmp_path, {"train": ["a"], "test": ["b"]}, threshold=threshold)


def test_a_damaged_shard_is_refused(tmp_path):
    shards = _write(tmp_path, {"train": ["a b c d e f"], "test": ["g h i j k l"]})
    path = tmp_path / shards[0].name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(errors.ArtifactError, match="is damaged"):
        measure.measure_leaks(
            shards, dataset_dir=tmp_path, threshold=0.7, pool=parallel.WorkerPool(1)
        )


def _pair(first: str, second: str, sides: str, jaccard: float = 0.8) -> measure.NearPair:
    names = {"r": "train", "v": "validation", "t": "test"}
    return measure.NearPair(first, second, names[sides[0]], names[sides[1]], jaccard)


def test_the_less_held_out_side_is_dropped_for_its_nearest_partner():
    pairs = [_pair("a", "x", "rv", 0.8), _pair("a", "y", "rt", 0.9), _pair("b", "y", "rt")]
    assert measure.choose_drops(pairs) == {"a": "y", "b": "y"}
    assert measure.choose_drops(reversed(pairs)) == {"a": "y", "b": "y"}


def test_nothing_is_dropped_for_what_is_dropped_itself():
    pairs = [_pair("a", "x", "rv", 0.9), _pair("x", "y", "vt"), _pair("b", "x", "rv")]
    assert measure.choose_drops(pairs) == {"x": "y"}
    assert measure.choose_drops([*pairs, _pair("a", "z", "rt", 0.7)]) == {"x": "y", "a": "z"}


def test_after_the_drops_nothing_leaks(tmp_path):
    texts = _random_texts(7)
    drops = measure.choose_drops(_measure(tmp_path, texts).near_pairs)
    assert drops
    left = {s: [t for t in members if _name(t) not in drops] for s, members in texts.items()}
    assert set(drops.values()) <= {_name(text) for members in left.values() for text in members}
    assert [line["near"] for line in _expected(left, 0.7)] == [0, 0, 0]
    assert _measure(tmp_path, left).near_pairs == ()


def test_the_report_file_holds_the_numbers(tmp_path):
    report = {**_measure(tmp_path, _random_texts(8)).as_json(), "num_dropped": 3}
    measure.write_leak_report(tmp_path / "leak_report.json", report)
    text = (tmp_path / "leak_report.json").read_text()
    assert json.loads(text) == report
    assert text.index('"num_dropped"') < text.index('"pairs"') < text.index('"threshold"')
