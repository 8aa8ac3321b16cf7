"""A token cache small enough to write down: three splits, one of them empty."""

from __future__ import annotations

import pathlib

from code_t5.encoding.ragged import Ragged
from code_t5.token_cache import writer
from code_t5.token_cache.parts import PartWriter

FINGERPRINT_PARTS = {"vocabulary": "abc", "format": 1}
# Split -> parts -> documents: ids, size, (repository, path).
PARTS = {
    "train": [
        [([5, 6, 7], 11, ("org/one", "a.py")), ([], 0, ("org/one", "sub/b.py"))],
        [],
        [([65_535], 4, ("org/two", "é\n.py"))],
    ],
    "validation": [[([9, 9], 2, ("org/three", "c.py"))]],
    "test": [],
}


def write_parts(folder: pathlib.Path, parts: dict = PARTS) -> dict[str, list[pathlib.Path]]:
    """Writes parts and returns where they are, by split."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[str, list[pathlib.Path]] = {}
    for split, of_split in parts.items():
        paths[split] = []
        for number, documents in enumerate(of_split):
            name = f"{split}-{number}"
            with PartWriter(folder / name) as part:
                part.append(
                    Ragged.from_rows([ids for ids, _, _ in documents]),
                    sizes=[size for _, size, _ in documents],
                    names=[names for _, _, names in documents],
                )
            paths[split].append(folder / name)
    return paths


def write_cache(folder: pathlib.Path, parts: dict = PARTS) -> pathlib.Path:
    """Writes a cache and returns where it is."""
    paths = write_parts(folder / "parts", parts)
    writer.join_parts(folder / "cache", parts=paths, fingerprint_parts=FINGERPRINT_PARTS)
    return folder / "cache"
