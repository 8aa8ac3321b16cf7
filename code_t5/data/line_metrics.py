"""How well the rest of a line was completed, line by line.

A *question* is a file up to a cursor; its *answer* is the rest of the cursor's line, and a
*prediction* what somebody writes in its place. Both count up to their first line end and without
white space behind. A line is

- *exact*, if both are the same;
- *similar* by 1 - d / max(characters of the two), with d the least number of characters to insert,
  delete or replace (Levenshtein 1966) that turns one into the other;
- *saved* by the characters of its answer if it is exact, and by none if not: what a person need not
  type who takes the prediction where it is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from code_t5 import errors

# Names of what is measured, in the order in which it is shown.
MEASURES = ("exact_match", "edit_similarity", "characters_saved")
LINE_START, MID_LINE = "line_start", "mid_line"


class Answer(NamedTuple):
    """The right answer to a question.

    Attributes:
      text: The rest of the line.
      is_line_start: Whether the cursor stands at the line's start, right behind its indentation.
      is_cut: Whether the line goes on, though the Task's targets do not: nothing is exact then.
    """

    text: str
    is_line_start: bool
    is_cut: bool = False


class LineScore(NamedTuple):
    """What one prediction is worth.

    Attributes:
      is_exact: It is the answer.
      similarity: From 0 to 1.
      num_characters: Of the answer.
    """

    is_exact: bool
    similarity: float
    num_characters: int


def rest_of_line(text: str) -> str:
    r"""Returns what counts of a text: its first line, without white space at its end.

    >>> rest_of_line("return x  \nelse:")
    'return x'
    """
    return text.partition("\n")[0].rstrip()


def is_line_start(prompt: str) -> bool:
    r"""Says whether a file that ends here ends in nothing but a line's indentation.

    >>> is_line_start("def f():\n    "), is_line_start("def f():\n    ret")
    (True, False)
    """
    return not prompt.rpartition("\n")[2].strip()


def score_line(prediction: str, answer: str) -> LineScore:
    """Compares a prediction with the answer.

    Args:
      prediction: What was written at the cursor; may go on behind the line.
      answer: What the file holds there.

    Returns:
      What it is worth.

    >>> score_line("retrun x", "return x")
    LineScore(is_exact=False, similarity=0.75, num_characters=8)
    """
    import editdistance

    found, wanted = rest_of_line(prediction), rest_of_line(answer)
    longest = max(len(found), len(wanted))
    distance = editdistance.eval(found, wanted)
    similarity = 1 - distance / longest if longest else 1.0
    return LineScore(found == wanted, similarity, len(wanted))


def mean_scores(scores: Iterable[LineScore]) -> dict[str, float]:
    """Returns the measures of some lines, each line counted once.

    Args:
      scores: Of the lines.

    Returns:
      By the names of `MEASURES`: shares from 0 to 1; all are 0 without a line.

    >>> mean_scores([LineScore(True, 1.0, 3), LineScore(False, 0.5, 9)])
    {'exact_match': 0.5, 'edit_similarity': 0.75, 'characters_saved': 0.25}
    """
    table = np.array([tuple(score) for score in scores], dtype=np.float64).reshape(-1, 3)
    is_exact, similarity, num_characters = table.T
    num_lines, total = max(1, len(table)), max(1.0, num_characters.sum())
    shares = (
        is_exact.sum() / num_lines,
        similarity.sum() / num_lines,
        (is_exact * num_characters).sum() / total,
    )
    return {name: float(share) for name, share in zip(MEASURES, shares)}


def line_metrics(targets: Sequence[Answer], predictions: Sequence[str]) -> dict[str, float]:
    """Measures the predictions of a Task `<name>_line_completion`, as seqio and t5 ask for it.

    Args:
      targets: The answers.
      predictions: One text for each.

    Returns:
      The measures over all lines by their names, then those of the cursors at a line's start and
      mid-line, `line_start_exact_match` and so on, where there are such cursors.

    Raises:
      InputError: There are not as many answers as predictions.
    """
    if len(targets) != len(predictions):
        raise errors.InputError(
            f"found {len(targets)} answers to {len(predictions)} predictions; wanted one each: the "
            "examples must hold targets_pretokenized; evaluate with mesh_eval_dataset_fn, without "
            "runs/resumable.gin"
        )
    scores = [score_line(text, answer.text) for text, answer in zip(predictions, targets)]
    scores = [s._replace(is_exact=s.is_exact and not a.is_cut) for s, a in zip(scores, targets)]
    found = mean_scores(scores)
    for name, wanted in ((LINE_START, True), (MID_LINE, False)):
        chosen = [s for s, answer in zip(scores, targets) if answer.is_line_start == wanted]
        if chosen:
            found.update({f"{name}_{key}": value for key, value in mean_scores(chosen).items()})
    return found
