"""The unbiased estimator of pass@k.

pass@k is the chance that at least one of k programs drawn from a model solves a problem. Of n
programs of which c are right, it is estimated by 1 - C(n - c, k) / C(n, k) (Chen et al.,
"Evaluating Large Language Models Trained on Code", 2021, section 2.1), and the mean is taken over
problems.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from code_t5 import errors


class PassRate(NamedTuple):
    """pass@k over some problems.

    Attributes:
      k: Programs drawn for each.
      estimate: Mean over the problems.
      standard_error: Of that mean, problems taken as drawn at random; 0 for a single one.
    """

    k: int
    estimate: float
    standard_error: float


def pass_at_k(num_programs: int, *, num_right: int, k: int) -> float:
    """Returns the estimate for one problem.

    Args:
      num_programs: How many programs were tried.
      num_right: How many of them are right.
      k: Programs drawn.

    Raises:
      InputError: There are fewer programs than `k`.

    >>> round(pass_at_k(5, num_right=2, k=2), 3)
    0.7
    """
    if not 1 <= k <= num_programs or not 0 <= num_right <= num_programs:
        raise errors.InputError(
            f"pass@{k} was asked for and a problem has {num_programs} samples; wanted as many "
            "samples as the largest k; give a larger --num_samples or a smaller -k"
        )
    # The product form: numbers stay small however many programs there are.
    return 1.0 - math.prod(
        1.0 - k / n for n in range(num_programs - num_right + 1, num_programs + 1)
    )


def pass_rates(counts: Sequence[tuple[int, int]], *, ks: Sequence[int]) -> list[PassRate]:
    """Returns pass@k over some problems for each k.

    Args:
      counts: Of each problem, how many programs were tried and how many are right.
      ks: Programs drawn.

    Raises:
      InputError: A problem has fewer programs than a `k`, or there is no problem.
    """
    if not counts:
        raise errors.InputError("pass@k of no problems was asked for; wanted one or more; add some")
    rates = []
    for k in sorted(set(ks)):
        values = [pass_at_k(total, num_right=right, k=k) for total, right in counts]
        mean = sum(values) / len(values)
        spread = sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
        rates.append(PassRate(k, mean, math.sqrt(spread / len(values))))
    return rates
