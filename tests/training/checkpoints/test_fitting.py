"""A checkpoint of another model is refused in the words of whoever chose the model."""

from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.training.checkpoints import fitting


def model(*, layers=2, width=8, d_ff=16, rows=128, slots=("vr", "vc"), stack="decoder"):
    shapes = {"global_step": (), "shared/embedding": (rows, width)}
    for number in range(layers):
        block = f"{stack}/block_{number:03d}"
        shapes[f"{block}/self_attention/SelfAttention/q"] = (width, 8)
        shapes[f"{block}/dense_relu_dense/DenseReluDense/wi/kernel"] = (width, d_ff)
    for name in [name for name in shapes if name != "global_step"]:
        for kind in slots:
            shapes[f"{name}_slot_{kind}"] = (width,)
    return shapes


def check(held, asked):
    return fitting.check_fits(held, asked=asked, prefix="m/model.ckpt-5", what_to_do="name another")


def test_same_model_fits():
    assert check(model(), model()) == ""


@pytest.mark.parametrize(
    ("changes", "found", "wanted"),
    [
        ({"layers": 3}, "layers 2 (decoder)", "layers 3 (decoder)"),
        ({"layers": 1}, "layers 2 (decoder)", "layers 1 (decoder)"),
        ({"width": 32}, "width 8", "width 32"),
        ({"d_ff": 64}, "d_ff 16", "d_ff 64"),
        ({"rows": 256}, "vocabulary 128 rows", "vocabulary 256 rows"),
        ({"stack": "encoder"}, "layers 2 (decoder)", "layers 2 (encoder)"),
    ],
)
def test_refusal_names_what_differs_on_both_sides(changes, found, wanted):
    with pytest.raises(errors.InputError) as caught:
        check(model(), model(**changes))
    message = str(caught.value)
    assert message.startswith("found in m/model.ckpt-5 a model with ")
    assert message.endswith("; name another")
    before, _, after = message.partition("; wanted ")
    assert found in before and wanted in after
    assert "\n" not in message


def test_refusal_counts_the_parameters_of_both():
    with pytest.raises(errors.InputError) as caught:
        check(model(layers=1), model(layers=2))
    one = 128 * 8 + 8 * 8 + 8 * 16
    assert f"({one:,} parameters); wanted" in str(caught.value)
    assert f"({one + 8 * 8 + 8 * 16:,} parameters)" in str(caught.value)


def test_slots_that_an_optimizer_needs_and_the_checkpoint_lacks_are_named():
    with pytest.raises(errors.InputError) as caught:
        check(model(), model(slots=("vr", "vc", "m")))
    assert "the same model with the optimizer slots vc, vr; wanted the slots m, vc, vr" in str(
        caught.value
    )
    assert "utils.run.init_checkpoint = 'm/model.ckpt-5'" in str(caught.value)


def test_slots_that_nobody_asks_for_are_a_warning():
    warning = check(model(slots=("vr", "vc", "m")), model())
    assert "5 optimizer slots (m)" in warning and "dropped" in warning


def test_difference_that_no_fact_tells_names_a_variable():
    other = {**model(), "decoder/odd/scale": (3,)}
    with pytest.raises(errors.InputError, match=r"decoder/odd/scale is missing; wanted \[3\]"):
        check(model(), other)
    with pytest.raises(errors.InputError, match=r"decoder/odd/scale is \[3\]; wanted missing"):
        check(other, model())


def test_facts_of_a_real_model_are_its_gin_files(trained_small):
    from code_t5.training.checkpoints import reading

    shapes = reading.variable_shapes(reading.checkpoint_path(trained_small.model_dir))
    found = fitting.facts(shapes)
    assert found["layers"] == "2 (decoder)"
    assert (found["width"], found["d_ff"], found["heads"]) == ("32", "64", "2")
    assert found["heads x d_kv"] == "32"
