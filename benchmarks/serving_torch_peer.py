"""The peer of `benchmarks.serving`: the same server, with torch's `generate` as its model.

Prints the server's address; ends with its standard input. Run by `benchmarks.serving`.
"""

from __future__ import annotations

import pathlib
import sys
import threading
from collections.abc import Sequence
from typing import Any

from absl import flags

from code_t5 import command_line
from code_t5.training.completing import completer
from code_t5.training.hugging_face import opening
from code_t5.training.serving import listening, server
from code_t5.training.serving.limits import Limits
from code_t5.training.serving.predictions import Prediction, Prompt, ScoredText

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "The trained model.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where its data set was built.")
_MAX_NEW_TOKENS = flags.DEFINE_integer("max_new_tokens", 16, "Of one answer.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 4, "Most prompts at once.")


class TorchModel:
    """The Hugging Face export of a model, greedily decoded; a `ServedModel`."""

    name = "torch"
    num_candidates = 1
    reads_suffix = False
    signature_def: dict[str, Any] = {}  # noqa: RUF012

    def __init__(
        self, export: opening.HuggingFaceExport, *, max_new_tokens: int, batch_size: int
    ) -> None:
        """Loads the model and runs it once."""
        self._completer = completer.Completer(export)
        self._options = completer.DecodingOptions(max_new_tokens=max_new_tokens)
        self.version = export.step
        self.batch_size = batch_size
        self.max_prompt_tokens = export.sequence_length["inputs"]
        self.max_new_tokens = max_new_tokens
        self.vocab_size = 1
        self._completer.complete(["a"] * batch_size, options=self._options)

    def predict(self, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Returns a prediction per prompt."""
        texts = [prompt.text or "" for prompt in prompts]
        return [
            Prediction(
                candidates=tuple(ScoredText(one.text, one.score) for one in candidates),
                output_ids=[],
                scores=[],
                num_prompt_tokens=0,
                num_new_tokens=sum(one.num_tokens for one in candidates),
            )
            for candidates in self._completer.complete(texts, options=self._options)
        ]


def main(argv: Sequence[str]) -> None:
    """Serves until the standard input ends."""
    del argv
    data_dir = pathlib.Path(_DATA_DIR.value) if _DATA_DIR.value else None
    export = opening.latest_export(_MODEL_DIR.value, data_dir=data_dir)
    model = TorchModel(export, max_new_tokens=_MAX_NEW_TOKENS.value, batch_size=_BATCH_SIZE.value)
    taken = listening.take_port(listening.LOOPBACK, 0)

    def started(running: Any) -> None:
        def wait() -> None:
            sys.stdin.read()
            running.should_exit = True

        threading.Thread(target=wait, daemon=True).start()
        print(f"page:    {listening.address_of(taken)}", flush=True)

    server.run_server(model, taken=taken, limits=Limits(), on_start=started)


if __name__ == "__main__":
    command_line.run(main)
