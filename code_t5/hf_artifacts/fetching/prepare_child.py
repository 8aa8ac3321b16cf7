"""A process of its own in which `datasets` prepares a data set.

Reads requests from stdin, one line of JSON each, and answers each with a line of JSON on the stdout
that it was started with; whatever the library prints goes to stderr. It runs no code out of
repositories.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from code_t5.hf_artifacts.fetching import file_locks, hub_errors, retries


def main() -> None:
    """Answers requests until stdin ends."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    with contextlib.suppress(ImportError):
        # While the parent fetches; if it fails, each request says so.
        importlib.import_module("datasets")
    # The parent holds the lock of the repository.
    with os.fdopen(answer_fd, "w") as file, file_locks.forgiving_flock():
        for line in sys.stdin:
            file.write(json.dumps(_answer(json.loads(line))) + "\n")
            file.flush()


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"result": _prepare_dataset(request)}
    except Exception as error:  # noqa: BLE001 - told to the parent, which knows what to say
        return {"error": _describe(error)}


def _prepare_dataset(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns, for each configuration, its name, Arrow directory and number of rows by split."""
    what = f"preparing {request['name']}"
    options = {name: request[name] for name in ("data_dir", "data_files")}
    options["revision"] = request["commit"]
    builders = retries.call(lambda: _open(request, options=options), what=what, say=_say)
    prepared = []
    for builder in builders:
        retries.call(
            lambda: builder.download_and_prepare(num_proc=request["num_proc"]),  # noqa: B023
            what=what,
            say=_say,
        )
        splits = builder.info.splits or {}
        prepared.append(
            {
                "config": builder.config.name,
                "arrow_dir": builder.cache_dir,
                "splits": {str(split): info.num_examples for split, info in splits.items()},
            }
        )
    return prepared


def _open(request: Mapping[str, Any], *, options: Mapping[str, Any]) -> list[Any]:
    """Returns the builders of the configurations: those named, or the only one, or all."""
    import datasets

    named = request["configs"]
    if named or request["data_dir"] is not None or request["data_files"] is not None:
        return [_open_config(request, name, options=options) for name in named or [None]]
    try:
        only = _open_config(request, None, options=options)
    except ValueError as error:
        # There are several, and none is the default; or it is something else.
        names = datasets.get_dataset_config_names(request["name"], revision=request["commit"])
        if len(names) < 2:
            raise error
        return [_open_config(request, name, options=options) for name in names]
    names = list(only.builder_configs) or [only.config.name]
    others = [name for name in names if name != only.config.name]
    return [only, *(_open_config(request, name, options=options) for name in others)]


def _open_config(
    request: Mapping[str, Any], name: str | None, *, options: Mapping[str, Any]
) -> Any:
    """Returns the builder of a configuration.

    Raises:
      RuntimeError: `datasets` would use another commit.
    """
    import datasets

    builder = datasets.load_dataset_builder(request["name"], name, **options)
    if builder.hash != request["commit"]:
        # It met an error, and took what lies in its cache of any other commit. Where it finds
        # nothing it says what it met.
        with tempfile.TemporaryDirectory() as empty:
            datasets.load_dataset_builder(request["name"], name, cache_dir=empty, **options)
        raise RuntimeError(f"found {builder.hash} in place of {request['commit']}")
    return builder


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _describe(error: Exception) -> dict[str, Any]:
    """Returns an error as the parent is told of it."""
    causes = list(hub_errors.with_causes(error))
    numbers = [one.errno for one in causes if isinstance(one, OSError) and one.errno]
    return {
        "type": type(error).__name__,
        "message": " / ".join(str(one) for one in causes)[:4000],
        "errno": numbers[0] if numbers else None,
        "is_passing": retries.find_passing(error) is not None,
    }


if __name__ == "__main__":
    main()
