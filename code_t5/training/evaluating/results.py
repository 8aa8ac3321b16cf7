"""What an evaluation found, as a file, a table and a plot.

`results.json` holds, in the schema that `FORMAT_VERSION` counts:

    format_name, format_version, task, split, libraries
    model         trained_on, sequence_length, d_model and further sizes; null where not known
    dataset       name, version, fingerprint, vocabulary_fingerprint
    cursors       number, most, bytes_per_cursor, line_start_share, max_new_tokens
    max_examples  of a split for the loss
    baselines     by name: about (its own), and lines
    checkpoints   in order of steps: step, fingerprint, loss, lines

`most` and `max_examples` are what was asked for, `libraries` those of the newest run. `lines` is
what `scores.summarize_cursors` returns, `loss` the fields of `losses.Loss` or null.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import errors
from code_t5.data import line_metrics
from code_t5.storage import atomic

FORMAT_NAME = "code_t5_evaluation"
FORMAT_VERSION = 2
FILE_NAME = "results.json"
TABLE_NAME = "table.txt"
PLOT_NAME = "plot.svg"
# Results that differ in one of these do not compare.
_SETTINGS = ("task", "split", "model", "dataset", "cursors", "max_examples")
_KINDS = (("all", "all"), (line_metrics.LINE_START, "start"), (line_metrics.MID_LINE, "mid"))
_TITLES = {"ngram": "n-gram", "next_line": "next line"}


def write_results(folder: pathlib.Path, found: Mapping[str, Any]) -> None:
    """Writes `results.json`, the table and the plot.

    Args:
      folder: Where they go.
      found: The results, without the format's name and version.
    """
    from code_t5.training.evaluating import plot

    fields = {"format_name": FORMAT_NAME, "format_version": FORMAT_VERSION, **found}
    content = json.dumps(fields, indent=2, sort_keys=True, allow_nan=False) + "\n"
    atomic.write_file(folder / TABLE_NAME, "".join(f"{x}\n" for x in table(fields)).encode())
    atomic.write_file(folder / PLOT_NAME, plot.draw(fields))
    atomic.write_file(folder / FILE_NAME, content.encode("ascii"))


def read_results(folder: pathlib.Path) -> dict[str, Any]:
    """Reads what an evaluation found.

    Args:
      folder: Where its `results.json` is.

    Returns:
      Its fields.

    Raises:
      InputError: There is none.
      ArtifactError: It is damaged or of another format.
    """
    path = folder / FILE_NAME
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise errors.InputError(
            f"found no {path}; wanted an evaluation's results; run scripts/evaluate.py"
        ) from error
    except ValueError as error:
        raise errors.ArtifactError(
            f"{path} is not JSON; wanted an evaluation's results; run scripts/evaluate.py again"
        ) from error
    names = (FORMAT_NAME, FORMAT_VERSION)
    given = fields if isinstance(fields, dict) else {}
    if (given.get("format_name"), given.get("format_version")) != names:
        raise errors.ArtifactError(
            f"{path} is of the format {given.get('format_name')!r} {given.get('format_version')!r};"
            f" wanted {FORMAT_NAME!r} {FORMAT_VERSION}; run scripts/evaluate.py again"
        )
    return given


def with_earlier(found: Mapping[str, Any], folder: pathlib.Path) -> dict[str, Any]:
    """Adds checkpoints that earlier evaluations with the same settings found.

    Args:
      found: The new results.
      folder: Where earlier ones may be.

    Returns:
      The new results, with earlier checkpoints of other steps; without them where the earlier ones
      cannot be read, or are of other data or settings.
    """
    try:
        earlier = read_results(folder)
    except (errors.InputError, errors.ArtifactError):
        return dict(found)
    if any(earlier.get(name) != found[name] for name in _SETTINGS):
        return dict(found)
    by_step = {entry["step"]: entry for entry in [*earlier["checkpoints"], *found["checkpoints"]]}
    return {**found, "checkpoints": [by_step[step] for step in sorted(by_step)]}


def table(found: Mapping[str, Any]) -> list[str]:
    """Returns the results for people.

    Args:
      found: The results.

    Returns:
      Lines without line ends.
    """
    rows = [(f"step {entry['step']}", entry["lines"]) for entry in found["checkpoints"]]
    given = found["baselines"]
    rows += [(title, given[name]["lines"]) for name, title in _TITLES.items() if name in given]
    lines = [
        f"{found['task']} on {found['split']} of {found['dataset']['name']}",
        *_loss_lines(found["checkpoints"]),
    ]
    for average, title in (("micro", "every line once"), ("macro", "every repository once")):
        lines += ["", f"full lines, {title}; intervals of 95 % over repositories"]
        lines += _lines_table(rows, average=average)
    return lines


def _loss_lines(checkpoints: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for entry in checkpoints:
        loss = entry["loss"]
        if loss:
            lines.append(
                f"loss at step {entry['step']}: {loss['nats_per_token']:.3f} nats per token, "
                f"{loss['bits_per_byte']:.3f} bits per byte ({loss['num_tokens']:,} target tokens, "
                f"{loss['num_bytes']:,} bytes)"
            )
    return lines


def _lines_table(rows: Sequence[tuple[str, Mapping[str, Any]]], *, average: str) -> list[str]:
    head = ["", "cursors", "lines", "repositories", "exact match", "edit similarity", "saved"]
    cells = [head]
    for key, kind in _KINDS:
        for name, lines in rows:
            found = lines[key]
            if not found["num_lines"]:
                continue
            shares = [_share(found[average][measure]) for measure in line_metrics.MEASURES]
            cells.append(
                [name, kind, str(found["num_lines"]), str(found["num_repositories"]), *shares]
            )
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in cells]


def _share(measured: Mapping[str, Any]) -> str:
    low, high = measured["interval"]
    return f"{measured['mean']:6.1%} ({low:.1%} to {high:.1%})"
