"""A stand-in for an exported model: it answers at once, and misbehaves when it is told to."""

from __future__ import annotations

import threading
import time

from code_t5.training.serving import predictions


class FakeServedModel:
    """Goes on with the last words of a prompt; prompts with certain words in them misbehave.

    `wait SECONDS` takes its time, `raise` fails, `hold` waits until `release` is set. Token ids are
    answered with themselves, one higher.
    """

    name = "toy"
    version = 300
    batch_size = 4
    num_candidates = 3
    max_prompt_tokens = 8
    max_new_tokens = 4
    vocab_size = 100
    reads_suffix = False
    signature_def = {"serving_default": {"method_name": "tensorflow/serving/predict"}}  # noqa: RUF012

    def __init__(self):
        self.batches: list[list[predictions.Prompt]] = []
        self.release = threading.Event()
        self.started = threading.Event()

    def predict(self, prompts):
        """Answers; keeps what it was asked."""
        self.batches.append(list(prompts))
        self.started.set()
        found = [self._predict_one(prompt) for prompt in prompts]
        return found

    def _predict_one(self, prompt):
        text = prompt.text or ""
        if "raise" in text:
            raise RuntimeError(f"the secret inside of {text}")
        if "hold" in text:
            self.release.wait(20)
        if text.startswith("wait "):
            time.sleep(float(text.split()[1]))
        words = [f"{text[-12:]}<{index}>\n" for index in range(self.num_candidates)]
        ids = [one + 1 for one in prompt.token_ids or (1,)][: self.max_new_tokens]
        ids += [0] * (self.max_new_tokens - len(ids))
        scores = [-0.5 - index for index in range(self.num_candidates)]
        return predictions.Prediction(
            candidates=tuple(map(predictions.ScoredText, words, scores)),
            output_ids=[ids] * self.num_candidates,
            scores=[*scores[:-1], None],
            num_prompt_tokens=len(prompt.token_ids or text.split()),
            num_new_tokens=6,
        )
