"""From scores of lines to figures: over all lines, by repository, and how sure they are.

The *micro* average counts every line once, so large repositories decide; the *macro* average counts
every repository once. The interval of each is that of a bootstrap over repositories (Efron &
Tibshirani, 1993, chapter 13): whole repositories are drawn with replacement, as lines of one
repository are alike, and the middle 95 % of the averages are shown. With few repositories the
intervals are wide, and should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5.data import line_metrics
from code_t5.data.line_metrics import LineScore

_NUM_DRAWS = 2000
_MIDDLE = (2.5, 97.5)


def summarize(scores: Sequence[LineScore], repositories: Sequence[str]) -> dict[str, Any]:
    """Returns the figures of some lines.

    Args:
      scores: Of the lines.
      repositories: Of each line.

    Returns:
      `num_lines`, `num_repositories`, and `micro` and `macro`: for each of
      `line_metrics.MEASURES` its `mean` and the `interval` of 95 %.
    """
    by_repository: dict[str, list[LineScore]] = {}
    for score, repository in zip(scores, repositories):
        by_repository.setdefault(repository, []).append(score)
    found: dict[str, Any] = {"num_lines": len(scores), "num_repositories": len(by_repository)}
    groups = [by_repository[name] for name in sorted(by_repository)]
    sums = _sums(groups)
    drawn = _draw(len(groups))
    for name, average in (("micro", _micro), ("macro", _macro)):
        means = average(sums[None])[0]
        spread = [average(sums[rows]) for rows in np.array_split(drawn, 20)] if groups else []
        bounds = np.percentile(np.concatenate(spread), _MIDDLE, axis=0) if spread else None
        found[name] = {
            measure: {
                "mean": float(means[i]),
                "interval": [float(bound[i]) for bound in bounds] if bounds is not None else [],
            }
            for i, measure in enumerate(line_metrics.MEASURES)
        }
    return found


def _sums(groups: Sequence[Sequence[LineScore]]) -> np.ndarray:
    """Returns of each repository what its averages are made of, and of how much.

    Returns:
      float64 `[num_repositories, 2, num_measures]`: numerators, then denominators.
    """
    rows = []
    for group in groups:
        table = np.array([tuple(score) for score in group], dtype=np.float64)
        is_exact, similarity, sizes = table.T
        above = [is_exact.sum(), similarity.sum(), (is_exact * sizes).sum()]
        rows.append([above, [len(table), len(table), sizes.sum()]])
    return np.array(rows, dtype=np.float64).reshape(-1, 2, len(line_metrics.MEASURES))


def _draw(num_repositories: int) -> np.ndarray:
    """Returns int64 `[draws, num_repositories]`: always the same, so that figures are too."""
    if not num_repositories:
        return np.zeros((0, 0), np.int64)
    generator = np.random.default_rng(0)
    return generator.integers(num_repositories, size=(_NUM_DRAWS, num_repositories))


def _micro(sums: np.ndarray) -> np.ndarray:
    """Returns `[draws, num_measures]` of sums `[draws, num_repositories, 2, num_measures]`."""
    total = sums.sum(axis=1)
    return total[:, 0] / np.maximum(total[:, 1], 1)


def _macro(sums: np.ndarray) -> np.ndarray:
    means = sums[:, :, 0] / np.maximum(sums[:, :, 1], 1)
    return means.mean(axis=1) if means.shape[1] else np.zeros((len(means), means.shape[2]))


def summarize_cursors(
    scores: Sequence[LineScore],
    *,
    repositories: Sequence[str],
    is_line_start: Sequence[bool],
) -> dict[str, Any]:
    """Returns the figures of all lines, and of the cursors at a line's start and mid-line.

    Args:
      scores: Of the lines.
      repositories: Of each line.
      is_line_start: Of each line, whether its cursor stands at its start.

    Returns:
      `all`, `line_start` and `mid_line` as `summarize` has them, and `repositories`: the micro
      averages of each with its number of lines.
    """
    chosen = {
        "all": np.ones(len(scores), bool),
        line_metrics.LINE_START: np.array(is_line_start, bool),
        line_metrics.MID_LINE: ~np.array(is_line_start, bool),
    }
    found: dict[str, Any] = {}
    for name, mask in chosen.items():
        (places,) = np.nonzero(mask)
        found[name] = summarize([scores[i] for i in places], [repositories[i] for i in places])
    found["repositories"] = _by_repository(scores, repositories)
    return found


def _by_repository(
    scores: Sequence[LineScore], repositories: Sequence[str]
) -> Mapping[str, Mapping[str, float]]:
    rows: dict[str, list[LineScore]] = {}
    for score, repository in zip(scores, repositories):
        rows.setdefault(repository, []).append(score)
    return {
        name: {"num_lines": len(rows[name]), **line_metrics.mean_scores(rows[name])}
        for name in sorted(rows)
    }
