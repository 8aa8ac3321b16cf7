"""Completes a whole file of prompts, and goes on where an interrupted run stopped.

A *prompt file* holds texts, or objects with a `prompt` and perhaps a `suffix`, as JSON lines or one
JSON list. The output gets a line for each, in their order: the object's other fields as they were,
and `candidates`. Until the last is there they are kept beside it, in `.<name>.part`. The lock of
its writers, `.<name>.lock`, stays: who removes a lock takes it from under those that wait for it.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from code_t5 import errors, progress
from code_t5.storage import atomic, fingerprints
from code_t5.training.completing import json_rows
from code_t5.training.completing.completer import Completer, DecodingOptions
from code_t5.training.completing.records import RecordFile
from code_t5.training.prompts import Gap, Prompt

# Prompts that are completed before what came is written down.
_CHUNK = 32


def read_prompts(path: str | os.PathLike[str]) -> list[tuple[dict[str, Any], Prompt]]:
    """Reads a prompt file.

    Args:
      path: The file.

    Returns:
      Of each prompt the object that it stands in, and the prompt.

    Raises:
      InputError: It holds something else, or nothing.
    """
    found: list[tuple[dict[str, Any], Prompt]] = []
    for where, row in json_rows.read_rows(path):
        if isinstance(row, str):
            row = {"prompt": row}
        if not isinstance(row, dict):
            raise errors.InputError(
                f"{where} is of type {type(row).__name__}; wanted a text or an object with a field "
                "'prompt'; mend the file"
            )
        code = _code_field(row, name="prompt", where=where)
        prompt: Prompt = code
        if "suffix" in row:
            prompt = Gap(code, _code_field(row, name="suffix", where=where))
        found.append((row, prompt))
    if not found:
        raise errors.InputError(f"{path} holds no prompt; wanted one or more; name another file")
    return found


def _code_field(row: dict[str, Any], *, name: str, where: str) -> str:
    """Returns a field that a vocabulary can encode.

    Raises:
      InputError: It is missing, or something else.
    """
    text = json_rows.text_field(row, name=name, where=where)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise errors.InputError(
            f"{where} has half a character (a lone surrogate) in its field {name!r}; wanted valid "
            "Unicode; mend the file"
        ) from error
    return text


def check_output(output_path: pathlib.Path, *, prompts_path: pathlib.Path) -> None:
    """Looks whether an output can be written, before anything is completed.

    Args:
      output_path: Where it is to go.
      prompts_path: The prompt file.

    Raises:
      InputError: It is the prompt file itself, or something else than a file.
    """
    if not output_path.exists():
        return
    if output_path.samefile(prompts_path):
        raise errors.InputError(
            f"--output is the prompt file {prompts_path} itself; wanted another file; name one"
        )
    if not output_path.is_file():
        raise errors.InputError(
            f"--output {output_path} is no file; wanted a file to write or to replace; name one"
        )


def complete_file(
    prompts: list[tuple[dict[str, Any], Prompt]],
    *,
    output_path: pathlib.Path,
    completer: Completer,
    options: DecodingOptions,
) -> None:
    """Completes the prompts of a file.

    Args:
      prompts: What `read_prompts` returned.
      output_path: Gets JSON lines, in one step when all are there.
      completer: The model.
      options: How candidates are found.

    Raises:
      InputError: What lies beside the output is of another run.
      BusyError: Another process writes the same output.
    """
    part_path = output_path.with_name(f".{output_path.name}.part")
    lock_path = output_path.with_name(f".{output_path.name}.lock")
    run = {
        "prompts": fingerprints.hash_json([row for row, _ in prompts]),
        "model": completer.export.fingerprint,
        "options": dataclasses.asdict(options),
    }
    with atomic.lock(lock_path, purpose="completes prompts there"):
        part = RecordFile(part_path)
        if not part.records:
            part.append(run)
        elif part.records[0] != run:
            raise errors.InputError(
                f"{part_path} is of a run with other prompts, options or another model; wanted "
                "this run's; remove it, or give another --output"
            )
        for record in _complete_rest(prompts, part, completer=completer, options=options):
            part.append(record)
        # The first record says what the run is.
        lines = part_path.read_bytes().split(b"\n", 1)[1]
        atomic.write_file(output_path, lines)
        part_path.unlink()


def _complete_rest(
    prompts: list[tuple[dict[str, Any], Prompt]],
    part: RecordFile,
    *,
    completer: Completer,
    options: DecodingOptions,
) -> Iterator[dict[str, Any]]:
    """Yields the outputs that are not there yet."""
    num_done = len(part.records) - 1
    bar = progress.progress_bar(
        description="completing", unit="prompt", total=len(prompts), initial=num_done
    )
    with bar:
        # From where a chunk began, so that what is drawn does not depend on where it stopped.
        for start in range(num_done // _CHUNK * _CHUNK, len(prompts), _CHUNK):
            chunk = prompts[start : start + _CHUNK]
            found = completer.complete(
                [prompt for _, prompt in chunk],
                options=dataclasses.replace(options, seed=options.seed + start),
            )
            for number, ((row, _), candidates) in enumerate(zip(chunk, found), start=start):
                if number >= num_done:
                    yield {**row, "candidates": [dataclasses.asdict(one) for one in candidates]}
                    bar.update(1)
