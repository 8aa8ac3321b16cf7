"""The lines that set a job up, for files of sbatch, configurations in YAML, and `.env` files.

A *set-up* is: modules that are loaded, a virtual environment that is activated, and the variables
by which the libraries find a cache. A `.env` file holds variables alone.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Union

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot

FORMATS = ("sbatch", "yaml", "dotenv")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=~-]*", re.ASCII)

PathLike = Union[str, "os.PathLike[str]"]


@dataclasses.dataclass(frozen=True)
class SlurmSetup:
    """What a job needs before its command runs.

    Attributes:
      root: The cache.
      modules: Names for `module load`, in order.
      venv: A folder with `bin/activate`; None for none.
      is_online: Whether the job may ask the Hub.
      variables: More that is exported.
      token_path: Of whoever is logged in; None if nobody is, or if it is not needed.
    """

    root: CacheRoot
    modules: Sequence[str] = ()
    venv: PathLike | None = None
    is_online: bool = False
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    token_path: PathLike | None = None

    def exports(self) -> dict[str, str]:
        """Returns the variables, in the order in which they are written."""
        found = self.root.environment(is_offline=not self.is_online)
        found["HF_HUB_DISABLE_TELEMETRY"] = "1"
        if self.is_online and self.token_path is not None:
            found["HF_TOKEN_PATH"] = os.fspath(self.token_path)
        return {**found, **self.variables}

    def commands(self) -> list[str]:
        """Returns the lines of a shell that go before the exports.

        Raises:
          InputError: There is no such virtual environment, or a module has no name.
        """
        for name in self.modules:
            if not name or name.startswith("-") or not name.isprintable():
                raise errors.InputError(
                    f"{name!a} is no name of a module; wanted one as cuda/12.1; correct --modules"
                )
        lines = [f"module load {shlex.quote(name)}" for name in self.modules]
        if self.venv is not None:
            script = os.path.abspath(os.path.join(os.path.expanduser(self.venv), "bin", "activate"))
            if not os.path.isfile(script):
                raise errors.InputError(
                    f"there is no {script}; wanted a virtual environment; make it (python -m "
                    "venv), or correct --venv"
                )
            lines.append(f"source {shlex.quote(script)}")
        return lines


def read_variables(entries: Sequence[str]) -> dict[str, str]:
    """Returns variables that are given as `NAME=VALUE`.

    Args:
      entries: As they were given.

    Raises:
      InputError: One is not of this form, or a name is none.
    """
    found = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not _NAME.fullmatch(name) or "\0" in value:
            raise errors.InputError(
                f"{entry!a} is no variable; wanted NAME=VALUE with a name of letters, digits and "
                "_; correct --export"
            )
        found[name] = value
    return found


def find_token(environment: Mapping[str, str]) -> str | None:
    """Returns the file with the token of whoever is logged in; None if nobody is.

    Args:
      environment: Says where, as huggingface_hub reads it.
    """
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    home = environment.get("HF_HOME") or os.path.join(cache, "huggingface")
    path = environment.get("HF_TOKEN_PATH") or os.path.join(home, "token")
    path = os.path.abspath(os.path.expanduser(path))
    return path if os.path.isfile(path) else None


def setup_text(setup: SlurmSetup, *, format_name: str) -> str:
    """Returns the set-up as text that ends in a line end.

    Args:
      setup: What a job needs.
      format_name: One of `FORMATS`.

    Raises:
      InputError: There is no such format, or it cannot hold what is asked for.
    """
    if format_name == "sbatch":
        exports = [f"export {name}={shlex.quote(v)}" for name, v in setup.exports().items()]
        return "\n".join([*setup.commands(), *exports]) + "\n"
    if format_name == "yaml":
        return _as_yaml(setup)
    if format_name == "dotenv":
        return _as_dotenv(setup)
    raise errors.InputError(
        f"{format_name!a} is no format; wanted one of {', '.join(FORMATS)}; correct --format"
    )


def _as_yaml(setup: SlurmSetup) -> str:
    import yaml

    values = {"setup": setup.commands(), "env": setup.exports()}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=False, width=10_000)


def _as_dotenv(setup: SlurmSetup) -> str:
    """Returns the variables, one on each line.

    Raises:
      InputError: There are commands as well.
    """
    for flag, value in (("modules", setup.modules), ("venv", setup.venv)):
        if value:
            raise errors.InputError(
                f"--{flag} was given with --format=dotenv; wanted variables alone, for such a file "
                "holds no commands; leave it out, or take --format=sbatch"
            )
    return "".join(f"{name}={quote_dotenv(v, name=name)}\n" for name, v in setup.exports().items())


def quote_dotenv(value: str, *, name: str) -> str:
    r"""Returns a value so that a shell and python-dotenv read the same.

    Args:
      value: Of a variable.
      name: Of the variable.

    Raises:
      InputError: There is no way to write it that both read alike.

    >>> quote_dotenv("/my cache", name="HF_HOME")
    "'/my cache'"
    """
    if _PLAIN.fullmatch(value) and not value.startswith("~"):
        return value
    # python-dotenv puts variables in and reads two backslashes as one between quotes of any kind.
    is_strange = "${" in value or "\\" in value or not value.isprintable()
    if not is_strange and "'" not in value:
        return f"'{value}'"
    if not is_strange and not set('"$`') & set(value):
        return f'"{value}"'
    raise errors.InputError(
        f"{name} is {value!a}, which programs read from a .env file in different ways; wanted a "
        "path without line ends, backslashes and quotes; take another path, or --format=sbatch"
    )
