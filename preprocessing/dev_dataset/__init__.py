"""The data set that comes with the project: small, in the FLCC v3 layout, odd on purpose.

Under `v3/` lie repositories of code written for this project. Most files are ordinary. An *oddity*
is a file that is there to make a filter, the dedup or the FLCC reader show what it does: an empty
file, a byte-order mark, a copy in a fork, a path that leaves the repository. `oddities.json` lists
each with what is odd about it and with its *verdict*, the word that the build must find for it
(`preprocessing.filters`); every file that is not listed must be `kept`. That is for all languages
and no other option. `planned_findings.json` lists what else the ledger must say: which files are
copies of each other, licences, how much is redacted. `benchmark.jsonl` is a small benchmark of our
own in the forms of HumanEval and MBPP, parts of which some files hold, and `benchmark_allow.txt` a
list of what may be in the data all the same.

Two oddities cannot be stored in a wheel and so are *made* by `materialize`: a file of over 1 MB and
a symbolic link to a file outside of the tree.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from code_t5.storage import atomic

# Relative to `v3/languages`, as in `oddities.json`.
LARGE_FILE = "Python/.py/Acorn-Labs/stockroom/main/barcode_table_4.py"
LINK_FILE = "Python/.py/Birchwood/pulley/master/local_settings_7.py"

LARGE_FILE_BYTES = 1_000_001
# Any file that most machines have and that holds nothing of interest; the link may dangle.
LINK_TARGET = "/etc/hostname"

_LARGE_FILE_HEAD = '''"""Barcodes (EAN-13) of all articles, from the export of the old till."""

ARTICLE_BY_BARCODE = {
'''
_LARGE_FILE_TAIL = "}\n# "


def bundled_root() -> pathlib.Path:
    """Returns the folder that holds the stored `v3`, without what `materialize` makes."""
    return pathlib.Path(__file__).resolve().parent


def planned_verdicts() -> dict[str, str]:
    """Returns the verdict of every oddity, the two made ones included.

    Returns:
      Verdict by file; files are relative to `v3/languages`, in the order of their names.
    """
    listed = json.loads(bundled_root().joinpath("oddities.json").read_text(encoding="utf-8"))
    return {oddity["file"]: oddity["verdict"] for oddity in listed}


def planned_findings() -> dict[str, Any]:
    """Returns what the ledger must say besides verdicts; files are named as in `planned_verdicts`.

    Returns:
      `clusters`: `kept` and its dropped `copies`, exact and near. `file_licenses`: `[expression,
      source]` by file, for files that have one of their own. `repository_licenses`: expression by
      `<organisation>/<repository>`, for those with a licence file. `redaction`: counts by kind, by
      file. `contamination`: by file what is found with the benchmark. `allowed`: those of these
      files in which nothing is found if the allow-list is used too.
    """
    text = bundled_root().joinpath("planned_findings.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def benchmark_path() -> pathlib.Path:
    """Returns the benchmark that some files of the data set hold parts of."""
    return bundled_root() / "benchmark.jsonl"


def benchmark_allow_path() -> pathlib.Path:
    """Returns the list of snippets of the benchmark that may be in the data."""
    return bundled_root() / "benchmark_allow.txt"


def materialize(output_dir: pathlib.Path) -> None:
    """Writes the whole data set, made oddities included; the same bytes every time.

    Args:
      output_dir: Gets the folder `v3`, which takes the place of one that is there.
    """
    with atomic.directory(pathlib.Path(output_dir) / "v3") as target:
        _copy_tree(bundled_root() / "v3", target)
        languages = target / "languages"
        (languages / LARGE_FILE).write_bytes(_large_file())
        (languages / LINK_FILE).symlink_to(LINK_TARGET)


def _copy_tree(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies contents alone: an installed package may lie in folders that nobody may write to.

    Installing a wheel compiles every `.py` file of it, so that `__pycache__` may lie in between.
    """
    for folder, subfolders, names in os.walk(source):
        subfolders[:] = sorted(name for name in subfolders if name != "__pycache__")
        copy_dir = target / os.path.relpath(folder, source)
        copy_dir.mkdir(exist_ok=True)
        for name in sorted(names):
            if not name.endswith(".pyc"):
                copy_dir.joinpath(name).write_bytes(pathlib.Path(folder, name).read_bytes())


def _check_digit(digits: str) -> int:
    """Returns the last digit of an EAN-13 barcode, which the first twelve decide."""
    weighted = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return -weighted % 10


def _large_file() -> bytes:
    parts, num_bytes = [_LARGE_FILE_HEAD], len(_LARGE_FILE_HEAD) + len(_LARGE_FILE_TAIL)
    for number in range(1000, 100_000):
        barcode = f"400{number * 7919:09d}"
        line = f"    '{barcode}{_check_digit(barcode)}': 'SH-{number:05d}',\n"
        if num_bytes + len(line) >= LARGE_FILE_BYTES:
            break
        parts.append(line)
        num_bytes += len(line)
    # A comment fills up what is left of the size.
    filling = "-" * (LARGE_FILE_BYTES - num_bytes - 1) + "\n"
    return "".join([*parts, _LARGE_FILE_TAIL, filling]).encode("ascii")
