"""Reads what a gin file binds, without gin's registry: nothing is imported and nothing is called.

`code_t5.training.gin_statements` says why. A *setting* here is one binding, `scope/Name.argument =
value`; a *reference* is a value `@Name`, a *macro* a value `%name`, which stands for what `name =
...` binds.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

from code_t5 import errors
from code_t5.training import gin_statements

_MAX_DEPTH = 20


@dataclasses.dataclass(frozen=True)
class Reference:
    """A value `@Name`.

    Attributes:
      name: Without scopes and modules.
      full_name: As the file has it.
    """

    name: str
    full_name: str


@dataclasses.dataclass(frozen=True)
class _Macro:
    name: str


class GinSettings:
    """What one gin file binds; later bindings win."""

    def __init__(self, bindings: dict[tuple[str, str, str], Any], *, path: pathlib.Path) -> None:
        """Keeps the bindings.

        Args:
          bindings: Values by scope, last part of the name, and argument.
          path: Where they are from, for messages.
        """
        self.path = path
        self._bindings = bindings

    def get(self, parameter: str, *, scope: str = "", default: Any = None) -> Any:
        """Returns the value of a parameter, macros put in.

        Args:
          parameter: `Name.argument`, the class or function without its module.
          scope: Where it is called; what is bound without a scope counts there too.
          default: Where the file does not say.
        """
        name, _, argument = parameter.rpartition(".")
        for place in dict.fromkeys([scope, ""]):
            if (place, name, argument) in self._bindings:
                return self._resolve(self._bindings[place, name, argument], depth=0)
        return default

    def macro(self, name: str, *, default: Any = None) -> Any:
        """Returns what `name = ...` binds, macros put in."""
        key = ("", name, "")
        return self._resolve(self._bindings[key], depth=0) if key in self._bindings else default

    def _resolve(self, value: Any, *, depth: int) -> Any:
        """Returns a value with macros put in.

        Raises:
          ArtifactError: A macro is bound to nothing, or to itself.
        """
        if depth > _MAX_DEPTH:
            raise errors.ArtifactError(
                f"{self.path} has a macro that stands for itself; wanted a value; mend the file"
            )
        if isinstance(value, _Macro):
            key = ("", value.name, "")
            if key not in self._bindings:
                raise errors.ArtifactError(
                    f"{self.path} uses %{value.name}, which it does not bind; wanted "
                    f"{value.name} = ...; take the file that the trainer wrote"
                )
            return self._resolve(self._bindings[key], depth=depth + 1)
        if isinstance(value, (list, tuple)):
            return type(value)(self._resolve(part, depth=depth + 1) for part in value)
        if isinstance(value, dict):
            return {key: self._resolve(part, depth=depth + 1) for key, part in value.items()}
        return value


def _delegate() -> Any:
    """Returns what gin's parser asks for the values of `@Name` and `%name`."""
    from gin import config_parser

    class _Delegate(config_parser.ParserDelegate):
        def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Any:
            del evaluate
            full_name = scoped_configurable_name
            return Reference(full_name.split("/")[-1].split(".")[-1], full_name)

        def macro(self, macro_name: str) -> Any:
            return _Macro(macro_name)

    return _Delegate()


def read_settings(path: str | os.PathLike[str]) -> GinSettings:
    """Reads a gin file; `include` and `import` in it are passed over.

    Args:
      path: The file.

    Returns:
      What it binds.

    Raises:
      InputError: There is no such file.
      ArtifactError: It is no gin file.
    """
    from gin import config_parser

    bindings: dict[tuple[str, str, str], Any] = {}
    for found in gin_statements.read_statements(path, delegate=_delegate()):
        if isinstance(found, config_parser.BindingStatement):
            name = found.selector.split(".")[-1]
            bindings[found.scope or "", name, found.arg_name or ""] = found.value
    return GinSettings(bindings, path=pathlib.Path(path))
