"""Which files of a data set's repository are fetched for its configurations.

`datasets` decides that itself when it prepares them, and fetches what was missed here; this only
keeps 175 languages from being fetched where one is wanted. A *card* is the README: the YAML at its
head may list `configs` with a `config_name` and `data_files` or a `data_dir` each.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts.requests import ArtefactRequest

# What `datasets` asks for beside the data.
_ALWAYS = ("README.md", "dataset_infos.json", ".huggingface.yaml")
_BESIDE = re.compile(r"metadata\.(csv|jsonl|parquet)")
_MAX_SHOWN = 12
_MAX_STARS = 8


def choose_dataset_files(
    request: ArtefactRequest, *, paths: Iterable[str], card: bytes
) -> set[str]:
    """Returns the files of a data set that its configurations are prepared from.

    Args:
      request: With its configurations, `data_dir` and `data_files`.
      paths: Every file of the repository.
      card: The content of its README; may be empty.

    Raises:
      InputError: There is no such configuration, folder or file.
    """
    given = set(paths)
    data = {path for path in given if not _is_hidden(path)}
    fixed = {path for path in _ALWAYS if path in given}
    if request.data_files is not None:
        return fixed | _beside(data, _named_files(request, data))
    if request.data_dir is not None:
        chosen = set(_match(data, "**", folder=request.data_dir))
        if not chosen:
            raise _nothing(request, f"data_dir {request.data_dir!r}", data)
        return fixed | chosen
    configs = read_configs(card)
    if not configs:
        return fixed | data
    chosen = set[str]()
    for name in request.configs or configs:
        if name not in configs:
            raise _no_config(request, name, configs)
        chosen |= set(_config_files(configs[name], data))
    return fixed | _beside(data, chosen)


def read_configs(card: bytes) -> dict[str, Mapping[str, Any]]:
    """Returns the configurations that a card lists, by name.

    Args:
      card: A README, with or without YAML at its head.
    """
    import yaml

    text = card.decode("utf-8", errors="replace").replace("\r\n", "\n")
    if not text.startswith("---\n"):
        return {}
    head = text[4:].partition("\n---")[0]
    # The quick one of both loaders that make nothing but plain values.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        fields = yaml.load(head, Loader=loader)  # noqa: S506 - a safe loader, only quicker
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    listed = fields.get("configs") if isinstance(fields, dict) else None
    found = listed if isinstance(listed, list) else []
    return {
        str(config.get("config_name", "default")): config
        for config in found
        if isinstance(config, dict)
    }


def _config_files(config: Mapping[str, Any], paths: set[str]) -> Iterator[str]:
    folder = str(config.get("data_dir") or "")
    patterns = list(_patterns(config.get("data_files")))
    for pattern in patterns or ["**"]:
        yield from _match(paths, pattern, folder=folder)


def _patterns(value: Any) -> Iterator[str]:
    """Yields the patterns of `data_files` in any of the forms that it may have."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        # One entry of a list ({split: train, path: ...}), or splits by name.
        given = [value["path"]] if "path" in value else value.values()
        for one in given:
            yield from _patterns(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _patterns(one)


def _named_files(request: ArtefactRequest, paths: set[str]) -> set[str]:
    chosen = set[str]()
    for pattern in _patterns(request.data_files):
        found = set(_match(paths, pattern, folder=request.data_dir or ""))
        if not found:
            raise _nothing(request, f"data_files {pattern!r}", paths)
        chosen |= found
    return chosen


def _match(paths: set[str], pattern: str, *, folder: str) -> Iterator[str]:
    wanted = posixpath.normpath(posixpath.join(folder, pattern))
    if wanted in paths:
        yield wanted
        return
    # The pattern may be a stranger's: many stars would take for ever to match.
    if wanted.count("*") > _MAX_STARS:
        yield from paths
        return
    try:
        shape = re.compile(_glob_regex(wanted))
    except re.error:
        return
    yield from (path for path in paths if shape.fullmatch(path))


def _glob_regex(pattern: str) -> str:
    r"""Returns a glob as a regular expression: `*` stays in a folder, `**` does not.

    >>> bool(re.fullmatch(_glob_regex("data/**"), "data/en/train.csv"))
    True
    >>> bool(re.fullmatch(_glob_regex("data/*.csv"), "data/en/train.csv"))
    False
    """
    parts, written = pattern.split("/"), ""
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        if part == "**":
            written += ".*" if is_last else "(?:[^/]+/)*"
            continue
        written += "".join(_glob_piece(piece) for piece in re.split(r"(\*+|\?|\[[^\]]+\])", part))
        written += "" if is_last else "/"
    return written


def _glob_piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if len(piece) > 2 and piece.startswith("[") and piece.endswith("]"):
        inner = piece[1:-1].replace("\\", r"\\").replace("[", r"\[")
        return f"[^{inner[1:]}]" if inner.startswith("!") and len(inner) > 1 else f"[{inner}]"
    return re.escape(piece)


def _beside(paths: set[str], chosen: set[str]) -> set[str]:
    """Adds the tables that say what is in the images, sounds ... of a folder."""
    folders = {posixpath.dirname(path) for path in chosen}
    around = {parent for folder in folders for parent in _parents(folder)}
    tables = {
        path
        for path in paths
        if _BESIDE.fullmatch(posixpath.basename(path)) and posixpath.dirname(path) in around
    }
    return chosen | tables


def _parents(folder: str) -> Iterator[str]:
    yield folder
    while folder:
        folder = posixpath.dirname(folder)
        yield folder


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "__")) for part in path.split("/")) or path.endswith(".py")


def _no_config(
    request: ArtefactRequest, name: str, configs: Mapping[str, Any]
) -> errors.InputError:
    close = difflib.get_close_matches(name, list(configs), n=1)
    shown = ", ".join(sorted(configs)[:_MAX_SHOWN]) + (", ..." if len(configs) > _MAX_SHOWN else "")
    hint = f"did you mean {close[0]!r}?" if close else "name one of these"
    return errors.InputError(
        f"{request.where} has no configuration {name!r}; wanted one of {shown}; {hint}"
    )


def _nothing(request: ArtefactRequest, wanted: str, paths: set[str]) -> errors.InputError:
    shown = ", ".join(sorted(paths)[:5]) or "none"
    return errors.InputError(
        f"{wanted} matches no file of {request.where}; wanted one of its {len(paths)} ({shown}, "
        "...); mend the request"
    )
