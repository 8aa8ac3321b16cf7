"""Distributions made small, and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from refusals import assert_refused
from small_teacher_outputs import small_plan

from code_t5.teacher_outputs.codec import LEFT_OUT, SPREAD, TopKCodec, log_softmax
from code_t5.teacher_outputs.divergence import divergence_from_stored, divergence_of_stored
from code_t5.teacher_outputs.schema import OutputSchema
from code_t5.teacher_outputs.writer import OutputsWriter

_VOCAB_SIZE = 200


def _logits(num_positions=40, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(num_positions, _VOCAB_SIZE)) * 4).astype(np.float32)


def _softmax(logits):
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _codec(**changes):
    return TopKCodec(**{"vocab_size": _VOCAB_SIZE, "k": 8, **changes})


def test_a_token_takes_132_bytes_at_k_32(tmp_path):
    codec = TopKCodec(vocab_size=32_128)
    assert (codec.k, codec.bytes_per_token) == (32, 132)
    assert _size_of_shard(tmp_path, codec, 1000) - _size_of_shard(tmp_path, codec, 0) == 132_000


def _size_of_shard(tmp_path, codec, num_tokens):
    """Returns how many bytes behind the header a sample of so many tokens takes."""
    schema = OutputSchema(codec.fields())
    plan = small_plan(schema=schema, num_samples=1)
    kept = codec.encode(np.zeros((num_tokens, codec.vocab_size), np.float32))
    with OutputsWriter(tmp_path / str(num_tokens), plan=plan) as writer:
        writer.write_shard(0, [codec.to_arrays(kept)])
        path = writer.publish().path / "shard-00000.safetensors"
    content = path.read_bytes()
    return len(content) - 8 - int.from_bytes(content[:8], "little")


def test_the_most_likely_are_kept_in_order():
    logits, codec = _logits(), _codec()
    kept, wanted = codec.encode(logits), _softmax(logits)
    order = np.argsort(-wanted, axis=1)[:, :8]
    assert kept.ids.tolist() == order.tolist()
    assert (kept.ids.dtype, kept.values.dtype) == (np.uint16, np.float16)
    top = np.take_along_axis(wanted, order, axis=1)
    np.testing.assert_allclose(kept.values, np.log(top), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(kept.tail_mass, 1 - top.sum(axis=1), rtol=1e-4, atol=1e-7)
    assert kept.tail_mass.dtype == np.float32


def test_a_tail_far_below_one_is_not_lost():
    logits = np.zeros((1, _VOCAB_SIZE), np.float32)
    logits[0, :8] = 30
    tail = _codec().encode(logits).tail_mass[0]
    assert tail == pytest.approx(192 * np.exp(-30) / 8, rel=1e-3)


def test_of_equal_ones_the_first_are_kept():
    logits = np.zeros((2, _VOCAB_SIZE), np.float32)
    logits[1, 150] = 1
    assert _codec().encode(logits).ids.tolist() == [list(range(8)), [150, *range(7)]]


def test_dense_distributions_come_back():
    logits, codec = _logits(), _codec()
    kept, wanted = codec.encode(logits), _softmax(logits)
    spread, left_out = codec.to_dense(kept, SPREAD), codec.to_dense(kept, LEFT_OUT)
    assert spread.shape == left_out.shape == wanted.shape
    np.testing.assert_allclose(spread.sum(axis=1), 1, atol=2e-3)
    np.testing.assert_allclose(left_out.sum(axis=1) + kept.tail_mass, 1, atol=2e-3)
    rows = np.arange(40)[:, None]
    np.testing.assert_allclose(spread[rows, kept.ids], wanted[rows, kept.ids], rtol=4e-3)
    is_tail = np.ones_like(wanted, dtype=bool)
    is_tail[rows, kept.ids] = False
    assert not left_out[is_tail].any()
    shares = np.repeat(kept.tail_mass / 192, 192)
    np.testing.assert_allclose(spread[is_tail], shares, rtol=1e-6)


def test_keeping_everything_leaves_no_tail():
    codec = _codec(k=_VOCAB_SIZE)
    kept = codec.encode(_logits())
    assert not kept.tail_mass.any()
    np.testing.assert_allclose(codec.to_dense(kept), _softmax(_logits()), rtol=1e-2, atol=1e-5)


def test_by_mass_no_more_are_kept_than_it_takes():
    logits, codec = _logits(), _codec(k=100, mass=0.9)
    kept, wanted = codec.encode(logits), -np.sort(-_softmax(logits), axis=1)
    for row, count in enumerate(kept.num_kept.tolist()):
        assert wanted[row, :count].sum() >= 0.9 > wanted[row, : count - 1].sum()
        assert kept.tail_mass[row] == pytest.approx(wanted[row, count:].sum(), rel=1e-4)
    assert len(set(kept.num_kept.tolist())) > 5
    np.testing.assert_allclose(codec.to_dense(kept).sum(axis=1), 1, atol=2e-3)
    assert _codec(k=3, mass=0.9).encode(np.zeros((1, 200), np.float32)).num_kept.tolist() == [3]
    assert _codec(k=100, mass=1e-9).encode(logits).num_kept.tolist() == [1] * 40


@pytest.mark.parametrize(
    "changes",
    [{}, {"mass": 0.5}, {"is_log": False}, {"has_tail": False}, {"mass": 0.5, "has_tail": False}],
)
def test_stored_positions_come_back_as_they_were(tmp_path, changes):
    codec = _codec(**changes)
    kept = [codec.encode(_logits(count, seed=count)) for count in (5, 0, 3)]
    plan = small_plan(
        schema=OutputSchema(codec.fields()), num_samples=3, options={"codec": codec.options}
    )
    with OutputsWriter(tmp_path / "outputs", plan=plan) as writer:
        writer.write_shard(0, map(codec.to_arrays, kept))
        outputs = writer.publish()
    read_by = TopKCodec.from_options(outputs.options["codec"])
    assert read_by == codec
    for sample, wanted in zip(outputs, kept):
        found = read_by.from_arrays(sample)
        assert read_by.to_dense(found).tolist() == codec.to_dense(wanted).tolist()
    whole = {name: column.values for name, column in outputs.read([2, 0]).items()}
    both = read_by.to_dense(read_by.from_arrays(whole))
    assert both.tolist() == [*codec.to_dense(kept[2]).tolist(), *codec.to_dense(kept[0]).tolist()]


def test_what_an_accelerator_found_is_packed_the_same():
    logits, codec = _logits(), _codec()
    logs = log_softmax(logits)
    ids = np.argsort(-logs, axis=1)[:, :8][:, ::-1]
    found = codec.pack(ids, log_probabilities=np.take_along_axis(logs, ids, axis=1))
    wanted = codec.encode(logits)
    assert found.ids.tolist() == wanted.ids.tolist()
    assert found.values.tolist() == wanted.values.tolist()
    np.testing.assert_allclose(found.tail_mass, wanted.tail_mass, atol=1e-6)


def test_temperature_divides_logits():
    logits = _logits()
    found = _codec(temperature=2.0).encode(logits)
    wanted = _codec().encode(logits / 2)
    assert found.values.tolist() == wanted.values.tolist()
    assert _codec(temperature=2.0).options["temperature"] == 2.0


def test_options_are_json_and_say_it_all():
    codec = _codec(mass=0.5, is_log=False)
    options = json.loads(json.dumps(codec.options))
    assert TopKCodec.from_options({**options, "another": 1}) == codec
    del options["mass"]
    assert_refused(lambda: TopKCodec.from_options(options), match="options lack mass")


def test_probabilities_may_be_stored_in_the_place_of_logarithms():
    codec = _codec(is_log=False)
    assert codec.values_name == "probabilities"
    kept = codec.encode(_logits())
    assert 0 <= kept.values.min() and kept.values.max() <= 1
    np.testing.assert_allclose(codec.to_dense(kept).sum(axis=1), 1, atol=2e-3)


def test_masked_tokens_have_no_probability():
    logits = np.full((1, _VOCAB_SIZE), -np.inf, np.float32)
    logits[0, 5] = 3
    kept = _codec().encode(logits)
    assert (kept.ids[0, 0], kept.values[0, 0], kept.tail_mass[0]) == (5, 0, 0)
    assert np.isfinite(kept.values).all()
    assert _codec().to_dense(kept)[0].tolist() == [0.0] * 5 + [1.0] + [0.0] * 194


def test_large_vocabularies_take_larger_ids():
    codec = TopKCodec(vocab_size=100_000, k=2)
    logits = np.zeros((1, 100_000), np.float32)
    logits[0, 99_999] = 5
    assert codec.encode(logits).ids.tolist() == [[99_999, 0]]
    assert codec.bytes_per_token == 2 * 6 + 4


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"vocab_size": 1}, "vocab_size is 1"),
        ({"k": 0}, "k is 0"),
        ({"k": 201}, "k is 201; wanted at most the vocabulary's 200"),
        ({"mass": 0.0}, "mass is 0.0"),
        ({"mass": 1.5}, "mass is 1.5"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
    ],
)
def test_codecs_that_cannot_be_are_refused(changes, match):
    assert_refused(lambda: _codec(**changes), match=match)


def test_numbers_that_are_no_distributions_are_refused():
    codec = _codec()
    for logits in (
        np.zeros((2, 7), np.float32),
        np.zeros(200, np.float32),
        np.zeros((2, 200), int),
    ):
        assert_refused(
            lambda logits=logits: codec.encode(logits), match=r"wanted floats \[n, 200\]"
        )
    for value in (np.nan, np.inf):
        spoiled = _logits()
        spoiled[3, 3] = value
        assert_refused(lambda spoiled=spoiled: codec.encode(spoiled), match="NaN or infinite")
    nothing = np.full((1, 200), -np.inf, np.float32)
    assert_refused(lambda: codec.encode(nothing), match="NaN or infinite")
    assert_refused(
        lambda: codec.pack(np.full((1, 8), 200), log_probabilities=np.zeros((1, 8))),
        match="ids 200 to 200; wanted 0 to 199",
    )
    assert_refused(
        lambda: codec.pack(np.zeros((1, 7), int), log_probabilities=np.zeros((1, 7))),
        match=r"wanted \[n, 8\]",
    )
    assert_refused(lambda: codec.to_dense(codec.encode(_logits()), "gone"), match="tail is 'gone'")


def test_arrays_that_do_not_fit_together_are_refused():
    codec = _codec(mass=0.5)
    arrays = codec.to_arrays(codec.encode(_logits()))
    arrays["num_kept"] = arrays["num_kept"] + 1
    assert_refused(lambda: codec.from_arrays(arrays), match="that were kept; wanted as many")


@pytest.mark.parametrize("changes", [{}, {"mass": 0.7}, {"is_log": False}, {"has_tail": False}])
@pytest.mark.parametrize("tail", [SPREAD, LEFT_OUT])
def test_divergences_are_those_of_the_dense_distributions(changes, tail):
    codec, other = _codec(**changes), log_softmax(_logits(seed=1))
    kept = codec.encode(_logits())
    dense = codec.to_dense(kept, tail).astype(np.float64)
    with np.errstate(divide="ignore"):
        logs = np.log(dense)
    wanted = (dense * (np.maximum(logs, -104) - other)).sum(axis=1)
    found = divergence_from_stored(other, kept=kept, codec=codec, tail=tail)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
    terms = np.exp(other) * (other - np.maximum(logs, -104))
    is_counted = dense > 0
    wanted = np.where(is_counted, terms, 0).sum(axis=1)
    found = divergence_of_stored(other, kept=kept, codec=codec, tail=tail)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_what_storing_loses_falls_with_k():
    logs = log_softmax(_logits())
    losses = []
    for k in (1, 4, 16, 64, _VOCAB_SIZE):
        codec = _codec(k=k)
        kept = codec.encode(logs)
        losses.append(float(divergence_of_stored(logs, kept=kept, codec=codec).mean()))
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 0.3 and abs(losses[-1]) < 1e-3


def test_left_out_tails_weigh_nothing():
    codec = _codec()
    kept = codec.encode(_logits())
    same = log_softmax(_logits())
    found = divergence_from_stored(same, kept=kept, codec=codec, tail=LEFT_OUT)
    np.testing.assert_allclose(found, 0, atol=3e-3)


def test_divergences_of_another_shape_are_refused():
    codec = _codec()
    kept = codec.encode(_logits())
    for function in (divergence_from_stored, divergence_of_stored):
        assert_refused(
            lambda function=function: function(np.zeros((3, 200)), kept=kept, codec=codec),
            match=r"log-probabilities \[3, 200\]; wanted \[40, 200\]",
        )
