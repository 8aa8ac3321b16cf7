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
import shutil
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple

from code_t5 import library_errors
from code_t5.hf_artifacts.fetching import file_locks, retries


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
    """Returns, for each configuration, its name, Arrow directory and number of rows by split.

    Of one that cannot be prepared from the files that may be read, its name and why.
    """
    what = f"preparing {request['name']}"
    options = {name: request[name] for name in ("data_dir", "data_files")}
    options["revision"] = request["commit"]

    def open_all() -> list[tuple[Any, _Choice]]:
        builders = _open(request, options=options)
        return [(builder, _choose(builder, request=request)) for builder in builders]

    opened = retries.call(open_all, what=what, say=_say)
    if [None for builder, choice in opened if _remove_narrower(builder, choice)]:
        # What was read of them is gone as well.
        opened = retries.call(open_all, what=what, say=_say)
    prepared = []
    for builder, choice in opened:
        if choice.fault:
            prepared.append({"config": builder.config.name, "fault": choice.fault})
            continue
        # The card says how many rows all splits have.
        checks = {"verification_mode": "no_checks"} if choice.is_narrow else {}
        retries.call(
            lambda: builder.download_and_prepare(**checks),  # noqa: B023
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


class _Choice(NamedTuple):
    """Which splits of a configuration are prepared.

    Attributes:
      splits: Their names; none where nobody knows.
      is_narrow: Whether there are more.
      fault: Why nothing can be prepared; empty if it can.
    """

    splits: frozenset[str]
    is_narrow: bool = False
    fault: str = ""


def _choose(builder: Any, *, request: Mapping[str, Any]) -> _Choice:
    """Takes away the splits of which no file was chosen, before anything is fetched.

    A split that has some of its files is none: whoever loads it would get fewer rows than it has.
    """
    files, allowed = builder.config.data_files, request["allowed"]
    if allowed is None:
        return _Choice(frozenset(map(str, files or ())))
    left, commit = set(allowed), request["commit"]
    is_narrow = False
    for split, names in list((files or {}).items()):
        lacking = [name for name in names if _path_in_repository(name, commit) not in left]
        if not lacking:
            continue
        is_narrow = True
        if len(lacking) < len(names):
            shown = f"{len(lacking)} of the {len(names)} files of its split {split}"
            return _Choice(frozenset(), is_narrow, f"the patterns leave out {shown}")
        del files[split]
    if not files:
        return _Choice(frozenset(), is_narrow, "the patterns leave out all of its files")
    return _Choice(frozenset(map(str, files)), is_narrow)


def _path_in_repository(address: str, commit: str) -> str:
    """Returns the path of a file in its repository; empty if it is none of this commit."""
    return address.split("::")[-1].partition(f"@{commit}/")[2]


def _remove_narrower(builder: Any, choice: _Choice) -> bool:
    """Removes what was prepared of fewer splits; `datasets` would take it for all there is."""
    folder = builder.cache_dir
    if choice.fault or not os.path.isfile(os.path.join(folder, "dataset_info.json")):
        return False
    if choice.splits <= set(map(str, builder.info.splits or ())):
        return False
    home = os.path.realpath(os.environ["HF_DATASETS_CACHE"])
    if os.path.commonpath([home, os.path.realpath(folder)]) == home:
        shutil.rmtree(os.path.realpath(folder))
    return True


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
    causes = list(library_errors.causes(error, with_hidden=True))
    numbers = [one.errno for one in causes if isinstance(one, OSError) and one.errno]
    return {
        "type": type(error).__name__,
        "message": " / ".join(str(one) for one in causes)[:4000],
        "errno": numbers[0] if numbers else None,
        "is_passing": retries.find_passing(error) is not None,
    }


if __name__ == "__main__":
    main()
