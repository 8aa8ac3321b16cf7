"""Keeps what the baselines counted: an artefact by the fingerprint of what was counted.

It lies under the data directory, `baselines/<data set>-<fingerprint>`, so every model trained on a
data set is measured beside the same one, counted once.
"""

from __future__ import annotations

import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors, progress
from code_t5.encoding import token_model
from code_t5.encoding.unit_encoder import UnitEncoder
from code_t5.storage import atomic, fingerprints, manifest, prepared
from code_t5.training.evaluating import cursors, next_lines, ngram_lines, ngram_model

_FORMAT_NAME = "code_t5_line_baselines"
_FORMAT_VERSION = 1
_TRAIN_SPLIT = "train"
_FILES_AT_ONCE = 256
NGRAM, NEXT_LINE = "ngram", "next_line"


@dataclasses.dataclass(frozen=True)
class BaselineConfig:
    """What is counted.

    Attributes:
      max_order: The longest n-grams.
      max_bytes: Of the training split's files at most so many bytes are counted, the first in the
        split's order: n-grams need some 40 bytes of memory per byte of text while they are counted.
    """

    max_order: int = 6
    max_bytes: int = 100_000_000

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          InputError: One is out of range.
        """
        if not 2 <= self.max_order <= 12 or self.max_bytes < 1:
            raise errors.InputError(
                f"the n-gram order is {self.max_order} and the bytes counted {self.max_bytes}; "
                "wanted 2 to 12 and at least 1; give --ngram_order and --baseline_bytes others"
            )


@dataclasses.dataclass(frozen=True)
class Baselines:
    """The baselines of a data set.

    Attributes:
      ngrams: Completes by n-grams.
      next_lines: Completes by lines seen before.
      about: By name, how each completes, and what was counted; for the results.
    """

    ngrams: ngram_lines.NgramLines
    next_lines: next_lines.NextLines
    about: Mapping[str, dict[str, Any]]

    def complete(self, name: str, prompt: str) -> str:
        """Returns what a baseline writes.

        Args:
          name: `NGRAM` or `NEXT_LINE`.
          prompt: A file up to a cursor.
        """
        chosen = {NGRAM: self.ngrams.complete, NEXT_LINE: self.next_lines.complete}
        return chosen[name](prompt)


def open_baselines(
    dataset: prepared.PreparedDataset, *, config: BaselineConfig, max_new_tokens: int = 64
) -> Baselines:
    """Returns the baselines of a data set's training split; counts what is not counted yet.

    Args:
      dataset: The data set.
      config: What is counted.
      max_new_tokens: Most tokens that they write at a cursor, as a model does beside them.

    Returns:
      The baselines.

    Raises:
      InputError: The data set has no training split.
      NotBuiltError: The data set or its vocabulary is not built.
      ArtifactError: One of them, or what was counted, is damaged.
      BusyError: Another process counts the same.
    """
    key = {
        "format_version": _FORMAT_VERSION,
        "dataset": dataset.read_manifest()["fingerprint"],
        "vocabulary": dataset.read_manifest()["vocabulary_fingerprint"],
        "split": _TRAIN_SPLIT,
        **dataclasses.asdict(config),
    }
    fingerprint = fingerprints.hash_json(key)
    folder = pathlib.Path(dataset.data_dir, "baselines", f"{dataset.name}-{fingerprint[:16]}")
    if not manifest.is_complete(folder):
        with atomic.lock(folder.with_suffix(".lock"), purpose="counts the baselines there"):
            if not manifest.is_complete(folder):
                atomic.remove_leftovers(folder)
                _build(folder, dataset, config=config, key=key)
    return _read(folder, dataset, max_new_tokens=max_new_tokens)


def _build(
    folder: pathlib.Path,
    dataset: prepared.PreparedDataset,
    *,
    config: BaselineConfig,
    key: Mapping[str, Any],
) -> None:
    """Counts and writes."""
    model = token_model.load_token_model(dataset.vocabulary_dir)
    texts, num_bytes, num_files = [], 0, 0
    for file in cursors.read_files(dataset, _TRAIN_SPLIT):
        num_files += 1
        size = len(file.text.encode("utf-8"))
        if num_bytes + size <= config.max_bytes:
            texts.append(file.text)
            num_bytes += size
    ids = _encode(texts, UnitEncoder(model))
    orders = ngram_model.count_orders(ids, vocab_size=model.vocab_size, max_order=config.max_order)
    seen = next_lines.count_lines(texts)
    arrays = {"pairs.npy": seen.pairs, "line_counts.npy": seen.counts}
    for number, order in enumerate(orders, start=1):
        for name, array in order._asdict().items():
            arrays[f"order_{number}_{name}.npy"] = array
    with atomic.directory(folder) as temporary:
        files = {"lines.txt": b"\n".join(seen.lines)}
        files.update({name: _array_bytes(array) for name, array in arrays.items()})
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        fields = {
            "format_name": _FORMAT_NAME,
            "format_version": _FORMAT_VERSION,
            "made_from": dict(key),
            "num_files": len(texts),
            "num_files_in_split": num_files,
            "num_bytes": num_bytes,
            "num_tokens": sum(map(len, ids)),
            "num_lines": len(seen.lines),
            "max_order": config.max_order,
            "sha256": {name: fingerprints.hash_bytes(content) for name, content in files.items()},
        }
        manifest.write_manifest(temporary, fields)


def _encode(texts: Sequence[str], encoder: UnitEncoder) -> list[np.ndarray]:
    ids: list[np.ndarray] = []
    starts = range(0, len(texts), _FILES_AT_ONCE)
    for start in progress.progress_bar(starts, description="counting training code", unit="batch"):
        rows = encoder.encode([t.encode("utf-8") for t in texts[start : start + _FILES_AT_ONCE]])
        ids += [rows.row(index) for index in range(rows.num_rows)]
    return ids


def _array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _read(
    folder: pathlib.Path, dataset: prepared.PreparedDataset, *, max_new_tokens: int
) -> Baselines:
    fields = manifest.read_manifest(
        folder, format_name=_FORMAT_NAME, format_version=_FORMAT_VERSION
    )
    manifest.check_manifest(folder)

    def content(name: str) -> bytes:
        return fingerprints.read_checked_file(
            folder / name, sha256=fields["sha256"][name], role="what the baselines counted"
        )

    def array(name: str) -> np.ndarray:
        return np.load(io.BytesIO(content(name)), allow_pickle=False)

    numbers = range(1, fields["max_order"] + 1)
    orders = [
        ngram_model.Order(*(array(f"order_{n}_{name}.npy") for name in ngram_model.Order._fields))
        for n in numbers
    ]
    model = token_model.load_token_model(dataset.vocabulary_dir)
    ngrams = ngram_model.NgramModel(orders, vocab_size=model.vocab_size)
    lines = content("lines.txt")
    seen = next_lines.LineCounts(
        lines.split(b"\n") if lines else [], array("line_counts.npy"), array("pairs.npy")
    )
    return Baselines(
        ngram_lines.NgramLines(ngrams, model=model, max_new_tokens=max_new_tokens),
        next_lines.NextLines(seen, model=model, max_new_tokens=max_new_tokens),
        _about(fields, dataset),
    )


def _about(
    fields: Mapping[str, Any], dataset: prepared.PreparedDataset
) -> Mapping[str, dict[str, Any]]:
    """Returns for each baseline how it completes and what was counted for it."""
    shared = {
        "dataset": dataset.name,
        "split": _TRAIN_SPLIT,
        "fingerprint": fingerprints.hash_json(fields["made_from"]),
        **{name: fields[name] for name in ("num_files", "num_files_in_split", "num_bytes")},
    }
    return {
        NGRAM: {
            **shared,
            "method": "n-grams, interpolated modified Kneser-Ney",
            "decoding": f"greedy, {ngram_lines.HEALED_TOKENS} token before the cursor anew",
            **{name: fields[name] for name in ("max_order", "num_tokens")},
        },
        NEXT_LINE: {
            **shared,
            "method": "most frequent line below the same line, else most frequent line",
            "num_lines": fields["num_lines"],
        },
    }
