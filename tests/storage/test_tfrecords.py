from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.storage import tfrecords, varints

_EXAMPLE = {
    "text": "a\u2581b\n".encode(),
    "path": b"",
    "size": 300,
    "negative": -1,
    "long": b"x" * 20_000,
}


def test_example_is_what_tensorflow_writes():
    import tensorflow as tf

    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    features = {name: feature(_EXAMPLE[name]) for name in sorted(_EXAMPLE)}
    message = tf.train.Example(features=tf.train.Features(feature=features))
    assert tf.train.Example.FromString(tfrecords.encode_example(_EXAMPLE)) == message
    assert tfrecords.decode_example(message.SerializeToString(deterministic=True)) == _EXAMPLE


def test_file_is_what_tensorflow_writes(tmp_path):
    import tensorflow as tf

    data = [b"", b"one", b"x" * 100_000]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for piece in data:
            writer.write(piece)
    ours = b"".join(map(tfrecords.frame_record, data))
    assert ours == (tmp_path / "theirs").read_bytes()
    assert list(tfrecords.read_records(tmp_path / "theirs")) == data


@pytest.mark.parametrize("values", [[], [5], [0, 127, 128, 300, 2**31 - 1]])
def test_lists_of_numbers_are_what_tensorflow_reads(values):
    import numpy as np
    import tensorflow as tf

    (row,) = varints.encode_varints(np.array(values, dtype=int), offsets=np.array([0, len(values)]))
    data = tfrecords.encode_example({"ids": tfrecords.PackedInts(row), "path": b"a.py"})
    message = tf.train.Example.FromString(data)
    assert list(message.features.feature["ids"].int64_list.value) == values
    assert list(message.features.feature["path"].bytes_list.value) == [b"a.py"]


def test_golden_bytes():
    record = tfrecords.frame_record(tfrecords.encode_example({"a": b"b", "c": 5}))
    assert record.hex() == (
        "1a00000000000000129bd82d0a180a0a0a016112050a030a01620a0a0a016312051a030a0105e1f6660b"
    )


def test_golden_bytes_of_a_list():
    data = tfrecords.encode_example({"c": tfrecords.PackedInts(b"\x05\xac\x02")})
    assert data.hex() == "0a0e0a0c0a016312071a050a0305ac02"


def test_example_round_trip():
    assert tfrecords.decode_example(tfrecords.encode_example(_EXAMPLE)) == _EXAMPLE


def test_some_features_of_an_example_are_read():
    data = tfrecords.encode_example(_EXAMPLE)
    found = tfrecords.decode_example(data, names=["size", "path", "absent"])
    assert found == {"size": 300, "path": b""}


@pytest.mark.parametrize("length", [1, 7, 11, 12, 13, 20, 30])
def test_truncated_file_is_refused(tmp_path, length):
    path = tmp_path / "f"
    path.write_bytes(tfrecords.frame_record(b"x" * 20)[:length])
    with pytest.raises(errors.ArtifactError, match="ends inside a"):
        list(tfrecords.read_records(path))


@pytest.mark.parametrize("position", [0, 7, 8, 11, 12, 31, 32, 35])
def test_every_flipped_byte_is_noticed(tmp_path, position):
    data = bytearray(tfrecords.frame_record(b"x" * 20))
    data[position] ^= 0x10
    path = tmp_path / "f"
    path.write_bytes(tfrecords.frame_record(b"first") + bytes(data))
    records = tfrecords.read_records(path)
    assert next(records) == b"first"
    with pytest.raises(errors.ArtifactError, match="damaged at byte 21"):
        next(records)


def test_some_records_are_read_from_where_they_begin(tmp_path):
    pieces = [b"one", b"", b"three", b"four"]
    path = tmp_path / "f"
    path.write_bytes(b"".join(map(tfrecords.frame_record, pieces)))
    offsets = list(tfrecords.find_records(path))
    assert offsets == [0, 19, 35, 56, 76]
    found = tfrecords.read_records(path, start_byte=offsets[1], num_records=2)
    assert list(found) == [b"", b"three"]
    assert list(tfrecords.read_records(path, start_byte=offsets[3])) == [b"four"]
    assert list(tfrecords.read_records(path, start_byte=offsets[4])) == []
    (tmp_path / "empty").write_bytes(b"")
    assert list(tfrecords.find_records(tmp_path / "empty")) == [0]


@pytest.mark.parametrize("length", [1, 11, 13, 35])
def test_records_of_a_truncated_file_are_not_found(tmp_path, length):
    path = tmp_path / "f"
    path.write_bytes(tfrecords.frame_record(b"x" * 20)[:length])
    with pytest.raises(errors.ArtifactError, match="at byte 0: the file ends inside a"):
        list(tfrecords.find_records(path))


@pytest.mark.parametrize("position", [0, 7, 8, 11])
def test_a_flipped_byte_of_a_length_is_noticed_when_records_are_looked_for(tmp_path, position):
    data = bytearray(tfrecords.frame_record(b"x" * 20))
    data[position] ^= 0x10
    (tmp_path / "f").write_bytes(bytes(data))
    with pytest.raises(errors.ArtifactError, match="the length's checksum is wrong"):
        list(tfrecords.find_records(tmp_path / "f"))


@pytest.mark.parametrize("data", [b"\xff", b"\x0a", b"\x0a\x05a", b"\x08\x01", b"\xff" * 20])
def test_bytes_that_are_no_example_are_refused(data):
    with pytest.raises(ValueError):
        tfrecords.decode_example(data)
