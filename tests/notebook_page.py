"""Runs a page of the documentation as a notebook: its blocks, in order, in one process.

    python tests/notebook_page.py docs/token_cache.md

A block that begins with three backticks and `python` is run here, one with `shell` by bash in the
same directory. What a block prints must be what a `text` block straight after it holds; without
one, nothing is compared. Other blocks are not run. The first that fails ends the program.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import pathlib
import re
import subprocess
import sys
import traceback
from typing import Any, NamedTuple

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)


class Block(NamedTuple):
    """One piece of a page.

    Attributes:
      language: `python` or `shell`.
      line: Of the page, counted from 1, where its code begins.
      code: What is run.
      output: What it must print; None if anything will do.
    """

    language: str
    line: int
    code: str
    output: str | None


def read_blocks(text: str) -> list[Block]:
    """Returns what is to be run of a page."""
    blocks: list[Block] = []
    end = -1
    for found in _BLOCK.finditer(text):
        language, code = found.groups()
        if language == "text" and blocks and not text[end : found.start()].strip():
            blocks[-1] = blocks[-1]._replace(output=code)
        elif language in ("python", "shell"):
            blocks.append(Block(language, text.count("\n", 0, found.start()) + 2, code, None))
        end = found.end()
    return blocks


def _run_shell(block: Block) -> tuple[str, str]:
    """Returns what a block printed, and what went wrong."""
    command = ["bash", "-euo", "pipefail", "-c", block.code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr if done.returncode else ""


def _run_python(block: Block, namespace: dict[str, Any], *, page: str) -> tuple[str, str]:
    """Returns what a block printed, and what went wrong."""
    printed = io.StringIO()
    # Blank lines in front, so that a traceback names lines of the page.
    code = "\n" * (block.line - 1) + block.code
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), namespace)  # noqa: S102
    except Exception:
        return printed.getvalue(), traceback.format_exc()
    return printed.getvalue(), ""


def run_page(page: str) -> int:
    """Runs a page; prints what fails, and returns the exit status."""
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in read_blocks(pathlib.Path(page).read_text()):
        if block.language == "shell":
            printed, wrong = _run_shell(block)
        else:
            printed, wrong = _run_python(block, namespace, page=page)
        if not wrong and block.output is not None and printed != block.output:
            wanted, found = (text.splitlines(True) for text in (block.output, printed))
            wrong = "".join(difflib.unified_diff(wanted, found, "page", "printed"))
        if wrong:
            print(f"{page}:{block.line}: {wrong}\nprinted: {printed}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_page(sys.argv[1]))
