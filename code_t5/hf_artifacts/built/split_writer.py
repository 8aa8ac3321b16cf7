"""Writes one split as `save_to_disk` of `datasets` does: chosen rows, made ids if wanted."""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import Any, Union

from code_t5.hf_artifacts.built import subset
from code_t5.hf_artifacts.built.built_record import BuiltFile, BuiltSplit
from code_t5.hf_artifacts.built.built_request import BuiltRequest
from code_t5.hf_artifacts.built.tokenize_rows import RowTokenizer
from code_t5.storage import fingerprints

PathLike = Union[str, "os.PathLike[str]"]


def write_split(
    rows: Any,
    folder: PathLike,
    *,
    request: BuiltRequest,
    tokenizer: RowTokenizer | None,
    num_workers: int,
    batch_size: int,
) -> BuiltSplit:
    """Writes one split.

    Args:
      rows: Of the source, a `datasets.Dataset`.
      folder: Named as the split; made anew.
      request: What part of the rows.
      tokenizer: Makes them ids; None to leave them as they are.
      num_workers: Processes that make ids.
      batch_size: Rows that are made ids at a time.

    Returns:
      What was written; files by their path below the folder's parent.

    Raises:
      InputError: A row cannot be made ids.
    """
    target = pathlib.Path(folder)
    scratch = target.with_name(f".{target.name}.scratch")
    for old in (target, scratch):
        shutil.rmtree(old, ignore_errors=True)
    scratch.mkdir(parents=True)
    # Names that `datasets` would make up by chance or from paths; so the same gives the same bytes.
    name = fingerprints.hash_json([request.as_json(), target.name, str(rows._fingerprint)])[:16]
    chosen = rows
    if not request.takes_all_rows:
        places = subset.choose_rows(
            len(rows), subset=request.subset, seed=request.seed, split=target.name
        )
        chosen = rows.select(
            places, new_fingerprint=name, indices_cache_file_name=str(scratch / "places.arrow")
        )
    if tokenizer is not None:
        chosen = _encode(
            chosen,
            tokenizer,
            cache_path=scratch / "ids.arrow",
            fingerprint=name,
            num_workers=num_workers,
            batch_size=batch_size,
        )
    if not request.is_plain:
        # They are of the source.
        chosen.info.splits = chosen.info.download_size = chosen.info.dataset_size = None
        chosen.info.size_in_bytes = None
    # Of no rows `datasets` would write no file, and could not read that.
    chosen.save_to_disk(os.fspath(target), num_shards=None if len(chosen) else 1)
    del chosen
    shutil.rmtree(scratch, ignore_errors=True)
    return BuiltSplit(
        num_rows=_num_rows(target),
        num_source_rows=len(rows),
        files={
            f"{target.name}/{path.relative_to(target).as_posix()}": BuiltFile(
                path.stat().st_size, fingerprints.hash_file(path)
            )
            for path in sorted(target.rglob("*"))
            if path.is_file()
        },
    )


def _num_rows(folder: pathlib.Path) -> int:
    """Returns the number of rows that can be read back."""
    import datasets

    return len(datasets.load_from_disk(os.fspath(folder)))


def _encode(
    rows: Any,
    tokenizer: RowTokenizer,
    *,
    cache_path: pathlib.Path,
    fingerprint: str,
    num_workers: int,
    batch_size: int,
) -> Any:
    import datasets

    features = tokenizer.features
    if len(rows) == 0:
        # `map` would leave the columns as they are.
        return datasets.Dataset.from_dict({name: [] for name in features}, features=features)
    return rows.map(
        tokenizer,
        batched=True,
        batch_size=batch_size,
        with_indices=True,
        input_columns=None,
        remove_columns=rows.column_names,
        features=features,
        load_from_cache_file=False,
        cache_file_name=os.fspath(cache_path),
        new_fingerprint=fingerprint,
        num_proc=min(num_workers, len(rows)) if num_workers > 1 else None,
        desc=f"ids of {len(rows)} rows",
    )
