"""The flags of a build, shared by every program that builds a data set."""

from __future__ import annotations

import os
from collections.abc import Sequence

from absl import flags

from code_t5 import errors
from code_t5.encoding import token_model
from preprocessing import decontamination, filters, licenses, scan, splits
from preprocessing.build_config import BuildConfig, VocabularyConfig
from preprocessing.dedup import near


def define_flags() -> None:
    """Defines the flags; call it once, before they are parsed."""
    # `--benchmark A B --name N` reads on after B.
    flags.FLAGS.set_gnu_getopt(True)
    defaults = BuildConfig("", "", "")
    flags.DEFINE_string("input_dir", None, "Folder in FLCC layout.", required=True)
    flags.DEFINE_string("data_dir", None, "Where TFDS data sets lie.", required=True)
    flags.DEFINE_string("name", None, "Name of the data set, and of its Task.", required=True)
    flags.DEFINE_list("language", ["Python"], "Language folders to read, or all.")
    flags.DEFINE_integer("num_workers", 0, "Processes; 0 for one per processor.", lower_bound=0)
    flags.DEFINE_bool("overwrite", False, "Replace a finished data set of this name.")
    flags.DEFINE_bool("dry_run", False, "Decide everything; write only the ledger and reports.")
    _define_filter_flags(defaults)
    _define_copy_flags(defaults)
    vocabulary = defaults.vocabulary
    flags.DEFINE_string("vocabulary", vocabulary.name, "Which vocabulary of the data directory.")
    flags.DEFINE_integer(
        "vocab_size", 0, "Pieces; 0 takes an existing vocabulary, or trains 32000.", lower_bound=0
    )
    flags.DEFINE_integer(
        "max_sample_bytes", vocabulary.max_sample_bytes, "Most bytes to train a vocabulary on."
    )
    flags.DEFINE_enum(
        "vocabulary_kind", vocabulary.kind, token_model.KINDS,
        "What to train; by default what the existing vocabulary is, else sentencepiece.",
    )  # fmt: skip


def _define_filter_flags(defaults: BuildConfig) -> None:
    limits = defaults.filters
    flags.DEFINE_integer("max_file_bytes", limits.max_file_bytes, "Of a file as found.")
    flags.DEFINE_integer("max_line_length", limits.max_line_length, "In characters.")
    flags.DEFINE_float("max_mean_line_length", limits.max_mean_line_length, "In characters.")
    flags.DEFINE_float(
        "min_alphanumeric_fraction", limits.min_alphanumeric_fraction, "Of the characters."
    )
    flags.DEFINE_enum(
        "license_policy", defaults.license_policy, licenses.POLICIES, "Which licences to keep."
    )
    flags.DEFINE_enum(
        "redact", defaults.redact, scan.REDACT_MODES, "What to do with secrets and personal data."
    )
    flags.DEFINE_multi_string(
        "benchmark", [], "JSONL files that must not be in the data; several may follow one flag."
    )
    flags.DEFINE_list("benchmark_fields", [], "Fields to look for; empty for the usual ones.")
    flags.DEFINE_enum(
        "benchmark_action", defaults.decontamination.action, decontamination.ACTIONS,
        "Drop a file that holds part of a benchmark, or cut it off before that.",
    )  # fmt: skip
    flags.DEFINE_multi_string(
        "benchmark_allow", [], "Files of generic snippets that may be in the data all the same."
    )


def _define_copy_flags(defaults: BuildConfig) -> None:
    flags.DEFINE_bool("no_near_dup", False, "Keep near-duplicates within a split.")
    flags.DEFINE_float(
        "near_dup_threshold",
        defaults.near_duplicates.threshold,
        "Jaccard similarity of 5-grams of tokens from which two files are copies.",
    )
    flags.DEFINE_bool(
        "verify", defaults.near_duplicates.verify, "Compare each suspected pair exactly."
    )
    flags.DEFINE_float(
        "max_linked_fraction", defaults.max_linked_fraction,
        "Of the files; the most that repositories linked by single shared files hold together.",
    )  # fmt: skip
    sizes = defaults.splits
    flags.DEFINE_float("validation_fraction", sizes.validation_fraction, "Of the repositories.")
    flags.DEFINE_float("test_fraction", sizes.test_fraction, "Of the repositories.")


def config_from_flags(more_benchmarks: Sequence[str]) -> BuildConfig:
    """Returns what the flags ask for.

    Args:
      more_benchmarks: Arguments that are no flags: files that follow one after `--benchmark`.

    Raises:
      InputError: There are such arguments without the flag.
    """
    values = flags.FLAGS
    if more_benchmarks and not values.benchmark:
        raise errors.InputError(f"{more_benchmarks[0]!r} is no flag; wanted flags only; see --help")
    return BuildConfig(
        input_dir=values.input_dir,
        data_dir=os.path.expanduser(values.data_dir),
        name=values.name,
        languages=tuple(values.language),
        num_workers=values.num_workers,
        overwrite=values.overwrite,
        dry_run=values.dry_run,
        filters=filters.FilterConfig(
            max_file_bytes=values.max_file_bytes,
            max_line_length=values.max_line_length,
            max_mean_line_length=values.max_mean_line_length,
            min_alphanumeric_fraction=values.min_alphanumeric_fraction,
        ),
        license_policy=values.license_policy,
        redact=values.redact,
        decontamination=decontamination.DecontaminationConfig(
            benchmark_paths=tuple(sorted({*values.benchmark, *more_benchmarks})),
            fields=tuple(values.benchmark_fields),
            action=values.benchmark_action,
            allow_list_paths=tuple(values.benchmark_allow),
        ),
        near_duplicates=near.NearDupConfig(
            enabled=not values.no_near_dup,
            threshold=values.near_dup_threshold,
            verify=values.verify,
        ),
        max_linked_fraction=values.max_linked_fraction,
        splits=splits.SplitConfig(values.validation_fraction, values.test_fraction),
        vocabulary=VocabularyConfig(
            name=values.vocabulary,
            vocab_size=values.vocab_size,
            max_sample_bytes=values.max_sample_bytes,
            kind=values.vocabulary_kind,
        ),
    )
