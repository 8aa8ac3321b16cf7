"""What `scripts/preview_task.py` does: reads a sample, and shows it."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from absl import logging

from code_t5 import errors, visible_text
from code_t5.data.preview import (
    html_report,
    list_report,
    listing,
    number_report,
    sampling,
    terminal_style,
    text_report,
    trainer_setup,
)
from code_t5.data.preview.preview_config import PreviewConfig
from code_t5.storage import atomic


def load_tensorflow() -> None:
    """Imports TensorFlow without what it says of its own doings.

    A program calls this before `absl.app.run`: imported first inside of it, TensorFlow reads no
    data sets.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")


def _provider(name: str) -> Any:
    """Returns a Task or Mixture by its name."""
    from code_t5.data import gin_mixtures, requested

    gin_mixtures.register_gin_mixtures([name])
    return requested.find(
        name,
        asked=f"a preview is asked for of {name!r}",
        wanted="Wanted one that is registered, or that a --gin_file defines; "
        "scripts/preview_task.py --list shows them all",
    )


def _write(lines: Iterable[str], stream: TextIO) -> None:
    try:
        for line in lines:
            stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough, as `head` has; Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _sample_lines(
    sample: sampling.Sample, config: PreviewConfig, style: terminal_style.Style
) -> Iterator[str]:
    yield style.paint("title", visible_text.one_line(sample.name))
    for fact in text_report.header_facts(sample):
        yield style.paint("soft", fact)
    yield from text_report.row_lines(
        sample, num_examples=config.num_examples, max_lines=config.max_lines, style=style
    )
    yield from number_report.summary_lines(sample, style)
    yield from number_report.suggestion_lines(sample, style)


def show_list(config: PreviewConfig, stream: TextIO | None = None) -> None:
    """Writes every Task and Mixture.

    Args:
      config: Where to look.
      stream: Where to write; by default standard output.

    Raises:
      InputError: A module or gin file is wrong.
    """
    stream = stream or sys.stdout
    # Importing TensorFlow turned on what it, seqio and TFDS say of every step.
    logging.set_verbosity(logging.WARNING)
    trainer_setup.register(config)
    trainer_setup.parse_gin(config)
    style = terminal_style.style_for(config.colour, stream)
    _write(list_report.list_lines(listing.list_entries(), style), stream)


def show(config: PreviewConfig, stream: TextIO | None = None) -> None:
    """Writes what a Task or Mixture gives the model, and the page if one is wanted.

    Args:
      config: What to show.
      stream: Where to write; by default standard output.

    Raises:
      InputError: There is no such Task or Mixture, split or example, or gin does not understand.
      NotBuiltError: A data set or a task cache is not built.
    """
    stream = stream or sys.stdout
    # Importing TensorFlow turned on what it, seqio and TFDS say of every step.
    logging.set_verbosity(logging.WARNING)
    trainer_setup.register(config)
    trainer_setup.parse_gin(config)
    provider = _provider(trainer_setup.requested_name(config))
    try:
        sample = sampling.take_sample(provider, config)
    except errors.CodeT5Error as error:
        # gin adds lines of its own to what is raised in what it calls, and makes a class for that,
        # which takes no message.
        kind = getattr(errors, type(error).__name__, errors.CodeT5Error)
        raise kind(str(error).split("\n")[0]) from error
    style = terminal_style.style_for(config.colour, stream)
    _write(_sample_lines(sample, config, style), stream)
    if config.html_path is not None:
        page = html_report.render(sample, num_examples=config.num_examples)
        atomic.write_file(config.html_path, page)
        _write(["", f"written: {visible_text.one_line(str(config.html_path))}"], stream)
