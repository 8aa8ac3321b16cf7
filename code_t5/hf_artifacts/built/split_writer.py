"""Writes one split as `save_to_disk` of `datasets` does: chosen rows, made ids if wanted."""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class SplitWriter:
    """How the splits of one data set are written.

    Attributes:
      request: What part of the rows.
      tokenizer: Makes them ids; None to leave them as they are.
      num_workers: Processes that make ids.
      batch_size: Rows that are made ids at a time.
    """

    request: BuiltRequest
    tokenizer: RowTokenizer | None = None
    num_workers: int = 1
    batch_size: int = 1000

    def write(self, rows: Any, folder: PathLike) -> BuiltSplit:
        """Writes one split.

        Args:
          rows: Of the source, a `datasets.Dataset`.
          folder: Named as the split; made anew.

        Returns:
          What was written; files by their path below the folder's parent.
        """
        target = pathlib.Path(folder)
        scratch = target.with_name(f".{target.name}.scratch")
        for old in (target, scratch):
            shutil.rmtree(old, ignore_errors=True)
        scratch.mkdir(parents=True)
        chosen = self._choose(rows, split=target.name, scratch=scratch)
        if not self.request.is_plain:
            # They are of the source.
            chosen.info.splits = chosen.info.download_size = chosen.info.dataset_size = None
            chosen.info.size_in_bytes = None
        # Of no rows `datasets` would write no file, and could not read that.
        chosen.save_to_disk(os.fspath(target), num_shards=None if len(chosen) else 1)
        del chosen
        shutil.rmtree(scratch, ignore_errors=True)
        return BuiltSplit(
            num_rows=_num_rows(target), num_source_rows=len(rows), files=_describe_files(target)
        )

    def _choose(self, rows: Any, *, split: str, scratch: pathlib.Path) -> Any:
        """Returns the rows that are written."""
        request = self.request
        # Names that `datasets` would make up from chance and paths: the same gives the same bytes.
        name = fingerprints.hash_json([request.as_json(), split, str(rows._fingerprint)])[:16]
        if not request.takes_all_rows:
            places = subset.choose_rows(
                len(rows), subset=request.subset, seed=request.seed, split=split
            )
            rows = rows.select(
                places, new_fingerprint=name, indices_cache_file_name=str(scratch / "places.arrow")
            )
        if self.tokenizer is None:
            return rows
        features = self.tokenizer.features
        if len(rows) == 0:
            # `map` would leave the columns as they are.
            import datasets

            return datasets.Dataset.from_dict({key: [] for key in features}, features=features)
        return rows.map(
            self.tokenizer,
            batched=True,
            batch_size=self.batch_size,
            with_indices=True,
            remove_columns=rows.column_names,
            features=features,
            load_from_cache_file=False,
            cache_file_name=os.fspath(scratch / "ids.arrow"),
            new_fingerprint=name,
            num_proc=min(self.num_workers, len(rows)) if self.num_workers > 1 else None,
            desc=f"ids of {split}",
        )


def _describe_files(folder: pathlib.Path) -> dict[str, BuiltFile]:
    return {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": BuiltFile(
            path.stat().st_size, fingerprints.hash_file(path)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _num_rows(folder: pathlib.Path) -> int:
    """Returns the number of rows that can be read back."""
    import datasets

    return len(datasets.load_from_disk(os.fspath(folder)))
