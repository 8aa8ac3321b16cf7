"""What a T5 student's losses are made of: cross-entropy, and divergence from its teacher.

The loss of a position is `alpha * cross_entropy + (1 - alpha) * T^2 * divergence` (Hinton, Vinyals
and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2: the factor keeps the
gradients' size where the temperature T changes). The divergence is that of the student, with its
logits divided by T, from what the teacher said of that position, in nats.

A teacher's distribution is stored at the codec's temperature, of its most likely tokens. The other
tokens' mass is known, but not whose it is: *missing mass*. `spread` gives all of them the same
share, and the student has to do so too; `one_bucket` takes them for one token, whose probability
the student may give to any of them; `left_out` sums over the kept tokens alone, which is no
divergence: it can be negative, and a student learns more from it than the teacher said (Anshumann
et al., "Sparse Logit Sampling", 2025). Where T is not the codec's temperature, the kept tokens are
brought to it among themselves, and the missing mass stays what it was: exact if nothing is missing.
"""

from __future__ import annotations

from typing import Any

import torch

SPREAD, LEFT_OUT, ONE_BUCKET = MISSING_MASSES = ("spread", "left_out", "one_bucket")
# Keeps logarithms finite; float32 knows little that is smaller beside 1.
_SMALLEST = 1e-7


class _TokenScores(torch.autograd.Function):
    """`token_scores`, in few passes over the logits, which are most of the work."""

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, weight: torch.Tensor, ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the logarithm of the sum of all tokens, and the logits of some."""
        logits = states @ weight.t()
        chosen = logits.gather(1, ids)
        largest = logits.amax(dim=1, keepdim=True)
        powers = logits.sub_(largest).exp_()
        total = powers.sum(dim=1, keepdim=True)
        ctx.save_for_backward(states, weight, ids, powers, total)
        return (largest + total.log())[:, 0], chosen

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        """Returns the gradients of states and weight."""
        states, weight, ids, powers, total = ctx.saved_tensors
        of_total, of_chosen = gradients
        of_logits = powers * (of_total[:, None] / total)
        of_logits.scatter_add_(1, ids, of_chosen)
        return of_logits @ weight, of_logits.t() @ states, None


def token_scores(
    states: torch.Tensor, *, weight: torch.Tensor, ids: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the log-probabilities of some tokens at each position, and the sum of those of all.

    Args:
      states: float32 `[num_positions, d_model]`; the logits are these times the weight.
      weight: float32 `[vocab_size, d_model]`.
      ids: int64 `[num_positions, num_ids]`.

    Returns:
      float32 `[num_positions, num_ids]`, and float32 `[num_positions]`; both in nats.
    """
    total, chosen = _TokenScores.apply(states, weight, ids)
    sums = states @ weight.sum(dim=0) - len(weight) * total
    return chosen - total[:, None], sums


def at_temperature(
    kept_logs: torch.Tensor, *, is_kept: torch.Tensor | None, ratio: float
) -> torch.Tensor:
    """Brings the kept tokens to another temperature; their mass stays what it was.

    Args:
      kept_logs: float32 `[num_positions, k]`: log-probabilities as they are stored.
      is_kept: bool `[num_positions, k]`; None if all are.
      ratio: The stored temperature by that which is wanted.

    Returns:
      float32 `[num_positions, k]`, minus infinity where nothing is kept.
    """
    logs = kept_logs
    if is_kept is not None:
        logs = logs.masked_fill(~is_kept, float("-inf"))
    if ratio == 1:
        return logs
    mass = logs.logsumexp(dim=1, keepdim=True)
    return (ratio * logs).log_softmax(dim=1) + mass


def divergences(
    student: torch.Tensor,
    *,
    sums: torch.Tensor,
    num_tokens: int,
    kept_logs: torch.Tensor,
    tail_mass: torch.Tensor,
    missing_mass: str = SPREAD,
) -> torch.Tensor:
    """Returns how far a student is from what its teacher said, at each position.

    Args:
      student: float32 `[num_positions, k]`: its log-probabilities of the kept tokens.
      sums: float32 `[num_positions]`: the sum of its log-probabilities of all tokens.
      num_tokens: Of the vocabulary.
      kept_logs: float32 `[num_positions, k]`: the teacher's log-probabilities, at the temperature
        of the student's; minus infinity where nothing is kept.
      tail_mass: float32 `[num_positions]`: of all other tokens together.
      missing_mass: One of `MISSING_MASSES`.

    Returns:
      float32 `[num_positions]`, in nats.
    """
    is_kept = kept_logs > float("-inf")
    terms = kept_logs.exp() * (kept_logs.masked_fill(~is_kept, 0.0) - student)
    found = terms.masked_fill(~is_kept, 0.0).sum(dim=1)
    if missing_mass == LEFT_OUT:
        return found
    tail = tail_mass.clamp(min=0.0)
    log_tail = tail.clamp(min=_SMALLEST).log()
    if missing_mass == ONE_BUCKET:
        mine = student.exp().masked_fill(~is_kept, 0.0).sum(dim=1)
        return found + tail * (log_tail - (1 - mine).clamp(min=_SMALLEST).log())
    num_others = num_tokens - is_kept.sum(dim=1)
    log_share = log_tail - num_others.clamp(min=1).log()
    others = sums - student.masked_fill(~is_kept, 0.0).sum(dim=1)
    spread = tail * (log_share - others / num_others.clamp(min=1))
    return found + torch.where(num_others > 0, spread, torch.zeros_like(spread))
