from __future__ import annotations

import numpy as np
import pytest
import torch

from code_t5.teacher_outputs import divergence
from code_t5.teacher_outputs.codec import TopKCodec, log_softmax
from code_t5.training.students import t5_losses

RNG = np.random.default_rng(0)
TEACHER = RNG.normal(scale=3.0, size=(6, 40)).astype(np.float32)
STUDENT = RNG.normal(scale=2.0, size=(6, 40)).astype(np.float32)


def _scores(logits, ids):
    return t5_losses.token_scores(
        torch.from_numpy(logits), weight=torch.eye(40), ids=torch.from_numpy(ids.astype(np.int64))
    )


def _divergences(codec, *, missing_mass, temperature=None):
    kept = codec.encode(TEACHER)
    wanted = codec.temperature if temperature is None else temperature
    is_kept = None if codec.mass is None else torch.from_numpy(kept.is_kept)
    student, sums = _scores(STUDENT / np.float32(wanted), kept.ids)
    return t5_losses.divergences(
        student,
        sums=sums,
        num_tokens=40,
        kept_logs=t5_losses.at_temperature(
            torch.from_numpy(kept.values.astype(np.float32)),
            is_kept=is_kept,
            ratio=codec.temperature / wanted,
        ),
        tail_mass=torch.from_numpy(kept.tail_mass),
        missing_mass=missing_mass,
    ).numpy()


@pytest.mark.parametrize("missing_mass", ["spread", "left_out"])
@pytest.mark.parametrize("mass", [None, 0.8])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_divergences_are_those_of_the_store(missing_mass, mass, temperature):
    codec = TopKCodec(vocab_size=40, k=8, mass=mass, temperature=temperature)
    wanted = divergence.divergence_from_stored(
        log_softmax(STUDENT / np.float32(temperature)),
        kept=codec.encode(TEACHER),
        codec=codec,
        tail=missing_mass,
    )
    found = _divergences(codec, missing_mass=missing_mass)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mass", [None, 0.8])
def test_one_bucket_takes_the_other_tokens_for_one(mass):
    codec = TopKCodec(vocab_size=40, k=8, mass=mass)
    kept = codec.encode(TEACHER)
    wanted = []
    for row in range(len(TEACHER)):
        ids = kept.ids[row][kept.is_kept[row]].astype(int)
        p = np.exp(kept.values[row][kept.is_kept[row]].astype(np.float64))
        q = np.exp(log_softmax(STUDENT[row : row + 1])[0].astype(np.float64))
        p = np.append(p, kept.tail_mass[row])
        q = np.append(q[ids], 1 - q[ids].sum())
        wanted.append((p * np.log(p / q)).sum())
    found = _divergences(codec, missing_mass="one_bucket")
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("missing_mass", t5_losses.MISSING_MASSES)
def test_with_all_tokens_every_temperature_is_exact(missing_mass):
    codec = TopKCodec(vocab_size=40, k=40)
    teacher, student = (
        log_softmax(logits / np.float32(3.0)).astype(np.float64) for logits in (TEACHER, STUDENT)
    )
    wanted = (np.exp(teacher) * (teacher - student)).sum(axis=1)
    found = _divergences(codec, missing_mass=missing_mass, temperature=3.0)
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("mass", [None, 0.8])
def test_another_temperature_leaves_the_missing_mass_as_it_was(mass):
    codec = TopKCodec(vocab_size=40, k=8, mass=mass)
    kept = codec.encode(TEACHER)
    logs = t5_losses.at_temperature(
        torch.from_numpy(kept.values.astype(np.float32)),
        is_kept=torch.from_numpy(kept.is_kept),
        ratio=0.5,
    )
    found = logs.exp().sum(dim=1).numpy()
    np.testing.assert_allclose(found, 1 - kept.tail_mass, atol=2e-3)


def test_a_student_that_says_the_same_has_no_divergence():
    codec = TopKCodec(vocab_size=40, k=8)
    kept = codec.encode(TEACHER)
    student, sums = _scores(np.log(np.maximum(codec.to_dense(kept), 1e-9)), kept.ids)
    for missing_mass in ("spread", "one_bucket"):
        found = t5_losses.divergences(
            student,
            sums=sums,
            num_tokens=40,
            kept_logs=torch.from_numpy(kept.values.astype(np.float32)),
            tail_mass=torch.from_numpy(kept.tail_mass),
            missing_mass=missing_mass,
        )
        np.testing.assert_allclose(found.numpy(), 0, atol=2e-3)


def test_scores_and_their_gradients_are_torchs():
    torch.manual_seed(0)
    states, weight = torch.randn(6, 5), torch.randn(40, 5)
    ids = torch.randint(40, (6, 8))
    ids[:, 1] = ids[:, 0]
    found, wanted = [], []
    for place, plain in ((found, False), (wanted, True)):
        parts = [states.clone().requires_grad_(), weight.clone().requires_grad_()]
        if plain:
            logs = (parts[0] @ parts[1].t()).log_softmax(dim=1)
            scores, sums = logs.gather(1, ids), logs.sum(dim=1)
        else:
            scores, sums = t5_losses.token_scores(parts[0], weight=parts[1], ids=ids)
        loss = (scores * torch.arange(8.0)).sum() + (sums * torch.arange(6.0)).sum()
        place += [scores, sums, *torch.autograd.grad(loss, parts)]
    for one, other in zip(found, wanted):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)
