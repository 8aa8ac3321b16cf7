"""A small build and what it leaves, for the tests of builds."""

from __future__ import annotations

import dataclasses
import pathlib

from code_t5.storage import tfrecords
from preprocessing import build, build_config, ledger

# Pieces enough for the words of the fakes, few enough to train in a moment.
VOCABULARY = build_config.VocabularyConfig(vocab_size=400, max_sample_bytes=200_000)


def config_for(tmp_path: pathlib.Path, **changes) -> build_config.BuildConfig:
    config = build_config.BuildConfig(
        input_dir=str(tmp_path / "in"),
        data_dir=str(tmp_path / "data"),
        name="small",
        num_workers=1,
        vocabulary=VOCABULARY,
    )
    return dataclasses.replace(config, **changes)


def run_build(config: build_config.BuildConfig) -> dict:
    return build.build_dataset(config, clock=build.StageClock())


def dataset_folder(config: build_config.BuildConfig) -> pathlib.Path:
    return build_config.dataset_dir(config.data_dir, config.name)


def ledger_rows(config: build_config.BuildConfig) -> list[dict]:
    return ledger.read_rows(dataset_folder(config) / "ledger.parquet")


def examples_of(config: build_config.BuildConfig) -> list[tuple[str, dict]]:
    return [
        (path.name.split(".")[0].split("-")[1], tfrecords.decode_example(data))
        for path in sorted(dataset_folder(config).glob("flcc-*.tfrecord-*"))
        for data in tfrecords.read_records(path)
    ]


def tree_bytes(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
