"""The house's rules that a machine can see: which arrows imports draw, and the form of the code.

Words: a *room* is a package of the house (`code_t5/storage`), an *arrow* an import from one room
to another, a *slip* one breach of a rule, written `path:line what is wrong`.
"""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator
from typing import NamedTuple, Union

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
EMPTY_NAMES = {"utils.py", "helpers.py", "misc.py", "common.py", "util.py", "helper.py"}
HEAVY = {
    *("tensorflow", "tensorflow_text", "tensorflow_datasets", "mesh_tensorflow", "seqio", "t5"),
    *("torch", "transformers", "datasets", "jax", "apache_beam", "gin"),
}

# Modules on their own in code_t5/ that every room may use; of the house they use errors alone.
SHARED = {
    *("errors", "progress", "command_line", "parallel", "visible_text", "vocabulary_escapes"),
    *("pipeline_calls", "library_errors", "network_fence", "torch_threads"),
}
_SHARED_ROOMS = {f"code_t5/{name}" for name in SHARED}
_STORES = {"code_t5/token_cache", "code_t5/teacher_outputs", "code_t5/hf_artifacts"}
_BELOW_STORES = {"code_t5/storage", "code_t5/encoding", *_SHARED_ROOMS}
_BELOW_DATA = _STORES | _BELOW_STORES
_LIBRARY = {"code_t5", "code_t5/training", "code_t5/data"} | _BELOW_DATA

# Room -> the other rooms that it may import.
ARROWS: dict[str, set[str]] = {
    **{room: {"code_t5/errors"} for room in _SHARED_ROOMS},
    "code_t5/errors": set(),
    # What it says of errors must not command the terminal.
    "code_t5/command_line": {"code_t5/errors", "code_t5/visible_text"},
    "code_t5/storage": _SHARED_ROOMS,
    "code_t5/encoding": {"code_t5/storage"} | _SHARED_ROOMS,
    **{room: _BELOW_STORES for room in _STORES},
    "code_t5/data": _BELOW_DATA,
    "code_t5/training": {"code_t5", "code_t5/data"} | _BELOW_DATA,
    # Importing the package registers the tasks, and in the trainer looks at devices.
    "code_t5": {"code_t5/data", "code_t5/training"} | _BELOW_DATA,
    "preprocessing": _LIBRARY,
    "scripts": {"preprocessing"} | _LIBRARY,
    "benchmarks": {"scripts", "preprocessing"} | _LIBRARY,
}
# seqio starts in data; preprocessing/flcc is a TFDS builder.
MAY_BE_HEAVY = {"code_t5/data", "code_t5/training", "scripts", "benchmarks"}

# Hooks whose signature another library fixes: it passes these arguments by position.
FOREIGN_SIGNATURES = {
    "get_dataset": "seqio.DataSource",
    "list_shards": "seqio.DataSource",
    "resumable_train_model": "mesh_tensorflow.transformer.utils.run",
    "__exit__": "the context manager protocol",
    "from_flcc": "users of FastHfDatasetProvider",
    "load_dataset": "datasets.load_dataset",
    "find_built": "datasets.load_dataset",
    "load_built_dataset": "datasets.load_dataset",
}

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class ImportFound(NamedTuple):
    """One module that a file imports.

    Attributes:
      module: Its dotted name; for `from a import b`, `a.b`.
      line: Where, counted from 1.
      at_load: Whether importing the file imports it: not inside a function, nor for types only.
    """

    module: str
    line: int
    at_load: bool


def source_paths(*folders: str) -> list[str]:
    """Returns the project's own Python files, as sorted POSIX paths relative to the root."""
    found = []
    for folder in folders or ("code_t5", "preprocessing", "scripts", "benchmarks", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if "/testdata/" not in name and not name.startswith("preprocessing/dev_dataset/v3/"):
                found.append(name)
    return sorted(found if folders else [*found, "setup.py"])


def room_of(path: str) -> str:
    """Returns the room that a file or a module, written with slashes, belongs to."""
    parts = path[: -len(".py")].split("/") if path.endswith(".py") else path.split("/")
    if parts[0] != "code_t5" or len(parts) == 1 or parts[1] == "__init__":
        return parts[0]
    return "/".join(parts[:2])


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"


def imports_of(source: str, *, path: str) -> Iterator[ImportFound]:
    """Yields every import of a file, those inside functions included."""
    package = path.split("/")[:-1]

    def visit(node: ast.AST, at_load: bool) -> Iterator[ImportFound]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield ImportFound(alias.name, node.lineno, at_load)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield ImportFound(f"{prefix}.{alias.name}", node.lineno, at_load)
        later = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        later = later or _is_type_checking(node)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_load and not later)

    return visit(ast.parse(source), True)


def arrow_slips(source: str, *, path: str) -> list[str]:
    """Returns the imports of a file that draw an arrow backwards or load too much."""
    room, slips = room_of(path), []
    light = room not in MAY_BE_HEAVY and not path.startswith("preprocessing/flcc/")
    for found in imports_of(source, path=path):
        where = f"{path}:{found.line}"
        first = found.module.split(".")[0]
        if first in HEAVY and found.at_load and light:
            slips.append(f"{where} {room} loads {first}: import it in the function that needs it")
        target = room_of(found.module.replace(".", "/"))
        if target not in ARROWS:
            # A name out of code_t5/__init__.py, or another project's module.
            target = first
        if target in ARROWS and target != room and target not in ARROWS[room]:
            slips.append(f"{where} {room} -> {target}: this arrow is drawn backwards")
    return slips


def functions_of(source: str) -> Iterator[tuple[Function, bool]]:
    """Yields each function and whether it is public: its name and those around it say so."""

    def visit(node: ast.AST, public: bool, in_class: bool) -> Iterator[tuple[Function, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                named = not child.name.startswith("_") or (in_class and child.name == "__init__")
                yield child, public and named
                yield from visit(child, False, False)
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, public and not child.name.startswith("_"), True)
            else:
                yield from visit(child, public, in_class)

    return visit(ast.parse(source), True, False)


def _raised(function: Function) -> Iterator[ast.Raise]:
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield node


def raises_slips(source: str, *, path: str) -> list[str]:
    """Returns the public functions that raise what their `Raises:` section does not name."""
    slips = []
    for function, public in functions_of(source):
        if not public or function.name == "__init__":
            continue
        _, found, section = (ast.get_docstring(function) or "").partition("Raises:")
        for node in _raised(function):
            called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(called).split(".")[-1]
            if not found:
                slips.append(f"{path}:{function.lineno} {function.name}: no Raises: section")
                break
            if name[:1].isupper() and name not in section:
                slips.append(f"{path}:{function.lineno} {function.name}: Raises: lacks {name}")
    return slips


def argument_slips(source: str, *, path: str) -> list[str]:
    """Returns the public functions of more than two arguments that take them by position."""
    slips = []
    for function, public in functions_of(source):
        if not public or function.name in FOREIGN_SIGNATURES:
            continue
        positional = [*function.args.posonlyargs, *function.args.args]
        if positional and positional[0].arg in ("self", "cls"):
            positional = positional[1:]
        total = len(positional) + len(function.args.kwonlyargs)
        if total > 2 and len(positional) > 1:
            slips.append(
                f"{path}:{function.lineno} {function.name}: {total} arguments, "
                f"{len(positional)} of them by position"
            )
    return slips


def length_slips(source: str, *, path: str) -> list[str]:
    """Returns the files and functions that are over the wall."""
    slips = []
    num_lines = source.count("\n")
    if num_lines > MAX_FILE_LINES:
        slips.append(f"{path}:1 {num_lines} lines, {MAX_FILE_LINES} are the wall")
    for function, _ in functions_of(source):
        num_lines = function.end_lineno - function.lineno + 1
        if num_lines > MAX_FUNCTION_LINES:
            slips.append(f"{path}:{function.lineno} {function.name}: {num_lines} lines")
    return slips


def name_slips(path: str) -> list[str]:
    """Returns the path where its name says nothing of what is in it."""
    if path.rsplit("/", maxsplit=1)[-1] in EMPTY_NAMES:
        return [f"{path}:1 a name that says nothing: name the thing"]
    return []
