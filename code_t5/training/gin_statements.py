"""Reads gin files of others: their statements, by gin's parser alone, and what they may import.

The trainer leaves `operative_config.gin` in a model directory. gin's own way to read it imports
whatever the file names and takes in every file that it includes: a model directory of somebody else
would run code that way. gin's parser does neither. Before a file of a model directory is given to
gin, its imports must be *known*: modules of the trainer, of this package, or those that the user
names.
"""

from __future__ import annotations

import io
import os
import pathlib
import re
import tokenize
from collections.abc import Iterable, Sequence
from typing import Any

from code_t5 import errors, library_errors

# Packages whose modules only register what gin may name when they are imported.
KNOWN_PACKAGES = ("code_t5", "mesh_tensorflow", "t5")
# A configuration is some 15 kB.
_MAX_BYTES = 4 << 20
# One reader may see a line's end in them where another sees none; the last are no UTF-8.
_ODD_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f\udc80-\udcff]")


def read_statements(path: str | os.PathLike[str], *, delegate: Any = None) -> list[Any]:
    """Reads a gin file; nothing is imported, included or called.

    Args:
      path: The file.
      delegate: What gin's parser asks for the values of `@Name` and `%name`; None drops them.

    Returns:
      Statements as `gin.config_parser` has them.

    Raises:
      InputError: There is no such file.
      ArtifactError: It is no gin file.
    """
    source = pathlib.Path(path)
    try:
        with open(source, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise errors.InputError(
            f"cannot read {source}: {error.strerror}; wanted the configuration of a trained model; "
            "name a directory that the trainer has trained in"
        ) from error
    if len(data) > _MAX_BYTES:
        raise _no_gin_file(source, f"it has more than {_MAX_BYTES} bytes")
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    odd = _ODD_CHARACTERS.search(text)
    if odd:
        raise _no_gin_file(source, f"it holds the character {odd.group()!a}")
    try:
        return list(_parser(text, delegate))
    except (SyntaxError, ValueError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise _no_gin_file(source, library_errors.one_line(error)) from error


def _parser(text: str, delegate: Any) -> Iterable[Any]:
    from gin import config_parser

    class _Dropping(config_parser.ParserDelegate):
        def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> None:
            del scoped_configurable_name, evaluate

        def macro(self, macro_name: str) -> None:
            del macro_name

    parser: Iterable[Any] = config_parser.ConfigParser(
        io.StringIO(text), delegate if delegate is not None else _Dropping()
    )
    return parser


def _no_gin_file(source: pathlib.Path, why: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"{source} is no gin file: {why}; wanted the configuration that the trainer wrote; put it "
        "back, or train again"
    )


def check_imports(
    path: str | os.PathLike[str], *, module_imports: Sequence[str] = ()
) -> pathlib.Path:
    """Refuses a gin file of a model directory that would run code or take in other files.

    Args:
      path: The file.
      module_imports: Modules that the user trusts beside those of `KNOWN_PACKAGES`.

    Returns:
      The file, which may be given to gin.

    Raises:
      InputError: There is no such file, or it imports or includes what nobody has asked for.
      ArtifactError: It is no gin file.
    """
    source = pathlib.Path(path)
    statements = read_statements(source)
    for statement in statements:
        included = getattr(statement, "filename", None)
        if included is not None:
            raise errors.InputError(
                f"{source} includes {included!a}; wanted a configuration as the trainer writes it, "
                "which includes nothing; remove the line, and add what the file binds if you trust "
                "it"
            )
        module = getattr(statement, "module", None)
        if module is not None and not _is_known(module, (*KNOWN_PACKAGES, *module_imports)):
            raise errors.InputError(
                f"{source} imports {module!a}, which would run its code; wanted only modules of "
                f"{', '.join(KNOWN_PACKAGES)} and those given; remove the line, or, if you trust "
                f"the module, give it: scripts/export.py has --module_import={module!a}"
            )
    return source


def _is_known(module: str, trusted: Sequence[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in trusted)
