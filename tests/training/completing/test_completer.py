"""Completions of a model that the real trainer trained, loaded from its export."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from code_t5 import errors
from code_t5.training import completion
from code_t5.training.completing import completer as completing
from code_t5.training.completing.completer import DecodingOptions
from code_t5.training.prompts import Gap

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROMPTS = ["import os\n\n\ndef main(", "", "class A:\n    x = 1\n", "x" * 3000, "é\t\r\n"]


def _scores(completer, prompt, token_ids):
    """Returns the log-probability of each token, by one pass over the whole of them."""
    import torch

    inputs = torch.tensor([completer.prompts.encode(prompt).input_ids])
    with torch.inference_mode():
        logits = completer._model(
            input_ids=inputs, decoder_input_ids=torch.tensor([[0, *token_ids]])
        ).logits[0]
    return torch.log_softmax(logits.double(), dim=-1).numpy()


def _greedy_ids(completer, prompt, num_tokens):
    """Returns what greedy decoding must give, a token at a time."""
    found = []
    for _ in range(num_tokens):
        found.append(int(np.argmax(_scores(completer, prompt, found)[-1])))
        if found[-1] == 1:
            break
    return found


def test_greedy_candidate_is_the_likeliest_token_every_time(completer):
    prompt = PROMPTS[0]
    wanted = _greedy_ids(completer, prompt, 12)
    (found,) = completer.complete([prompt], options=DecodingOptions(max_new_tokens=12))[0]
    assert found.text == completer._vocabulary.decode(wanted)
    assert found.num_tokens == len(wanted)
    assert found.is_finished == (wanted[-1] == 1)
    scores = _scores(completer, prompt, wanted)
    assert found.score == pytest.approx(
        sum(scores[place, token] for place, token in enumerate(wanted)), abs=1e-3
    )


def test_prompts_together_are_completed_as_each_alone(completer):
    options = DecodingOptions(max_new_tokens=6, num_candidates=2)
    together = completer.complete(PROMPTS, options=options)
    for prompt, candidates in zip(PROMPTS, together):
        alone = completer.complete([prompt], options=options)[0]
        assert [one.text for one in candidates] == [one.text for one in alone]
        assert candidates[0].score == pytest.approx(alone[0].score, abs=1e-3)


def test_beam_finds_the_best_of_all_texts(completer):
    # Two tokens: all that can be written is scored, and a wide beam misses nothing.
    options = DecodingOptions(max_new_tokens=2, num_candidates=3, num_beams=24)
    found = completer.complete(["def f("], options=options)[0]
    first = _scores(completer, "def f(", [])[0]
    best = []
    for token in np.argsort(-first)[:24].tolist():
        if token == 1:
            best.append(first[token])
            continue
        second = _scores(completer, "def f(", [token])[1]
        best += (first[token] + np.sort(second)[-3:]).tolist()
    assert [one.score for one in found] == pytest.approx(sorted(best)[::-1][:3], abs=1e-3)
    assert len({one.text for one in found}) == 3


def test_drawing_follows_its_seed_and_its_limits(completer):
    options = DecodingOptions(max_new_tokens=8, num_candidates=4, temperature=1.0, seed=3)
    found = completer.complete(["import "], options=options)[0]
    again = completer.complete(["import "], options=options)[0]
    assert [one.text for one in again] == [one.text for one in found]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    other = completer.complete(["import "], options=dataclasses.replace(options, seed=4))[0]
    assert [one.text for one in other] != [one.text for one in found]
    # The likeliest token alone is left to draw.
    single = dataclasses.replace(options, top_k=1)
    greedy = completer.complete(["import "], options=DecodingOptions(max_new_tokens=8))[0][0]
    assert {one.text for one in completer.complete(["import "], options=single)[0]} == {greedy.text}
    narrow = dataclasses.replace(options, top_p=1e-6)
    assert {one.text for one in completer.complete(["import "], options=narrow)[0]} == {greedy.text}


def test_drawing_leaves_torch_as_it_was(completer):
    import torch

    before = torch.get_rng_state()
    completer.complete(["x"], options=DecodingOptions(max_new_tokens=2, temperature=1.0))
    assert torch.equal(before, torch.get_rng_state())


def test_token_that_holds_a_line_end_gives_what_stands_before_it(completer, monkeypatch):
    class _Vocabulary:
        def decode(self, token_ids):
            return "".join({10: "x = ", 11: "1)\r\n    y"}[one] for one in token_ids)

    monkeypatch.setattr(completer, "_vocabulary", _Vocabulary())
    monkeypatch.setattr(completer, "_newline_ids", frozenset({11}))
    scores = [-1.0, -2.0, -4.0, 0.0]
    line = DecodingOptions(stop_at_newline=True)
    found = completer._candidate([10, 11, 0, 0], scores, stop_ids={1, 11}, options=line)
    assert found == completing.Candidate("x = 1)", -3.0, 2, True)
    whole = DecodingOptions()
    found = completer._candidate([10, 11, 1, 0], scores, stop_ids={1}, options=whole)
    assert found == completing.Candidate("x = 1)\r\n    y", -7.0, 3, True)
    cut = completer._candidate([10, 10], scores[:2], stop_ids={1}, options=whole)
    assert cut == completing.Candidate("x = x = ", -3.0, 2, False)


def test_no_candidate_of_one_line_holds_a_line_end(completer):
    options = DecodingOptions(
        max_new_tokens=24, num_candidates=4, temperature=1.5, stop_at_newline=True
    )
    found = list(itertools.chain(*completer.complete(PROMPTS, options=options)))
    assert not any("\n" in one.text for one in found)
    assert any(one.is_finished and one.num_tokens < 24 for one in found)


def test_tokens_with_line_ends_are_known(completer):
    model = completer._vocabulary
    ids = [token for line in ("a\nb", "\n\n", "x\r\n    y") for token in model.encode(line)]
    wanted = {token for token in ids if "\n" in model.decode([token])}
    assert wanted
    assert wanted <= completer._newline_ids
    assert not completer._newline_ids & set(model.encode("def f(x): return x"))


@pytest.mark.parametrize(
    "change",
    [
        *({"max_new_tokens": 0}, {"num_candidates": 0}, {"num_beams": 1000}, {"temperature": -1}),
        *({"temperature": float("nan")}, {"top_p": 0.0}, {"top_k": -1}, {"seed": -1}),
        {"num_beams": 2, "temperature": 0.5},
    ],
    ids=repr,
)
def test_options_out_of_range_are_refused(change):
    with pytest.raises(errors.InputError, match="wanted"):
        DecodingOptions(**change)


def test_many_prompts_go_in_batches(completer, monkeypatch):
    monkeypatch.setattr(completing, "_MAX_ROWS", 4)
    options = DecodingOptions(max_new_tokens=3, num_candidates=2)
    prompts = [f"x{number} = " for number in range(5)]
    found = completer.complete(prompts, options=options)
    assert [len(candidates) for candidates in found] == [2] * 5
    alone = completer.complete([prompts[3]], options=options)[0]
    assert [one.text for one in found[3]] == [one.text for one in alone]
    assert completer.complete([], options=options) == []


def test_gap_of_a_model_that_reads_prefixes_is_its_prefix(completer):
    options = DecodingOptions(max_new_tokens=4)
    gap, prefix = completer.complete([Gap("a = ", "\nb"), "a = "], options=options)
    assert [one.text for one in gap] == [one.text for one in prefix]
    # Rows of one batch may differ in their last bits.
    assert gap[0].score == pytest.approx(prefix[0].score, abs=1e-3)


_WITHOUT_TENSORFLOW = """
import sys
from code_t5.training.completing import completer
model = completer.Completer.from_model_dir(sys.argv[1], data_dir=sys.argv[2])
print(len(model.complete(["x"])[0]), "tensorflow" in sys.modules)
"""


def test_second_start_needs_no_tensorflow(exported_small, trained_small):
    model_dir = exported_small.directory.parents[1]
    found = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TENSORFLOW, str(model_dir), str(trained_small.data_dir)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["1", "False"]


@pytest.mark.slow
@pytest.mark.usefixtures("trainer_at_root")
def test_greedy_text_is_what_the_trainer_decodes(completer, small_model):
    wanted = completion.complete(
        PROMPTS,
        model_dir=small_model.model_dir,
        mixture_or_task_name=small_model.task,
        data_dir=small_model.data_dir,
        max_tokens=24,
    )
    found = completer.complete(PROMPTS, options=DecodingOptions(max_new_tokens=24))
    assert [candidates[0].text for candidates in found] == wanted
