"""A process of its own in which `datasets` prepares a data set.

Reads one request as JSON from stdin and answers with one line of JSON on the stdout that it was
started with; whatever the library prints goes to stderr. It runs no code out of repositories.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from code_t5.hf_artifacts.fetching import hub_errors, retries


def main() -> None:
    """Answers the request on stdin."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"result": _prepare_dataset(request)}
    except Exception as error:  # noqa: BLE001 - told to the parent, which knows what to say
        answer = {"error": _describe(error)}
    with os.fdopen(answer_fd, "w") as file:
        file.write(json.dumps(answer) + "\n")


def _prepare_dataset(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns, for each configuration, its name, Arrow directory and number of rows by split."""
    import datasets

    what = f"preparing {request['name']}"
    options = {name: request[name] for name in ("data_dir", "data_files")}
    options["revision"] = request["commit"]
    names = request["configs"]
    if not names and options["data_files"] is None and options["data_dir"] is None:
        names = retries.call(
            lambda: datasets.get_dataset_config_names(request["name"], revision=request["commit"]),
            what=what,
            say=_say,
        )
    prepared = []
    for name in names or [None]:
        builder = retries.call(
            lambda: _prepare_config(request, name, options=options),  # noqa: B023 - called here
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


def _prepare_config(
    request: Mapping[str, Any], name: str | None, *, options: Mapping[str, Any]
) -> Any:
    """Returns the builder of a configuration that is prepared.

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
    builder.download_and_prepare(num_proc=request.get("num_proc"))
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
