"""Weights and what an optimizer keeps stay in float32, whatever the optimizer and the precision."""

from __future__ import annotations

import numpy as np
import pytest
from training.stepping import tiny_training as tiny

PARTS = (*tiny.LOSS, *tiny.ATTENTION)
SGD = ("run.optimizer = @optimize.SgdOptimizer",)
MOMENTUM = (
    "run.optimizer = @optimize.MomentumOptimizer",
    "optimize.MomentumOptimizer.momentum = 0.9",
)
ADAM = (
    "run.optimizer = @optimize.AdamWeightDecayOptimizer",
    "optimize.AdamWeightDecayOptimizer.exclude_from_weight_decay = ['rms_norm']",
)
ADAFACTOR = ("run.optimizer = @optimize.AdafactorOptimizer",)
# How the optimizers name what they keep of each weight.
_KEPT = ("momentum_v", "adam_m", "adam_v", "slot_vr", "slot_vc", "slot_v")
MICROBATCHES = ("utils.serialize_num_microbatches.tokens_per_microbatch_per_replica = 32",)


def rounded_share(values):
    """Share of the numbers other than 0 that bfloat16, the upper half of a float32, can hold."""
    bits = np.asarray(values, np.float32).reshape(-1).view(np.uint32)
    bits = bits[bits != 0]
    return float(((bits & 0xFFFF) == 0).mean()) if bits.size else 0.0


def test_a_rounded_number_is_seen():
    assert rounded_share([1.0, 0.5, 0.0]) == 1.0
    assert rounded_share([1.001, 0.3]) == 0.0


@pytest.mark.parametrize(
    "settings",
    [
        SGD,
        pytest.param((*SGD, *MICROBATCHES), marks=pytest.mark.slow),
        pytest.param(MOMENTUM, marks=pytest.mark.slow),
        pytest.param(ADAM, marks=pytest.mark.slow),
        pytest.param(ADAFACTOR, marks=pytest.mark.slow),
        pytest.param((*ADAM, *tiny.STANDARD), marks=pytest.mark.slow),
    ],
)
def test_nothing_that_is_kept_is_rounded_and_weights_move_as_in_float32(settings, tmp_path):
    wanted = tiny.train(tmp_path, *PARTS, *settings)
    found = tiny.train(tmp_path, *PARTS, *settings, weights=wanted.initial, precision="bfloat16")
    # The steps themselves were in bfloat16.
    assert found.losses != wanted.losses
    np.testing.assert_allclose(found.losses, wanted.losses, rtol=0.05)
    assert sorted(found.weights) == sorted(wanted.weights)
    for name, value in wanted.weights.items():
        if name == "global_step":
            continue
        assert rounded_share(found.weights[name]) < 0.5, name
        if not name.endswith(_KEPT):
            moved = (found.weights[name] - found.initial[name]).reshape(-1)
            wanted_move = (value - wanted.initial[name]).reshape(-1)
            cosine = moved @ wanted_move / np.linalg.norm(moved) / np.linalg.norm(wanted_move)
            # Three steps of rounded products lead a little away from each other.
            assert cosine > 0.6, name
