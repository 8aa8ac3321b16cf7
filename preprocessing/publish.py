"""The last stage: reports, manifest, and the rename that makes a build visible."""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
from collections.abc import Sequence
from typing import Any, Callable

from code_t5 import errors
from code_t5.storage import atomic, fingerprints, manifest
from code_t5.storage.prepared import FORMAT_NAME, FORMAT_VERSION
from preprocessing import (
    compare,
    decontamination,
    filters,
    findings,
    ledger,
    lossless,
    records,
    report,
    splits,
    unit_store,
)
from preprocessing.build_config import BuildConfig, dataset_dir, dry_run_dir
from preprocessing.leaks import measure, removal

LEAKS_NAME = "leak_report.json"
HTML_NAME = "report.html"
DRY_RUN_FORMAT_NAME = "code_t5_dry_run"
DRY_RUN_FORMAT_VERSION = 1
_REPORT_NAMES = (ledger.LEDGER_NAME, report.REPORT_NAME, LEAKS_NAME, HTML_NAME)
_MAX_PROBLEM_LINES = 20
_DECIDING_LIBRARIES = ("detect-secrets", "license-expression", "rensa")


def _split_counts(
    written: Sequence[records.Shard], found: findings.Findings
) -> dict[str, dict[str, int]]:
    counts = {}
    for split in splits.SPLITS:
        members = [shard for shard in written if shard.split == split]
        if members:
            counts[split] = {
                "num_examples": sum(shard.num_examples for shard in members),
                "num_bytes": sum(shard.num_bytes for shard in members),
                "num_repositories": found.num_repositories(split),
                "num_shards": len(members),
            }
    return counts


def library_versions() -> dict[str, str]:
    """Returns the versions of the libraries that decide on a data set's content."""
    return {name: importlib.metadata.version(name) for name in _DECIDING_LIBRARIES}


def read_built(config: BuildConfig, final_dir: pathlib.Path) -> dict[str, Any]:
    """Returns the report of a finished data set made with the same options.

    Args:
      config: What the user asks for now.
      final_dir: The finished data set.

    Returns:
      Its report.

    Raises:
      InputError: It was made with other options.
      ArtifactError: It is damaged.
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
    path = final_dir / report.REPORT_NAME
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise errors.ArtifactError(
            f"cannot read {path} ({error}); wanted the report of a finished data set; build again "
            "with --overwrite"
        ) from error


def make_report(
    config: BuildConfig,
    *,
    totals: unit_store.ScanTotals,
    writer: ledger.LedgerWriter,
    written: removal.WrittenRecords,
    compared: compare.Comparison,
    problems: Sequence[str],
) -> dict[str, Any]:
    """Collects every number of a data set but those of its vocabulary.

    Args:
      config: What was asked for.
      totals: Of the scan.
      writer: Of the ledger, closed.
      written: The shards, with the ledger beside them.
      compared: What was decided by comparing.
      problems: One line each, for the user, beside those of the scan and the comparison.

    Returns:
      JSON values, the same for the same input.
    """
    verdicts = [verdict for verdict in filters.VERDICTS if writer.files[verdict]]
    found = findings.read_findings(written.output_dir / ledger.LEDGER_NAME)
    near = config.near_duplicates
    problems = (*compared.problems, *problems, *totals.problems)
    return {
        "name": config.name,
        "dry_run": config.dry_run,
        "num_files": totals.num_files,
        "size_bytes": totals.size_bytes,
        "files_by_verdict": {verdict: writer.files[verdict] for verdict in verdicts},
        "bytes_by_verdict": {verdict: writer.size_bytes[verdict] for verdict in verdicts},
        "num_problems": len(problems),
        "problems": list(problems[:_MAX_PROBLEM_LINES]),
        "splits": _split_counts(written.shards, found),
        "near_duplicates": {
            "threshold": near.threshold, "verify": near.verify, **compared.near_duplicates
        },
        "repository_groups": compared.groups,
        "leaks": written.leaks,
        "redaction": {"mode": config.redact, **found.redaction_counts()},
        "licenses": {"policy": config.license_policy, **found.license_counts()},
        "decontamination": {
            "action": config.decontamination.action,
            "benchmarks": decontamination.load_benchmarks(config.decontamination).counts(),
            "num_files": found.num_contaminated,
            "matches": found.matches,
        },
    }  # fmt: skip


def describe_vocabulary(
    config: BuildConfig, *, vocabulary: dict[str, Any], checked: lossless.LosslessReport
) -> dict[str, Any]:
    """Collects what the report says of the vocabulary.

    Args:
      config: What was asked for.
      vocabulary: Its manifest.
      checked: Outcome of the lossless check.

    Returns:
      The report's keys `lossless` and `vocabulary`.
    """
    return {
        "lossless": {"num_texts": checked.num_texts, "num_differing": checked.num_differing},
        "vocabulary": {
            "name": config.vocabulary.name,
            "fingerprint": vocabulary["fingerprint"],
            "vocab_size": vocabulary["vocab_size"],
            "characters_per_token": checked.characters_per_token,
            "num_tokens": checked.num_tokens,
            "by_language": checked.by_language,
            "token_lengths": checked.token_lengths,
        },
    }


def write_reports(
    result: dict[str, Any],
    *,
    output_dir: pathlib.Path,
    read_text: Callable[[int], str | None],
) -> None:
    """Writes the report for machines, the one for people, and the leak report.

    Args:
      result: The report.
      output_dir: Holds the ledger.
      read_text: Content of a file with a record, by `file_id`.
    """
    from preprocessing.html_report import render, samples

    text = json.dumps(result, indent=2) + "\n"
    atomic.write_file(output_dir / report.REPORT_NAME, text.encode("utf-8"))
    measure.write_leak_report(output_dir / LEAKS_NAME, result["leaks"])
    ledger_path = output_dir / ledger.LEDGER_NAME
    chosen = samples.choose_samples(ledger_path, read_text)
    page = render.render_report(result, ledger_path=ledger_path, samples=chosen)
    atomic.write_file(output_dir / HTML_NAME, page)


def publish(
    config: BuildConfig, *, result: dict[str, Any], written: removal.WrittenRecords
) -> None:
    """Gives the data set, or what a dry run found out, its place.

    Args:
      config: What was asked for.
      result: The report.
      written: The shards; ledger and reports are beside them. The folder is gone afterwards.
    """
    if config.dry_run:
        _publish_dry_run(config, written.output_dir)
    else:
        _publish_dataset(config, result=result, written=written)


def _publish_dry_run(config: BuildConfig, output_dir: pathlib.Path) -> None:
    """Gives what a dry run found out its place; the shards that it measured are removed."""
    for path in sorted(output_dir.iterdir()):
        if path.name not in _REPORT_NAMES:
            path.unlink()
    options = config.options()
    hashes = {name: fingerprints.hash_file(output_dir / name) for name in _REPORT_NAMES}
    manifest.write_manifest(
        output_dir,
        {
            "format_name": DRY_RUN_FORMAT_NAME,
            "format_version": DRY_RUN_FORMAT_VERSION,
            "name": config.name,
            "options": options,
            "sha256": hashes,
            "fingerprint": fingerprints.hash_json([hashes, options]),
        },
    )
    final_dir = dry_run_dir(config.data_dir, config.name)
    final_dir.parent.mkdir(parents=True, exist_ok=True)
    atomic.publish_directory(output_dir, final_dir)


def _publish_dataset(
    config: BuildConfig, *, result: dict[str, Any], written: removal.WrittenRecords
) -> None:
    """Writes TFDS metadata and manifest, and gives the finished folder its name."""
    output_dir = written.output_dir
    records.write_tfds_metadata(output_dir, name=config.name, written=written.shards)
    hashes = {shard.name: shard.sha256 for shard in written.shards}
    for name in (*_REPORT_NAMES, "dataset_info.json", "features.json"):
        hashes[name] = fingerprints.hash_file(output_dir / name)
    options = config.options()
    manifest.write_manifest(
        output_dir,
        {
            "format_name": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
            "name": config.name,
            "options": options,
            "libraries": library_versions(),
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
