"""What code_t5 needs, read out of the setup.py beside the code, for where pip has not installed it.

The file is not run: its lists are literals, and the call of `setup` says which extra is which list.
"""

from __future__ import annotations

import ast
import pathlib
from typing import NamedTuple

NAME = "code_t5"
# Of this checkout; where pip has put the package elsewhere, no file is there.
SETUP_FILE = pathlib.Path(__file__).resolve().parents[3] / "setup.py"


class OwnRequirements(NamedTuple):
    """What a setup.py says.

    Attributes:
      version: Of code_t5.
      requires: Requirements as pip records them, those of an extra with a marker that names it.
    """

    version: str
    requires: tuple[str, ...]


def read(path: pathlib.Path = SETUP_FILE) -> OwnRequirements | None:
    """Returns what code_t5's setup.py says; None where there is none that can be understood.

    Args:
      path: Of the file.
    """
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        call = next(filter(None, map(_setup_call, body)))
        given = {word.arg: word.value for word in call.keywords}
        if ast.literal_eval(given["name"]) != NAME:
            return None
        lists = {
            node.targets[0].id: node.value
            for node in body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        requires = _literal(given["install_requires"], lists)
        extras = given["extras_require"]
        if not isinstance(extras, ast.Dict):
            return None
        for key, value in zip(extras.keys, extras.values):
            extra = ast.literal_eval(key) if key else ""
            requires += [_of_extra(one, extra) for one in _literal(value, lists)]
        return OwnRequirements(str(ast.literal_eval(given["version"])), tuple(requires))
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, StopIteration):
        return None


def _setup_call(node: ast.stmt) -> ast.Call | None:
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "setup":
        return call
    return None


def _literal(node: ast.expr, lists: dict[str, ast.expr]) -> list[str]:
    """Returns a list that is written in place or by the name of one."""
    return list(ast.literal_eval(lists[node.id] if isinstance(node, ast.Name) else node))


def _of_extra(requirement: str, extra: str) -> str:
    wanted, _, marker = requirement.partition(";")
    own = f"({marker.strip()}) and " if marker.strip() else ""
    return f'{wanted.strip()}; {own}extra == "{extra}"'
