"""A data set of three splits in a local folder, and how the plain library reads a built one."""

from __future__ import annotations

import pathlib

SIZES = {"train": 40, "validation": 6, "test": 2}


def write_rows(folder: pathlib.Path, *, word: str = "row") -> str:
    """Writes a local data set: three splits."""
    import pyarrow
    import pyarrow.parquet

    folder.mkdir(exist_ok=True)
    for split, size in SIZES.items():
        table = pyarrow.table(
            {
                "text": pyarrow.array([f"{word} {n} of {split}" for n in range(size)], "string"),
                "label": pyarrow.array([n % 3 for n in range(size)], "int64"),
            }
        )
        pyarrow.parquet.write_table(table, folder / f"{split}.parquet")
    return str(folder)


def read_texts(directory: pathlib.Path, split: str) -> list[str]:
    """Reads a split back by the plain library."""
    import datasets

    return datasets.load_from_disk(str(directory))[split]["text"][:]
