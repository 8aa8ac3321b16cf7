"""Small real things that several tests need: FLCC trees written in the test."""

from __future__ import annotations

import json
import pathlib
import random
from collections.abc import Mapping

_WORDS = "alpha beta gamma delta index value total count result items buffer cursor".split()


def write_flcc(
    root: pathlib.Path,
    files: Mapping[str, bytes | str],
    *,
    language: str = "Python",
    extension: str = ".py",
    paths: Mapping[str, object] | None = None,
) -> pathlib.Path:
    """Writes an FLCC data set; keys are `org/repository/branch/flat name`.

    `paths` maps `org/repository/branch` to the content of its `paths.json`.
    """
    for name, content in files.items():
        path = root / "v3/languages" / language / extension / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    for branch, value in (paths or {}).items():
        path = root / "v3/repositories" / branch / "paths.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))
    return root


def some_code(seed: int, num_lines: int = 12) -> str:
    """Returns distinct, harmless Python that every filter keeps."""
    rng = random.Random(seed)
    lines = [f"def function_{seed}({rng.choice(_WORDS)}):"]
    for _ in range(num_lines):
        first, second = rng.choice(_WORDS), rng.choice(_WORDS)
        lines.append(f"    {first} = {second} + {rng.randrange(1000)}")
    lines.append(f"    return {rng.choice(_WORDS)}")
    return "\n".join(lines) + "\n"


def write_code_repositories(
    root: pathlib.Path, *, num_repositories: int = 8, files_each: int = 5
) -> pathlib.Path:
    """Writes an FLCC data set of distinct code."""
    return write_flcc(
        root,
        {
            f"org{number % 3}/repo{number}/master/module_{index}.py": some_code(
                number * 1000 + index
            )
            for number in range(num_repositories)
            for index in range(files_each)
        },
    )
