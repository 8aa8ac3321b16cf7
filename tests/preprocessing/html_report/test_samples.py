from __future__ import annotations

import pyarrow as pa
from pyarrow import parquet

from preprocessing.html_report import samples


def test_clusters_show_the_kept_copy_beside_a_dropped_one(built):
    chosen = samples.choose_samples(built.ledger_path, built.texts.get)
    assert len(chosen.clusters) == samples.MAX_CLUSTERS
    sizes = [one.num_files for one in chosen.clusters]
    assert sizes == sorted(sizes, reverse=True)
    by_name = {f"{row['repository']}/{row['path']}": row for row in built.rows}
    for one in chosen.clusters:
        left, right = by_name[one.left_name], by_name[one.right_name]
        assert (left["verdict"], right["verdict"]) == ("kept", "near_duplicate")
        assert right["duplicate_of"] == left["file_id"]
        assert {left["cluster_id"], right["cluster_id"]} == {one.cluster_id}
        assert one.left_text == built.texts[left["file_id"]]
        assert one.right_text == built.texts[right["file_id"]]
        members = [row for row in built.rows if row.get("cluster_id") == one.cluster_id]
        assert one.num_files == len(members)


def test_the_largest_cluster_is_among_them(built):
    sizes = {}
    for row in built.rows:
        if row.get("cluster_id") is not None:
            sizes[row["cluster_id"]] = sizes.get(row["cluster_id"], 0) + 1
    chosen = samples.choose_samples(built.ledger_path, built.texts.get)
    assert chosen.clusters[0].num_files == max(sizes.values())


def test_every_language_has_its_turn(built):
    chosen = samples.choose_samples(built.ledger_path, built.texts.get)
    assert len(chosen.kept) == samples.MAX_KEPT
    assert {one.language for one in chosen.kept[:3]} == {"Python", "C++", "<b>Evil</b>"}
    assert {one.split for one in chosen.kept} <= {"train", "validation", "test"}


def test_the_choice_does_not_depend_on_how_the_ledger_was_written(built, tmp_path):
    path = tmp_path / "ledger.parquet"
    parquet.write_table(parquet.read_table(built.ledger_path), path, row_group_size=13)
    first = samples.choose_samples(built.ledger_path, built.texts.get)
    assert samples.choose_samples(path, built.texts.get) == first


def test_texts_that_cannot_be_had_are_passed_over(built):
    whole = samples.choose_samples(built.ledger_path, built.texts.get)
    missing = {one.right_text for one in whole.clusters[:3]} | {one.text for one in whole.kept[:2]}

    def read_text(file_id):
        text = built.texts.get(file_id)
        return None if text in missing else text

    chosen = samples.choose_samples(built.ledger_path, read_text)
    assert not missing & {one.right_text for one in chosen.clusters}
    assert not missing & {one.text for one in chosen.kept}
    assert len(chosen.kept) == samples.MAX_KEPT
    assert samples.choose_samples(built.ledger_path, lambda _: None) == samples.Samples()


def test_only_texts_that_may_be_shown_are_asked_for(built):
    asked = []
    samples.choose_samples(built.ledger_path, lambda file_id: asked.append(file_id))
    verdicts = {built.rows[file_id]["verdict"] for file_id in asked}
    assert verdicts <= {"kept", "near_duplicate"}
    assert len(asked) < 100


def test_an_empty_ledger_has_no_samples(built, tmp_path):
    path = tmp_path / "ledger.parquet"
    schema = parquet.read_schema(built.ledger_path)
    parquet.write_table(pa.Table.from_pylist([], schema), path)
    assert samples.choose_samples(path, built.texts.get) == samples.Samples()
