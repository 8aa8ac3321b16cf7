"""Outputs are opened at once, read at any place, and refused if they are not what was wanted."""

from __future__ import annotations

import json
import os
import pickle
import threading

import numpy as np
import pytest
from refusals import assert_refused
from small_teacher_outputs import SCHEMA, small_plan, small_sample, write_small

from code_t5.encoding.ragged import Ragged
from code_t5.storage import manifest
from code_t5.teacher_outputs import reader
from code_t5.teacher_outputs.reader import open_outputs
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.writer import OutputsWriter

_MEND = "python scripts/make.py --output outputs"


@pytest.fixture(name="outputs")
def _outputs(tmp_path):
    return write_small(tmp_path / "outputs")


def _open(outputs, **options):
    return open_outputs(outputs.path, mend=_MEND, **options)


def test_samples_are_views_of_the_map(outputs):
    sample = outputs[5]
    assert sample["ids"].tolist() == small_sample(5)["ids"].tolist()
    assert not sample["x"].flags.owndata and not sample["x"].flags.writeable
    assert (sample["f0"].shape, float(sample["f0"])) == ((), 445.0)
    with pytest.raises(ValueError, match="read-only"):
        sample["x"][0] = 1


def test_samples_are_counted_as_lists_are(outputs):
    assert outputs[-1]["f0"] == outputs[np.int64(9)]["f0"] == 449
    assert [float(sample["f0"]) for sample in outputs] == [440.0 + n for n in range(10)]
    for index in (10, -11):
        with pytest.raises(IndexError, match=f"sample {index} of 10"):
            outputs[index]
    assert_refused(lambda: outputs[1.0], match="index of a sample is 1.0")
    assert_refused(lambda: outputs[[1]], match=r"index of a sample is \[1\]")


@pytest.mark.parametrize("indexes", [[7], [9, 0, 5, 9, 1], list(range(10)), [4, 5], []])
def test_many_samples_are_read_at_once(outputs, indexes):
    found = outputs.read(indexes)
    samples = [small_sample(number) for number in indexes]
    assert found["x"].shape == (len(indexes), 5, 1)
    for place, sample in enumerate(samples):
        for field in SCHEMA.fields:
            column = found[field.name]
            row = column.row(place) if field.is_ragged else column[place]
            assert row.tolist() == np.asarray(sample[field.name]).tolist()
    for field in SCHEMA.fields:
        column = found[field.name]
        values = column.values if isinstance(column, Ragged) else column
        assert values.dtype == field.numpy_dtype
        assert values.shape[values.ndim - len(field.row_shape) :] == field.row_shape
        assert values.flags.writeable


def test_long_rows_are_read_as_short_ones_are(tmp_path):
    schema = OutputSchema(
        (ArrayField("x", "float64", (100,)), ArrayField("y", "int32", (None, 50), "rows"))
    )
    plan = small_plan(schema=schema)

    def sample(number):
        rng = np.random.default_rng(number)
        return {"x": rng.normal(size=100), "y": rng.integers(0, 99, size=(number, 50))}

    with OutputsWriter(tmp_path / "outputs", plan=plan) as writer:
        for index in range(3):
            writer.write_shard(index, map(sample, plan.samples_of(index)))
        outputs = writer.publish()
    found = outputs.read([9, 0, 3, 9])
    for place, number in enumerate([9, 0, 3, 9]):
        assert found["x"][place].tolist() == sample(number)["x"].tolist()
        assert found["y"].row(place).tolist() == sample(number)["y"].tolist()
    found["x"][0] = 0
    assert outputs[9]["x"].tolist() == sample(9)["x"].tolist()
    assert outputs.read([0])["y"].values.shape == (0, 50)


def test_arrays_lie_where_tensorflow_takes_them_without_a_copy(outputs):
    found = outputs.read([5, 8])
    for array in (found["x"], found["f0"], found["ids"].values, found["text"].values):
        assert array.ctypes.data % 64 == 0 and array.flags.c_contiguous


def test_some_fields_alone_are_read(outputs):
    assert list(outputs.read([1], ["f0"])) == ["f0"]
    assert_refused(lambda: outputs.read([1], ["no"]), match="no field 'no'")
    with pytest.raises(IndexError, match="samples 3 to 10 of 10"):
        outputs.read([3, 10])
    assert_refused(lambda: outputs.read([0.5]), match="whole numbers")


def test_what_the_outputs_are_is_said(outputs):
    assert (len(outputs), outputs.num_shards) == (10, 3)
    assert outputs.fields == SCHEMA.fields
    assert outputs.options == {"k": 3}
    assert outputs.fingerprint == small_plan().fingerprint
    assert outputs.num_rows("tokens") == sum(n % 3 for n in range(10))


def test_expected_parts_are_compared_and_each_that_differs_is_named(outputs):
    assert len(_open(outputs, expected=small_plan().parts)) == 10
    assert len(_open(outputs, expected={"schema": SCHEMA, "seed": 7})) == 10
    for expected, match in [
        ({"seed": 8}, "seed is 7, wanted 8"),
        ({"teacher": {"name": "large", "weights": "0" * 64}}, '.name is "small", wanted "large"'),
        ({"vocabulary": "x", "data": None}, 'vocabulary is "none", wanted "x"; data is'),
        ({"options": {"k": 3, "rate": 44_100}}, "options.rate is absent, wanted 44100"),
        ({"schema": OutputSchema(SCHEMA.fields[:2])}, "schema is "),
    ]:
        assert_refused(
            lambda expected=expected: _open(outputs, expected=expected),
            match=f"holds other outputs: .*{match}.*; {_MEND}",
        )
    assert_refused(lambda: _open(outputs, expected={"teachers": 1}), match="no part 'teachers'")


def test_no_outputs_are_refused(tmp_path):
    assert_refused(lambda: open_outputs(tmp_path / "no"), match="there are no teacher outputs")
    (tmp_path / "file").write_text("")
    assert_refused(lambda: open_outputs(tmp_path / "file"), match="there are no teacher outputs")
    assert_refused(lambda: open_outputs(tmp_path), match="no manifest.json with a COMPLETED")


@pytest.mark.parametrize("name", ["manifest.json", "COMPLETED"])
def test_half_written_outputs_are_refused(outputs, name):
    (outputs.path / name).unlink()
    assert_refused(lambda: _open(outputs), match="no manifest.json with a COMPLETED")


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_truncated_shards_are_refused_when_opened(outputs, size):
    path = outputs.path / "shard-00001.safetensors"
    whole = path.stat().st_size
    os.truncate(path, size if size >= 0 else whole + size)
    assert_refused(
        lambda: _open(outputs), match=f"00001.safetensors has .* bytes, not {whole:,}.*{_MEND}"
    )


def test_shards_that_are_too_long_or_gone_are_refused(outputs):
    path = outputs.path / "shard-00002.safetensors"
    with open(path, "ab") as file:
        file.write(b"x")
    assert_refused(lambda: _open(outputs), match="00002.safetensors has .* bytes, not")
    path.unlink()
    assert_refused(lambda: _open(outputs), match="00002.safetensors is missing")
    path.symlink_to("shard-00001.safetensors")
    assert_refused(lambda: _open(outputs), match="00002.safetensors is missing")


def test_every_flipped_byte_of_a_shard_is_found(outputs):
    outputs.verify()
    path = outputs.path / "shard-00000.safetensors"
    whole = path.read_bytes()
    for place in [*range(0, len(whole), 97), len(whole) - 1]:
        spoiled = bytearray(whole)
        spoiled[place] ^= 16
        path.write_bytes(spoiled)
        assert_refused(_open(outputs).verify, match="00000.safetensors has SHA-256")
    header = bytearray(whole)
    header[20] ^= 16
    path.write_bytes(header)
    assert_refused(lambda: _open(outputs)[0], match="a header that is not its own")


def _change_manifest(outputs, **changes):
    path = outputs.path / manifest.MANIFEST_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_changed_manifest_is_found(outputs):
    text = (outputs.path / "manifest.json").read_text()
    (outputs.path / "manifest.json").write_text(text.replace("  ", "   ", 1))
    assert_refused(_open(outputs).verify, match="manifest.json has SHA-256")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format_version": 2}, "version 2; wanted 'code_t5_teacher_outputs' version 1"),
        ({"format_name": "another"}, "format 'another'"),
        ({"fingerprint": "0"}, "no usable fingerprint"),
        ({"fingerprint_parts": None}, "no usable schema"),
        ({"fingerprint_parts": {"schema": []}}, "no usable schema"),
        ({"num_samples": "10"}, "no usable num_samples"),
        ({"num_samples": 1 << 60}, "no usable num_samples"),
        ({"samples_per_shard": 0}, "no usable num_samples"),
        ({"num_samples": 13}, "no usable shards"),
        ({"num_samples": 12}, "bytes, not"),
        ({"shards": {}}, "no usable shards"),
        ({"shards": [1, 2, 3]}, "no usable shards"),
        ({"shards": [{"lengths": {}, "sha256": ""}] * 3}, "no usable shards"),
        ({"shards": [{"lengths": {"tokens": -1, "text": 0}, "sha256": ""}] * 3}, "no usable"),
    ],
)
def test_manifests_that_nobody_wrote_are_refused(outputs, changes, match):
    _change_manifest(outputs, **changes)
    assert_refused(lambda: _open(outputs), match=match)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"a": '])
def test_manifests_that_are_none_are_refused(outputs, content):
    (outputs.path / "manifest.json").write_bytes(content)
    assert_refused(lambda: _open(outputs), match="format None version None")


def test_a_copy_in_another_process_reads_the_same(outputs):
    copy = pickle.loads(pickle.dumps(outputs))  # noqa: S301
    assert copy[3]["text"].tolist() == [97] * 3
    assert len(pickle.dumps(outputs)) < 1000


def test_a_copy_of_outputs_that_were_made_anew_is_refused(outputs):
    pickled = pickle.dumps(outputs)
    with OutputsWriter(outputs.path, plan=small_plan(seed=8), overwrite=True) as writer:
        for index in range(3):
            writer.write_shard(index, map(small_sample, writer.plan.samples_of(index)))
        writer.publish()
    assert_refused(
        lambda: pickle.loads(pickled),  # noqa: S301
        match="made anew since it was opened",
    )


def test_opening_reads_no_shard_and_few_stay_open(outputs, monkeypatch):
    monkeypatch.setattr(reader, "_MAX_OPEN_SHARDS", 2)
    opened = _open(outputs)
    assert not opened._open
    kept = opened[0]["x"]
    for _ in range(3):
        for number in range(10):
            assert opened[number]["f0"] == 440 + number
    assert len(opened._open) == 2
    # Views outlive the shard's being closed.
    assert kept.tolist() == small_sample(0)["x"].tolist()


def test_threads_read_the_same(outputs, monkeypatch):
    monkeypatch.setattr(reader, "_MAX_OPEN_SHARDS", 1)
    opened = _open(outputs)
    wrong = []

    def read(seed):
        order = np.random.default_rng(seed).integers(0, 10, size=300)
        for number in order.tolist():
            if opened.read([number])["f0"][0] != 440 + number:
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
