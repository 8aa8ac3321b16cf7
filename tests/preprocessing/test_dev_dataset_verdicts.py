"""The bundled data set through the whole build: every planned oddity gets its planned verdict."""

from __future__ import annotations

import pytest

from code_t5.storage import tfrecords
from preprocessing import build, build_config, dev_dataset, ledger


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The report, the ledger and the examples of the bundled data set, all languages."""
    folder = tmp_path_factory.mktemp("bundled")
    dev_dataset.materialize(folder / "in")
    config = build_config.BuildConfig(
        input_dir=str(folder / "in"),
        data_dir=str(folder / "data"),
        name="bundled",
        languages=("all",),
        num_workers=2,
        vocabulary=build_config.VocabularyConfig(vocab_size=1000),
    )
    report = build.build_dataset(config, build.StageClock())
    final = build_config.dataset_dir(config.data_dir, config.name)
    examples = [
        tfrecords.decode_example(data)
        for path in sorted(final.glob("flcc-*"))
        for data in tfrecords.read_records(path)
    ]
    return report, ledger.read_rows(final / "ledger.parquet"), examples


_EXTENSIONS = {"Python": ".py", "Java": ".java", "JavaScript": ".js"}


def _key(row: dict) -> str:
    extension = _EXTENSIONS[row["language"]]
    folder = f"{row['language']}/{extension}/{row['repository']}/{row['branch']}"
    return f"{folder}/{row['flat_name']}"


def test_every_planned_oddity_gets_its_verdict_and_every_other_file_is_kept(built):
    _, rows, _ = built
    found = {_key(row): row["verdict"] for row in rows}
    planned = dev_dataset.planned_verdicts()
    assert set(planned) <= set(found)
    assert found == {name: planned.get(name, "kept") for name in found}
    assert len(found) == len(rows) == 108


def test_counts_add_up(built):
    report, rows, examples = built
    assert sum(report["files_by_verdict"].values()) == report["num_files"] == len(rows)
    assert len(examples) == report["files_by_verdict"]["kept"]
    assert set(report["splits"]) == {"train", "validation", "test"}


def test_no_file_differs_after_encoding_and_decoding(built):
    report, _, examples = built
    assert report["lossless"] == {"num_texts": len(examples), "num_differing": 0}


def test_odd_characters_survive_in_the_records(built):
    _, _, examples = built
    texts = b"".join(example["text"] for example in examples)
    for odd in ("\u010a", "\u2581", "<extra_id_0>", "\x00", "\t", "</s>"):
        assert odd.encode() in texts
    assert b"\r" not in texts
    assert not any(example["text"].startswith(b"\xef\xbb\xbf") for example in examples)


def test_both_branches_are_read_and_no_path_leaves_its_repository(built):
    _, rows, _ = built
    branches = {row["branch"] for row in rows if row["repository"] == "Aster/lanternfall"}
    assert branches == {"develop", "master"}
    assert not [row for row in rows if ".." in row["path"].split("/")]


def test_what_is_wrong_with_paths_json_is_reported(built):
    report, _, _ = built
    problems = "\n".join(report["problems"])
    assert "../../outside.py" in problems
    assert "vanished_99.py" in problems
