"""What the demo prints, and when it fails."""

from __future__ import annotations

import pytest

from code_t5.training import completion, figures, report, unigram


def evaluated(nats, *, num_tokens=1000):
    return figures.EvaluationFigures(
        step=300, nats_per_token=nats, token_accuracy=0.25, num_tokens=num_tokens, max_examples=1600
    )


BASELINE = unigram.UnigramFigures(nats_per_token=6.5, num_tokens=1000, num_train_tokens=90_000)


def test_training_loss_is_given_per_token_with_the_logged_one_beside_it():
    training = figures.TrainingFigures(300, 4.25, 4.5, 2.5, 300)
    assert report.training_lines(training, fill=0.5) == [
        "training: 300 steps, 4.25 steps/s",
        "  loss 9.00 -> 5.00 nats per token (logged 4.50 -> 2.50; 50% of the target positions hold "
        "a token)",
    ]


def test_evaluation_stands_beside_the_baseline():
    lines = report.evaluation_lines(evaluated(5.25), BASELINE)
    assert "validation: 5.250 nats per token at step 300, 25.0% of 1,000 tokens" in lines[0]
    assert "6.500 nats per token" in lines[1]


def test_completions_show_line_ends_and_escape_control_characters():
    example = completion.PromptExample(prompt="def f():\n\treturn", continuation=" 1\n")
    assert report.completion_lines([example], ["\x1b[2J x"]) == [
        "completion 1 of 1",
        "  prompt | def f():",
        "  prompt |     return",
        r"   model | \x1b[2J x",
        "    file |  1",
        "    file | ",
    ]


def test_model_clearly_below_the_baseline_has_learned():
    report.check_learned(evaluated(6.2), BASELINE)


@pytest.mark.parametrize("nats", [6.4, 6.5, 7.0, float("nan")])
def test_model_not_clearly_below_the_baseline_has_not(nats):
    with pytest.raises(report.NotLearnedError, match="train for more steps"):
        report.check_learned(evaluated(nats), BASELINE)


def test_comparison_over_other_tokens_is_refused():
    with pytest.raises(report.NotLearnedError, match="999 evaluated tokens and 1000"):
        report.check_learned(evaluated(1.0, num_tokens=999), BASELINE)
