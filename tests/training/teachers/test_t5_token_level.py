"""T5 teachers at the level of tokens: what is kept, its bytes, and what a batch does to them."""

from __future__ import annotations

import numpy as np
import pytest
from small_t5_directory import write_t5

from code_t5.encoding.ragged import Ragged
from code_t5.teacher_outputs import codec as codecs
from code_t5.teacher_outputs.codec import TopKCodec
from code_t5.training.teachers import registry
from code_t5.training.teachers.batching import BatchRunner


@pytest.fixture(name="open_teacher")
def _open_teacher(t5_settings):
    def open_teacher(name="t5_dev_top32", **settings):
        return registry.open_teacher(name, settings={**t5_settings, **settings})

    return open_teacher


def _whole(teacher, one):
    """Returns the whole distributions of an example, float64 [num_targets, num_embeddings]."""
    parts = [part.double() for part in teacher.network.logits(teacher.network.states([one]))]
    return np.concatenate([part.softmax(dim=1).numpy() for part in parts])


def test_what_is_kept_are_the_most_likely_tokens_of_each_position(open_teacher):
    teacher = open_teacher(k=5)
    inputs = teacher.draw(range(3), seed=0, split="train")
    columns = teacher.run(inputs)
    for number, one in enumerate(inputs):
        assert columns["inputs"].row(number).tolist() == one.inputs.tolist()
        assert columns["targets"].row(number).tolist() == one.targets.tolist()
        whole = _whole(teacher, one)
        ids = columns["ids"].row(number)
        wanted = np.sort(whole, axis=1)[:, :-6:-1]
        np.testing.assert_allclose(np.take_along_axis(whole, ids, axis=1), wanted, rtol=1e-4)
        found = np.exp(columns["log_probabilities"].row(number).astype(np.float64))
        np.testing.assert_allclose(found, wanted, rtol=5e-3)
        tail = columns["tail_mass"].row(number)
        np.testing.assert_allclose(tail, 1 - wanted.sum(axis=1), atol=1e-5)


def test_columns_are_as_the_schema_says(open_teacher):
    for name in ("t5_dev_top32", "t5_dev_mass99"):
        teacher = open_teacher(name)
        columns = teacher.run(teacher.draw(range(4), seed=0, split="train"))
        assert tuple(columns) == teacher.schema.names == teacher.order
        for field in teacher.schema.fields:
            column = columns[field.name]
            assert column.values.dtype == field.numpy_dtype
            assert column.values.shape[1:] == field.row_shape and column.num_rows == 4
            for other in teacher.schema.fields:
                if other.length == field.length:
                    assert columns[other.name].lengths.tolist() == column.lengths.tolist()


def test_a_target_token_takes_132_bytes_and_itself(open_teacher):
    teacher = open_teacher()
    columns = teacher.run(teacher.draw(range(4), seed=0, split="train"))
    num_targets = columns["targets"].values.size
    total = sum(column.values.nbytes for name, column in columns.items() if name != "inputs")
    assert teacher.codec.bytes_per_token == 132
    assert total == 134 * num_targets


def test_mass_keeps_as_many_as_it_takes(open_teacher):
    teacher = open_teacher("t5_dev_mass99", mass=0.3, k=20)
    columns = teacher.run(teacher.draw(range(4), seed=0, split="train"))
    num_kept, tail = columns["num_kept"].values, columns["tail_mass"].values
    assert num_kept.max() <= 20 and len(set(num_kept.tolist())) > 2
    assert ((1 - tail >= 0.3 - 1e-5) | (num_kept == 20)).all()
    kept = teacher.codec.from_arrays({name: column.values for name, column in columns.items()})
    np.testing.assert_allclose(
        teacher.codec.probabilities(kept).sum(axis=1), 1 - tail, rtol=0, atol=2e-3
    )


def test_a_batch_decides_on_the_last_digits_alone(open_teacher):
    teacher = open_teacher()
    numbers = range(24)
    together, alone = (
        BatchRunner(teacher, batch_size=size).run_window(numbers, seed=1, split="train")
        for size in (24, 1)
    )
    for name in ("inputs", "targets"):
        np.testing.assert_array_equal(together[name].values, alone[name].values)
    dense = [
        teacher.codec.to_dense(teacher.codec.from_arrays({n: c.values for n, c in one.items()}))
        for one in (together, alone)
    ]
    assert (together["ids"].values == alone["ids"].values).mean() > 0.99
    # A step of float16 at -8: what is rounded may fall to either side.
    np.testing.assert_allclose(*dense, rtol=8e-3, atol=1e-7)
    np.testing.assert_allclose(
        together["tail_mass"].values, alone["tail_mass"].values, rtol=1e-4, atol=1e-6
    )
    assert teacher.depends_on_batch


def test_the_same_batch_gives_the_same_bytes(open_teacher):
    first, second = (
        BatchRunner(open_teacher(), batch_size=8).run_window(range(16), seed=1, split="train")
        for _ in range(2)
    )
    for name, column in first.items():
        assert column.values.tobytes() == second[name].values.tobytes()


def test_options_say_how_to_read_what_is_stored(open_teacher):
    teacher = open_teacher(k=9, temperature=2.0)
    assert TopKCodec.from_options(teacher.options) == teacher.codec
    assert teacher.codec == TopKCodec(vocab_size=512, k=9, temperature=2.0)
    wanted = {"task": "small_prefix_lm", "inputs_length": 24, "targets_length": 24}
    assert teacher.options.items() >= wanted.items()


def test_ranges_are_of_tokens_and_kept_mass(open_teacher):
    teacher = open_teacher()
    columns = teacher.run(teacher.draw(range(5), seed=0, split="train"))
    found = teacher.describe_values({name: columns[name] for name in teacher.described_fields})
    assert found["target tokens"].tolist() == columns["targets"].lengths.tolist()
    means = [1 - columns[codecs.TAIL_MASS].row(number).mean() for number in range(5)]
    np.testing.assert_allclose(found["kept mass, mean of a sample"], means, rtol=1e-5)


def test_comparison_finds_what_is_the_same_and_what_is_not(open_teacher, small_data_dir, tmp_path):
    teacher = open_teacher()
    inputs = teacher.draw(range(4), seed=0, split="train")
    columns = teacher.run(inputs)
    same = teacher.compare(columns, columns)
    assert [one.is_close for one in same] == [True] * 3
    assert (same[0].value, same[2].value) == (1, 1) and abs(same[1].value) < 1e-6
    assert "kept mass" in same[1].note
    vocabulary_dir = small_data_dir / "vocabularies" / "default"
    write_t5(tmp_path / "other", vocabulary_dir=vocabulary_dir, seed=9)
    other = open_teacher(hf_dir=str(tmp_path / "other"))
    _, divergence, _ = other.compare(columns, other.run(inputs))
    assert not divergence.is_close and divergence.value > 0.1
    ids = columns["ids"].values.copy()
    ids[::2] = np.roll(ids[::2], 1, axis=1)
    turned = {**columns, "ids": Ragged(ids, columns["ids"].offsets)}
    _, divergence, agreement = teacher.compare(turned, columns)
    assert not divergence.is_close and not agreement.is_close
    assert agreement.value == pytest.approx(0.5, abs=0.01)
    others = teacher.run(teacher.draw(range(4, 8), seed=0, split="train"))
    (tokens,) = teacher.compare(columns, others)
    assert not tokens.is_close and tokens.value == 0
