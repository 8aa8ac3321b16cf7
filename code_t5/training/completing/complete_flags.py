"""The flags of `scripts/complete.py`, and what they ask for."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import sys
from collections.abc import Iterator, Sequence

from absl import flags

from code_t5 import errors
from code_t5.training.completing import batches, cursors, shown
from code_t5.training.completing.completer import Completer, DecodingOptions
from code_t5.training.prompts import GAP_OBJECTIVES, Gap


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags; not on import, where they would clash with those of other programs.

    Args:
      values: Gets them.
    """
    text = functools.partial(flags.DEFINE_string, flag_values=values)
    whole = functools.partial(flags.DEFINE_integer, flag_values=values)
    real = functools.partial(flags.DEFINE_float, flag_values=values)
    text("model_dir", None, "The model directory, or an export of it.")
    text("data_dir", None, "Where the model's data set was built.")
    whole("step", None, "Of the checkpoint; the newest by default.")
    whole("num_candidates", 1, "Texts for each prompt.")
    whole("num_beams", 1, "Width of the beam; at least --num_candidates.")
    real("temperature", 0.0, "Above 0 candidates are drawn.")
    whole("top_k", 0, "Draw among so many tokens; 0 for all.")
    real("top_p", 1.0, "Share of probability that is drawn from.")
    whole("max_tokens", 64, "Most tokens of a candidate.")
    flags.DEFINE_enum(
        "lines", "all", ["one", "all"], "Stop at the line's end, or not.", flag_values=values
    )
    whole("seed", 0, "Of the drawing.")
    flags.DEFINE_bool("json", False, "Print one JSON list.", flag_values=values)
    text("prompts", None, "A file of prompts, in place of a cursor.")
    text("output", None, "Gets JSON lines; with --prompts.")


def _options(values: flags.FlagValues) -> DecodingOptions:
    return DecodingOptions(
        max_new_tokens=values.max_tokens,
        num_candidates=values.num_candidates,
        num_beams=values.num_beams,
        temperature=values.temperature,
        top_k=values.top_k,
        top_p=values.top_p,
        stop_at_newline=values.lines == "one",
        seed=values.seed,
    )


def _completer(values: flags.FlagValues) -> Completer:
    """Loads the model.

    Raises:
      InputError: None is named, or an export and a step of it.
    """
    if not values.model_dir:
        raise errors.InputError("no --model_dir was given; wanted a trained model; name its folder")
    folder = pathlib.Path(values.model_dir)
    if not (folder / "config.json").is_file():
        return Completer.from_model_dir(folder, data_dir=values.data_dir, step=values.step)
    if values.step is not None:
        raise errors.InputError(
            f"--step was given with the export {folder}; wanted a model directory, or an export, "
            "which is of one step; leave out --step"
        )
    return Completer.from_export(folder)


def run(places: Sequence[str], *, values: flags.FlagValues = flags.FLAGS) -> Iterator[str]:
    """Does what the flags ask for.

    Args:
      places: `FILE:LINE:COLUMN`, or nothing for standard input.
      values: What `define` was given, parsed.

    Yields:
      Lines to print.

    Raises:
      InputError: Something that was handed in does not fit.
      ArtifactError: The model is damaged.
    """
    options = _options(values)
    if values.prompts:
        if places or not values.output:
            raise errors.InputError(
                "--prompts was given with a cursor or without --output; wanted a file to read and "
                "one to write; give --prompts FILE --output FILE"
            )
        prompts, output = batches.read_prompts(values.prompts), pathlib.Path(values.output)
        batches.check_output(output, prompts_path=pathlib.Path(values.prompts))
        completer = _completer(values)
        batches.complete_file(prompts, output_path=output, completer=completer, options=options)
        yield f"{len(prompts)} prompts completed: {output}"
        return
    if values.output:
        raise errors.InputError(
            "--output was given without --prompts; wanted a file of prompts for it; give --prompts "
            "FILE, or leave out --output"
        )
    gap = _read_gap(places)
    completer = _completer(values)
    # Models of the other objectives read what stands before the cursor alone.
    is_gap = completer.export.objective in GAP_OBJECTIVES
    found = completer.complete([gap if is_gap else gap.prefix], options=options)[0]
    if values.json:
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
