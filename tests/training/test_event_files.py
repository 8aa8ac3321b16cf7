"""Event files that TensorFlow itself wrote, whole and damaged."""

from __future__ import annotations

import pytest
import tensorflow as tf

from code_t5.training import event_files


@pytest.fixture
def written(tmp_path):
    """A file with a loss at steps 1 and 2, and something that is not a scalar."""
    path = tmp_path / "events.out.tfevents.1"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for step in (1, 2):
            event = tf.compat.v1.Event(step=step, wall_time=step * 0.5)
            event.summary.value.add(tag="loss", simple_value=5.0 - step)
            event.summary.value.add(tag="text", tensor=tf.make_tensor_proto("x"))
            writer.write(event.SerializeToString())
    return path


def test_scalars_come_back_with_step_and_time(written):
    assert event_files.read_scalars(written) == {"loss": [(1, 0.5, 4.0), (2, 1.0, 3.0)]}


def test_file_of_tensorflows_own_writer_is_read(tmp_path):
    with tf.Graph().as_default():
        writer = tf.compat.v1.summary.FileWriter(str(tmp_path))
        summary = tf.compat.v1.Summary()
        summary.value.add(tag="loss", simple_value=0.5)
        writer.add_summary(summary, global_step=7)
        writer.close()
    (path,) = event_files.list_files(tmp_path)
    (scalar,) = event_files.read_scalars(path)["loss"]
    assert (scalar.step, scalar.value) == (7, 0.5)


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_file_cut_short_is_read_up_to_the_cut(written, cut):
    written.write_bytes(written.read_bytes()[:-cut])
    assert event_files.read_scalars(written) == {"loss": [(1, 0.5, 4.0)]}


def test_nothing_is_read_from_a_flipped_byte_on(written):
    data = bytearray(written.read_bytes())
    data[-10] ^= 1
    written.write_bytes(bytes(data))
    assert event_files.read_scalars(written) == {"loss": [(1, 0.5, 4.0)]}
    data[3] ^= 1
    written.write_bytes(bytes(data))
    assert event_files.read_scalars(written) == {}


def test_files_are_listed_in_the_order_of_their_times(tmp_path):
    for name in ("events.out.tfevents.20.host", "events.out.tfevents.10.host", "model.ckpt"):
        (tmp_path / name).touch()
    found = [path.name for path in event_files.list_files(tmp_path)]
    assert found == ["events.out.tfevents.10.host", "events.out.tfevents.20.host"]
