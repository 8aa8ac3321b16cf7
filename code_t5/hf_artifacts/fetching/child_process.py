"""A child process that prepares data sets, as its parent sees it.

It is started early: importing `datasets` takes as long as fetching some hundred megabytes, and the
two can be done together.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import hub_errors

_CHILD = "code_t5.hf_artifacts.fetching.prepare_child"
_MAX_STDERR_BYTES = 64 << 10
_CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
# Old names of the same settings, which would win.
_NOT_FOR_CHILDREN = {
    "HUGGINGFACE_HUB_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE",
    "HF_DATASETS_DOWNLOADED_DATASETS_PATH", "HF_DATASETS_EXTRACTED_DATASETS_PATH",
    "HF_DATASETS_IN_MEMORY_MAX_SIZE",
}  # fmt: skip


def child_environment(root: CacheRoot, *, is_offline: bool) -> dict[str, str]:
    """Returns the environment of a child process that works on a root.

    The user's token stays where it was, and so does what only this machine wants.

    Args:
      root: Which.
      is_offline: Whether the child may ask the Hub.
    """
    from huggingface_hub import constants

    ours = {
        "HF_TOKEN_PATH": constants.HF_TOKEN_PATH,
        "HF_XET_CACHE": str(getattr(constants, "HF_XET_CACHE", "")),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
    path = os.pathsep.join(part for part in (str(_CHECKOUT), kept.get("PYTHONPATH", "")) if part)
    shown = {name: value for name, value in ours.items() if value}
    return {**kept, **shown, **root.environment(is_offline=is_offline), "PYTHONPATH": path}


class PreparingChild:
    """Prepares one data set after the other; a context manager that ends it."""

    def __init__(self, root: CacheRoot) -> None:
        """Starts it.

        Args:
          root: Which it works on.
        """
        # Its own: a folder beside the caller may have a data set's name, or a module's.
        self._folder = tempfile.TemporaryDirectory(prefix="code_t5_")
        self._stderr_path = pathlib.Path(self._folder.name, "stderr")
        working_dir = pathlib.Path(self._folder.name, "empty")
        working_dir.mkdir()
        with open(self._stderr_path, "wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=child_environment(root, is_offline=False),
                cwd=working_dir,
            )

    def __enter__(self) -> PreparingChild:
        """Returns itself."""
        return self

    def __exit__(self, *exception: Any) -> None:
        """Ends it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            # What it did not read is lost with it.
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._folder.cleanup()

    def is_alive(self) -> bool:
        """Says whether it runs; one that died over a request takes no other."""
        return self._process.poll() is None

    def ask(self, fields: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        """Returns the answer to one request.

        Args:
          fields: The request, as JSON values.
          where: What is prepared, for messages.

        Raises:
          CodeT5Error: The process died.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        try:
            if stdin is not None and stdout is not None:
                stdin.write(json.dumps(fields).encode() + b"\n")
                stdin.flush()
                return dict(json.loads(stdout.readline()))
        except (OSError, ValueError):
            # It is gone, or going.
            pass
        raise self._died(where)

    def _died(self, where: str) -> errors.CodeT5Error:
        status = self._process.wait()
        written = self._stderr_path.read_bytes()[-_MAX_STDERR_BYTES:]
        lines = [
            line for line in written.decode("utf-8", errors="replace").splitlines() if line.strip()
        ]
        last = hub_errors.without_tokens(lines[-1])[:300] if lines else "it said nothing"
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return errors.CodeT5Error(
            f"the process that prepared {where} {how} ({last}); wanted it to finish; run the "
            "command again, with more memory if it was killed"
        )
