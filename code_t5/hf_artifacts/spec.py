"""The YAML file that lists what is fetched.

    models:
      - sentence-transformers/all-MiniLM-L6-v2
      - {name: google/flan-t5-small, revision: main, patterns: ["*.json", "*.safetensors"]}
    datasets:
      - {name: conll2003, revision: refs/convert/parquet}
      - {name: wikiann, configs: [en, de]}
      - {name: imagenet-1k, prepare: false}
    metrics:
      - accuracy

An *entry* is a name, or a mapping with `name` and the other keys of `KEYS`. The file may come from
elsewhere: it is data, of bounded size, and no part of it is run.
"""

from __future__ import annotations

import difflib
import os
import pathlib
from collections.abc import Collection, Iterator
from typing import Any

from code_t5 import errors, visible_text
from code_t5.hf_artifacts import requests
from code_t5.hf_artifacts.requests import ArtefactRequest

LISTS = {"models": "model", "datasets": "dataset", "metrics": "metric"}
_FOR_ALL = ("name", "revision", "patterns", "ignore_patterns")
KEYS = {
    "model": _FOR_ALL,
    "dataset": (*_FOR_ALL, "configs", "data_dir", "data_files", "prepare"),
    "metric": _FOR_ALL,
}
_OF_WORDS = ("patterns", "ignore_patterns", "configs")
_MAX_BYTES = 1 << 20
_MAX_SHOWN = 60


def read_spec(path: str | os.PathLike[str]) -> tuple[ArtefactRequest, ...]:
    """Reads a YAML file of what is wanted.

    Args:
      path: The file.

    Returns:
      Its entries: models, then data sets, then metrics, each in the order of the file.

    Raises:
      InputError: It cannot be read, or is not such a file.
    """
    file = pathlib.Path(os.path.expanduser(path))
    lists = _load(file)
    _check_keys(lists, known=tuple(LISTS), where=f"{file}")
    found: dict[str, str] = {}
    read: list[ArtefactRequest] = []
    for title, kind in LISTS.items():
        entries = lists.get(title, [])
        if not isinstance(entries, list):
            raise errors.InputError(
                f"{file}: {title} is {_shown(entries)}; wanted a list of names; begin each line "
                "below it with a dash"
            )
        for number, entry in enumerate(entries, 1):
            where = f"{file}: entry {number} of {title}"
            request = _read_entry(entry, kind=kind, where=where)
            first = found.setdefault(request.slug, where)
            if first != where:
                raise errors.InputError(
                    f"{where} asks for {request.where} again; wanted each once; remove it, or "
                    f"entry {first.partition(': entry ')[2]}"
                )
            read.append(request)
    if not read:
        raise errors.InputError(
            f"{file} lists nothing; wanted {', '.join(LISTS)} with a list of names; add one"
        )
    return tuple(read)


def _load(file: pathlib.Path) -> dict[Any, Any]:
    """Returns the mapping that the file holds.

    Raises:
      InputError: It cannot be read, or holds something else.
    """
    import yaml

    try:
        with open(file, "rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise errors.InputError(
            f"cannot read {file}: {error.strerror}; wanted a YAML file with "
            f"{', '.join(LISTS)}; name another with --spec"
        ) from error
    if len(content) > _MAX_BYTES:
        raise errors.InputError(
            f"{file} is larger than {_MAX_BYTES} bytes; wanted a list of names; split it, or name "
            "another with --spec"
        )
    try:
        value = yaml.load(content, Loader=_loader())
    # Text that is no UTF-8 and dates that cannot be are ValueErrors.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise errors.InputError(
            f"{file} is no YAML that is read here ({_one_line(error)}); wanted "
            f"{', '.join(LISTS)} with a list of names each; correct it"
        ) from error
    if not isinstance(value, dict):
        raise errors.InputError(
            f"{file} holds {_shown(value)}; wanted {', '.join(LISTS)} with a list of names each; "
            "write one of them above the list"
        )
    return value


def _loader() -> Any:
    """Returns PyYAML's safe loader, which refuses keys that are doubled, and aliases."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            """Refuses aliases.

            Raises:
              YAMLError: There is one.
            """
            if self.check_event(yaml.AliasEvent):
                # Some lines of them can stand for more than a memory holds.
                raise yaml.YAMLError(f"line {self.peek_event().start_mark.line + 1} has an alias")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """Refuses keys that are doubled.

            Raises:
              YAMLError: There is one.
            """
            read = super().construct_mapping(node, deep=deep)
            if len(read) < len(node.value):
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"the mapping at line {line} has a key twice")
            return read

    return Loader


def _one_line(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split())[:300]


def _shown(value: object) -> str:
    """Returns a value and its type, as they stand in a message."""
    if value is None:
        return "empty"
    kind = {"str": "text", "dict": "a mapping", "list": "a list"}.get(type(value).__name__)
    text = repr(value) if not isinstance(value, (dict, list)) else ""
    text = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return f"{kind} {text}".strip() if kind else f"{text} ({type(value).__name__})"


def _check_keys(given: dict[Any, Any], *, known: Collection[str], where: str) -> None:
    """Refuses a mapping with other keys.

    Raises:
      InputError: It has one.
    """
    for key in given:
        if key not in known:
            likely = difflib.get_close_matches(str(key), known, n=1)
            todo = f"did you mean {likely[0]}?" if likely else "remove it"
            shown = _shown(key).removeprefix("text ")
            raise errors.InputError(
                f"{where} has the key {shown}; wanted {', '.join(known)}; {todo}"
            )


def _read_entry(entry: object, *, kind: str, where: str) -> ArtefactRequest:
    """Returns what one entry asks for.

    Raises:
      InputError: It is none.
    """
    fields = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, dict):
        raise errors.InputError(
            f"{where} is {_shown(entry)}; wanted a name or a mapping with "
            f"{', '.join(KEYS[kind])}; {_todo(entry)}"
        )
    _check_keys(fields, known=KEYS[kind], where=where)
    if "name" not in fields:
        raise errors.InputError(
            f"{where} has no name; wanted one of {', '.join(KEYS[kind])}; add name: ORG/NAME"
        )
    named = where
    if isinstance(fields["name"], str):
        named += f" ({visible_text.one_line(fields['name'][:_MAX_SHOWN])})"
    read: dict[str, Any] = {"kind": kind}
    for key, value in fields.items():
        if key == "data_files":
            read[key] = _read_data_files(value, where=named)
        elif key in _OF_WORDS:
            read[key] = tuple(_read_words(value, key=key, where=named))
        elif key == "prepare":
            read[key] = _read_yes_or_no(value, key=key, where=named)
        else:
            read[key] = _read_text(value, key=key, where=named)
    if kind == "metric":
        read["name"] = requests.metric_repository(read["name"])
    request = ArtefactRequest(**read)
    wrong = requests.find_fault(request)
    if wrong:
        raise errors.InputError(f"{named}: {wrong}")
    return request


def _read_yes_or_no(value: object, *, key: str, where: str) -> bool:
    """Returns a yes or a no.

    Raises:
      InputError: It is something else.
    """
    if isinstance(value, bool):
        return value
    raise errors.InputError(
        f"{where}: {key} is {_shown(value)}; wanted true or false; write one of them"
    )


def _todo(value: object) -> str:
    if value is None:
        return "write it, or remove the key"
    return "change it" if isinstance(value, (str, dict, list)) else "put it in quotes"


def _read_text(value: object, *, key: str, where: str) -> str:
    """Returns a text.

    Raises:
      InputError: It is something else, or empty.
    """
    if isinstance(value, str) and value:
        return value
    # YAML reads 1.0, no and 2024-01-01 as something else than text.
    raise errors.InputError(f"{where}: {key} is {_shown(value)}; wanted text; {_todo(value)}")


def _read_words(value: object, *, key: str, where: str) -> Iterator[str]:
    """Yields the texts of a list, or the only one.

    Raises:
      InputError: It is something else, or empty.
    """
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words:
        raise errors.InputError(
            f"{where}: {key} is {_shown(value)}; wanted a list of texts; {_todo(value)}"
        )
    for number, word in enumerate(words, 1):
        yield _read_text(word, key=f"number {number} of {key}", where=where)


def _read_data_files(value: object, *, where: str) -> requests.DataFiles:
    """Returns a path, several, or those of each split.

    Raises:
      InputError: It is something else.
    """
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, dict):
        return tuple(_read_words(value, key="data_files", where=where))
    read: dict[str, str | tuple[str, ...]] = {}
    for split, files in value.items():
        name = _read_text(split, key="a split of data_files", where=where)
        key = f"data_files of {name}"
        one = isinstance(files, str) and files
        read[name] = files if one else tuple(_read_words(files, key=key, where=where))
    if not read:
        raise errors.InputError(f"{where}: data_files is empty; wanted paths; remove it")
    return read
