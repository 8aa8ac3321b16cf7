"""The last stage: report, manifest, and the rename that makes a build visible."""

from __future__ import annotations

import collections
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from code_t5 import errors
from code_t5.data.prepared import FORMAT_NAME, FORMAT_VERSION
from code_t5.storage import atomic, fingerprints, manifest
from preprocessing import filters, ledger, lossless, records, report, splits, stages
from preprocessing.build_config import BuildConfig, dataset_dir

_MAX_PROBLEM_LINES = 20


def _split_counts(
    written: Sequence[records.Shard], assigned: dict[int, str]
) -> dict[str, dict[str, int]]:
    repositories = collections.Counter(assigned.values())
    counts = {}
    for split in splits.SPLITS:
        members = [shard for shard in written if shard.split == split]
        if members:
            counts[split] = {
                "num_examples": sum(shard.num_examples for shard in members),
                "num_bytes": sum(shard.num_bytes for shard in members),
                "num_repositories": repositories[split],
                "num_shards": len(members),
            }
    return counts


def read_built(config: BuildConfig, final_dir: pathlib.Path) -> dict[str, Any]:
    """Returns the report of a finished data set made with the same options.

    Args:
      config: What the user asks for now.
      final_dir: The finished data set.

    Returns:
      Its report.

    Raises:
      InputError: It was made with other options.
    """
    built = manifest.read_manifest(
        final_dir, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
    )
    for key, wanted in config.options().items():
        if built["options"].get(key) != wanted:
            raise errors.InputError(
                f"{final_dir} was built with {key} {built['options'].get(key)}; wanted {wanted}; "
                "give another --name, or --overwrite to replace it"
            )
    return json.loads((final_dir / report.REPORT_NAME).read_bytes())


def make_report(
    config: BuildConfig,
    *,
    totals: stages.ScanTotals,
    writer: ledger.LedgerWriter,
    written: Sequence[records.Shard],
    assigned: dict[int, str],
    vocabulary: dict[str, Any],
    checked: lossless.LosslessReport,
) -> dict[str, Any]:
    """Collects every number of a data set.

    Args:
      config: What was asked for.
      totals: Of the scan.
      writer: Of the ledger, closed.
      written: The shards.
      assigned: Split by split key.
      vocabulary: Manifest of the vocabulary.
      checked: Outcome of the lossless check.

    Returns:
      JSON values, the same for the same input.
    """
    verdicts = [verdict for verdict in filters.VERDICTS if writer.files[verdict]]
    return {
        "name": config.name,
        "num_files": totals.num_files,
        "size_bytes": totals.size_bytes,
        "files_by_verdict": {verdict: writer.files[verdict] for verdict in verdicts},
        "bytes_by_verdict": {verdict: writer.size_bytes[verdict] for verdict in verdicts},
        "num_problems": len(totals.problems),
        "problems": list(totals.problems[:_MAX_PROBLEM_LINES]),
        "splits": _split_counts(written, assigned),
        "lossless": {
            "num_texts": checked.num_texts,
            "num_differing": checked.num_differing,
        },
        "vocabulary": {
            "name": config.vocabulary.name,
            "fingerprint": vocabulary["fingerprint"],
            "vocab_size": vocabulary["vocab_size"],
            "characters_per_token": checked.characters_per_token,
            "num_tokens": checked.num_tokens,
        },
    }


def publish_dataset(
    config: BuildConfig,
    *,
    result: dict[str, Any],
    written: Sequence[records.Shard],
    output_dir: pathlib.Path,
) -> None:
    """Writes report and manifest, and gives the finished folder its name.

    Args:
      config: What was asked for.
      result: The report.
      written: The shards.
      output_dir: Holds shards, metadata and ledger; gone afterwards.
    """
    text = json.dumps(result, indent=2) + "\n"
    atomic.write_file(output_dir / report.REPORT_NAME, text.encode("utf-8"))
    hashes = {shard.name: shard.sha256 for shard in written}
    for name in (ledger.LEDGER_NAME, "dataset_info.json", "features.json", report.REPORT_NAME):
        hashes[name] = fingerprints.hash_file(output_dir / name)
    options = config.options()
    manifest.write_manifest(
        output_dir,
        {
            "format_name": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
            "name": config.name,
            "options": options,
            "vocabulary": config.vocabulary.name,
            "vocabulary_fingerprint": result["vocabulary"]["fingerprint"],
            "num_examples": {s: c["num_examples"] for s, c in result["splits"].items()},
            "sha256": hashes,
            "fingerprint": fingerprints.hash_json([hashes, options]),
        },
    )
    final_dir = dataset_dir(config.data_dir, config.name)
    final_dir.parent.mkdir(parents=True, exist_ok=True)
    atomic.publish_directory(output_dir, final_dir)
