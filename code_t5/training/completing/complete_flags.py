"""The flags of `scripts/complete.py`, and what they ask for."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterator, Sequence

from absl import flags

from code_t5 import errors
from code_t5.training.completing import batches, cursors, shown
from code_t5.training.completing.completer import Completer, DecodingOptions
from code_t5.training.prompts import GAP_OBJECTIVES, Gap

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "The model directory, or an export of it.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the model's data set was built.")
_CHECKPOINT = flags.DEFINE_integer("checkpoint", None, "The model's step; the newest if not given.")
_NUM_CANDIDATES = flags.DEFINE_integer("num_candidates", 1, "Texts for each prompt.")
_NUM_BEAMS = flags.DEFINE_integer("num_beams", 1, "Width of the beam; at least --num_candidates.")
_TEMPERATURE = flags.DEFINE_float("temperature", 0.0, "Above 0 candidates are drawn.")
_TOP_K = flags.DEFINE_integer("top_k", 0, "Draw among so many tokens; 0 for all.")
_TOP_P = flags.DEFINE_float("top_p", 1.0, "Share of probability that is drawn from.")
_MAX_TOKENS = flags.DEFINE_integer("max_tokens", 64, "Most tokens of a candidate.")
_LINES = flags.DEFINE_enum("lines", "all", ["one", "all"], "Stop at the line's end, or not.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the drawing.")
_JSON = flags.DEFINE_bool("json", False, "Print one JSON list.")
_PROMPTS = flags.DEFINE_string("prompts", None, "A file of prompts, in place of a cursor.")
_OUTPUT = flags.DEFINE_string("output", None, "Gets JSON lines; with --prompts.")


def _options() -> DecodingOptions:
    return DecodingOptions(
        max_new_tokens=_MAX_TOKENS.value,
        num_candidates=_NUM_CANDIDATES.value,
        num_beams=_NUM_BEAMS.value,
        temperature=_TEMPERATURE.value,
        top_k=_TOP_K.value,
        top_p=_TOP_P.value,
        stop_at_newline=_LINES.value == "one",
        seed=_SEED.value,
    )


def _completer() -> Completer:
    """Loads the model.

    Raises:
      InputError: None is named.
    """
    if not _MODEL_DIR.value:
        raise errors.InputError("no --model_dir was given; wanted a trained model; name its folder")
    folder = pathlib.Path(_MODEL_DIR.value)
    if (folder / "config.json").is_file():
        return Completer.from_export(folder)
    return Completer.from_model_dir(folder, data_dir=_DATA_DIR.value, step=_CHECKPOINT.value)


def run(places: Sequence[str]) -> Iterator[str]:
    """Does what the flags ask for.

    Args:
      places: `FILE:LINE:COLUMN`, or nothing for standard input.

    Yields:
      Lines to print.

    Raises:
      InputError: Something that was handed in does not fit.
      ArtifactError: The model is damaged.
    """
    options = _options()
    if _PROMPTS.value:
        if places or not _OUTPUT.value:
            raise errors.InputError(
                "--prompts was given with a cursor or without --output; wanted a file to read and "
                "one to write; give --prompts FILE --output FILE"
            )
        prompts, output = batches.read_prompts(_PROMPTS.value), pathlib.Path(_OUTPUT.value)
        batches.complete_file(prompts, output_path=output, completer=_completer(), options=options)
        yield f"{len(prompts)} prompts completed: {output}"
        return
    gap = _read_gap(places)
    completer = _completer()
    # Models of the other objectives read what stands before the cursor alone.
    is_gap = completer.export.objective in GAP_OBJECTIVES
    found = completer.complete([gap if is_gap else gap.prefix], options=options)[0]
    if _JSON.value:
        yield json.dumps([dataclasses.asdict(one) for one in found])
    else:
        yield from shown.shown_lines(found)


def _read_gap(places: Sequence[str]) -> Gap:
    """Returns what is to be completed.

    Raises:
      InputError: It cannot be read, or several were named.
    """
    if len(places) > 1:
        raise errors.InputError(
            f"found {len(places)} places; wanted one FILE:LINE:COLUMN, or none for standard input; "
            "give one, or a file of prompts with --prompts"
        )
    if places and places[0] != "-":
        return cursors.split_at_cursor(places[0])
    return Gap(cursors.decode_code(sys.stdin.buffer.read(), where="standard input"), "")
