"""Draws an evaluation's figures over the checkpoints, as SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

_BASELINES = {"ngram": ("n-gram", "--"), "next_line": ("most frequent next line", ":")}


def draw(found: Mapping[str, Any]) -> bytes:
    """Returns a plot of exact match and loss by training step, with the baselines as lines.

    Args:
      found: The results, as `results` describes them.

    Returns:
      SVG; the same results give the same bytes.
    """
    import matplotlib
    from matplotlib.backends import backend_svg
    from matplotlib.figure import Figure

    # Names of elements are drawn at random otherwise.
    with matplotlib.rc_context({"svg.hashsalt": "code_t5", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        backend_svg.FigureCanvasSVG(figure)
        left, right = figure.subplots(1, 2)
        _draw_lines(left, found)
        _draw_losses(right, found)
        for axes in (left, right):
            axes.set_xlabel("training step")
            axes.grid(visible=True, alpha=0.3)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _draw_lines(axes: Any, found: Mapping[str, Any]) -> None:
    steps = [entry["step"] for entry in found["checkpoints"]]
    matches = [entry["lines"]["all"]["micro"]["exact_match"] for entry in found["checkpoints"]]
    means = [match["mean"] for match in matches]
    bounds = [match["interval"] for match in matches]
    spread = [
        # A bootstrap's interval may lie beside its mean, if seldom.
        [max(0.0, mean - low) for mean, (low, _) in zip(means, bounds)],
        [max(0.0, high - mean) for mean, (_, high) in zip(means, bounds)],
    ]
    axes.errorbar(steps, means, yerr=spread, marker="o", capsize=3, label="model")
    for name, (title, style) in _BASELINES.items():
        if name in found["baselines"]:
            lines = found["baselines"][name]["lines"]["all"]
            mean = lines["micro"]["exact_match"]["mean"]
            axes.axhline(mean, linestyle=style, color="black", label=title)
    axes.set_title(f"full lines written exactly, {found['split']}")
    axes.set_ylabel("share of lines")
    axes.set_ylim(bottom=0)
    axes.legend()


def _draw_losses(axes: Any, found: Mapping[str, Any]) -> None:
    measured = [entry for entry in found["checkpoints"] if entry["loss"]]
    steps = [entry["step"] for entry in measured]
    losses = [entry["loss"]["bits_per_byte"] for entry in measured]
    axes.plot(steps, losses, marker="o")
    axes.set_title(f"loss on {found['task']}")
    axes.set_ylabel("bits per byte of the targets")
