from __future__ import annotations

import itertools
import subprocess
import sys

import listed_token_cache
import pytest
import sparse_token_cache
import tensorflow as tf

from code_t5 import errors
from code_t5.token_cache.reading import batches, tf_windows

_SEQ_LEN = 4


@pytest.fixture
def source(tmp_path):
    cache_dir = listed_token_cache.write_cache(tmp_path / "made")
    return batches.cache_source(cache_dir, split="train", seq_len=_SEQ_LEN)


def _windows(epoch):
    """Says by the first token of each row which windows the batches of an epoch are."""
    return [((batch[0][:, 0] - 100) // _SEQ_LEN).numpy().tolist() for batch in epoch]


def _wanted(source, num_epochs, **options):
    """What the reader without TensorFlow gives."""
    made = batches.WindowBatches(source, **options)
    epochs = itertools.chain.from_iterable(made for _ in range(num_epochs))
    return [((batch[0][:, 0] - 100) // _SEQ_LEN).tolist() for batch in epochs]


@pytest.mark.parametrize("tokens_per_call", [1, 16, 1 << 20])
@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 2},
        {"batch_size": 2, "drop_last": False},
        {"batch_size": 3, "drop_last": False, "shuffle": False},
        {"batch_size": 2, "drop_last": False, "rank": 0, "world_size": 2},
        {"batch_size": 2, "drop_last": False, "rank": 1, "world_size": 2, "seed": 5},
    ],
)
def test_a_pipeline_gives_what_numpy_gives(source, options, tokens_per_call, monkeypatch):
    monkeypatch.setattr(tf_windows, "_TOKENS_PER_CALL", tokens_per_call)
    pipeline = tf_windows.TfWindowBatches(source, **options).dataset(3)
    wanted = _wanted(source, 3, **options)
    assert _windows(pipeline) == wanted
    assert int(pipeline.cardinality()) == len(wanted)
    # Read again it gives the same: it does not move its reader.
    assert _windows(pipeline) == wanted


def test_a_batch_is_inputs_and_labels_of_known_shapes(source):
    pipeline = tf_windows.TfWindowBatches(source, batch_size=2, shuffle=False).dataset()
    spec = tf.TensorSpec([2, _SEQ_LEN], tf.int32)
    assert pipeline.element_spec == (spec, spec)
    inputs, labels = next(iter(pipeline))
    assert inputs.numpy().tolist() == [[100, 101, 102, 103], [104, 105, 106, 107]]
    assert labels.numpy().tolist() == [[101, 102, 103, 104], [105, 106, 107, 108]]


def test_fields_come_in_the_order_asked_for(source):
    made = tf_windows.TfWindowBatches(
        source, batch_size=9, shuffle=False, fields=["positions", "inputs"]
    )
    positions, inputs = next(iter(made))
    assert inputs[5].numpy().tolist() == [120, 121, 122, 123]
    assert positions[5].numpy().tolist() == [0, 0, 1, 2]


def test_an_endless_pipeline_goes_through_epochs(source):
    made = tf_windows.TfWindowBatches(source, batch_size=2)
    pipeline = made.dataset(num_epochs=None)
    assert pipeline.cardinality() == tf.data.INFINITE_CARDINALITY
    assert _windows(pipeline.take(11)) == _wanted(source, 3, batch_size=2)[:11]


def test_iterating_counts_what_was_handed_out(source):
    made = tf_windows.TfWindowBatches(source, batch_size=2)
    had = _windows(itertools.islice(made, 3))
    other = tf_windows.TfWindowBatches(source, batch_size=1)
    other.load_state_dict(made.state_dict())
    wanted = _wanted(source, 2, batch_size=2)
    assert had + _windows(made) + _windows(made) == wanted
    # One more: of batches of one, none is left out.
    assert sum(_windows(other), [])[:2] == wanted[3]
    assert len(made) == 4


@pytest.mark.parametrize("num_batches", [0, 3, 4, 10])
def test_a_pipeline_is_gone_on_with_after_so_many_batches(source, num_batches):
    made = tf_windows.TfWindowBatches(source, batch_size=2)
    state = made.state_after(num_batches)
    assert made.state_dict() == tf_windows.TfWindowBatches(source, batch_size=2).state_dict()
    other = tf_windows.TfWindowBatches(source, batch_size=2)
    other.load_state_dict(state)
    wanted = _wanted(source, 4, batch_size=2)
    assert _windows(other.dataset(None).take(5)) == wanted[num_batches : num_batches + 5]


def test_a_pipeline_begins_at_the_epoch_that_was_set(source):
    made = tf_windows.TfWindowBatches(source, batch_size=2)
    made.set_epoch(2)
    assert _windows(made.dataset()) == _wanted(source, 3, batch_size=2)[8:]


def test_a_pipeline_of_no_epoch_is_refused(source):
    with pytest.raises(errors.InputError, match="num_epochs is 0"):
        tf_windows.TfWindowBatches(source, batch_size=2).dataset(0)


def test_what_cannot_be_read_is_an_error_of_ours(tmp_path):
    cache_dir = listed_token_cache.write_cache(tmp_path / "large", [[1, 2, 3, 4, 2**32 - 1]])
    source = batches.cache_source(cache_dir, split="train", seq_len=_SEQ_LEN)
    made = tf_windows.TfWindowBatches(source, batch_size=1)
    with pytest.raises(errors.ArtifactError, match="^the token cache holds the id 4294967295"):
        list(made)
    assert made.state_dict()["position"] == 0


_UNREAD = """
import sys, threading, time
from code_t5 import pipeline_calls
from code_t5.token_cache.reading import batches, tf_windows

source = batches.cache_source(sys.argv[1], split="train", seq_len=4)
made = tf_windows.TfWindowBatches(source, batch_size=1)
read, is_wanted, is_under_way = made.reader.read, threading.Event(), threading.Event()

def read_later_than_the_end(indexes):
    # While the main thread waits for a batch, nothing may wait: calls share few threads.
    while not (is_wanted.is_set() or pipeline_calls._CALLS._is_ending):
        is_under_way.set()
        time.sleep(0.01)
    return read(indexes)

made.reader.read = read_later_than_the_end
tf_windows._TOKENS_PER_CALL = 1
batches_read = iter(made.dataset(num_epochs=None))
while not is_under_way.is_set():
    is_wanted.set()
    next(batches_read)
    is_under_way.clear()
    is_wanted.clear()
    is_under_way.wait(0.2)
"""


def test_a_program_ends_though_its_pipeline_reads_ahead(source, tmp_path):
    cache_dir = listed_token_cache.write_cache(tmp_path / "another")
    done = subprocess.run([sys.executable, "-c", _UNREAD, str(cache_dir)], check=False, timeout=180)
    assert done.returncode == 0


def test_keras_trains_on_a_pipeline(source):
    pipeline = tf_windows.TfWindowBatches(source, batch_size=2).dataset(num_epochs=None)
    model = tf.keras.Sequential([tf.keras.layers.Embedding(200, 4), tf.keras.layers.Dense(200)])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, optimizer=tf.keras.optimizers.Adam(0.1))
    losses = model.fit(pipeline, steps_per_epoch=8, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 1


def test_importing_the_module_loads_no_tensorflow():
    module = "code_t5.token_cache.reading.tf_windows"
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_option_that_is_none_is_refused(source):
    with pytest.raises(errors.InputError, match="no option 'shufle'; wanted .* did you mean shuf"):
        tf_windows.TfWindowBatches(source, batch_size=2, shufle=False)


def test_windows_beyond_32_bits_are_read(tmp_path):
    folder = sparse_token_cache.write_cache(
        tmp_path / "cache",
        num_tokens=2**32 + 100,
        ends=[2**32 + 100],
        pieces={2**31 - 1: [1, 2, 3, 4], 2**32 - 1: [5, 6]},
    )
    source = batches.cache_source(folder, split="train", seq_len=8)
    for place, row in ((2**28 - 1, [0] * 7 + [1]), (2**29, [6] + [0] * 7)):
        made = tf_windows.TfWindowBatches(source, batch_size=1, shuffle=False)
        made.reader.order.position = place
        inputs, _ = next(iter(made.dataset()))
        assert inputs.numpy().tolist() == [row]
