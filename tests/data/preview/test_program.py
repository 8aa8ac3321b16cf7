"""The preview of real Tasks and Mixtures, through the trainer's input function."""

from __future__ import annotations

import dataclasses
import io
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import seqio
import tensorflow as tf
from absl import logging

from code_t5 import errors
from code_t5.data.preview import listing, preview_config, program, sampling, trainer_setup
from code_t5.data.task_cache import build

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
_HOSTILE = "x = 1\x1b[31m # \u202e <script>alert(1)</script> <extra_id_0> ⟦end⟧\n"


@pytest.fixture(autouse=True)
def _leaves_the_process_as_it_was():
    verbosity, folders = logging.get_verbosity(), seqio.get_global_cache_dirs()
    yield
    logging.set_verbosity(verbosity)
    seqio.set_global_cache_dirs(folders)


@pytest.fixture(scope="module")
def config(small_data_dir):
    return preview_config.PreviewConfig(
        name="small_prefix_lm",
        data_dir=str(small_data_dir),
        num_examples=2,
        num_rows=8,
        num_documents=40,
        sequence_length={"inputs": 64, "targets": 64},
        colour="never",
    )


def _shown(config, **changes):
    stream = io.StringIO()
    program.show(dataclasses.replace(config, **changes), stream)
    return stream.getvalue()


def _sample(config, **changes):
    changed = dataclasses.replace(config, **changes)
    trainer_setup.register(changed)
    trainer_setup.parse_gin(changed)
    return sampling.take_sample(seqio.get_mixture_or_task(changed.name), changed)


def _ids(sample):
    return [row.features["inputs"].tolist() for row in sample.rows]


def test_a_task_is_shown(config):
    shown = _shown(config)
    assert shown.startswith("small_prefix_lm\nTask · split train · read from the source\n")
    assert "inputs 64 · targets 64 · packed · seed 0" in shown
    assert re.search(r"^small_prefix_lm · \d+ records · not cached$", shown, re.M)
    assert "def function_" in shown
    assert "in 8 rows" in shown
    assert "Settings that these lengths ask for" in shown
    assert "\x1b" not in shown


def test_rows_are_those_of_the_trainer(config):
    from t5.models import mesh_transformer

    sample = _sample(config)
    dataset = mesh_transformer.mesh_train_dataset_fn(
        mixture_or_task_name="small_prefix_lm",
        sequence_length={"inputs": 64, "targets": 64},
        seed=0,
    )
    wanted = [row["inputs"].tolist() for row in dataset.take(8).as_numpy_iterator()]
    assert _ids(sample) == wanted


def test_a_seed_chooses_the_examples(config):
    assert _shown(config) == _shown(config)
    assert _ids(_sample(config)) != _ids(_sample(config, seed=1))


def test_rows_without_packing_hold_one_example(config):
    sample = _sample(config, pack=False, split="validation")
    assert {row.num_examples for row in sample.rows} == {1}
    assert not any(row.is_packed for row in sample.rows)


def test_what_gin_binds_is_shown(config):
    sample = _sample(
        config,
        name="small",
        sequence_length=None,
        gin_files=("runs/dev_span_corruption.gin",),
        gin_params=("mesh_train_dataset_fn.pack = False",),
    )
    assert sample.measured.given.sequence_length["inputs"] == 128
    assert not sample.rows[0].is_packed
    assert "⟦extra_id_0⟧" in _shown(
        config, name=None, gin_files=("runs/dev_span_corruption.gin",),
        gin_params=("MIXTURE_NAME = 'small'",),
    )  # fmt: skip


def test_lengths_of_documents_are_those_of_the_files(config, small_data_dir):
    from code_t5.encoding import token_model
    from code_t5.storage import tfrecords

    model = token_model.load_token_model(small_data_dir / "vocabularies/default")
    wanted = [
        len(model.encode(tfrecords.decode_example(record)["text"].decode("utf-8")))
        for path in small_data_dir.glob("flcc/small/*/flcc-validation.tfrecord-*")
        for record in tfrecords.read_records(path)
    ]
    measured = _sample(config, split="validation").measured
    assert sorted(measured.documents.tolist()) == sorted(wanted)
    assert measured.natural is None
    assert measured.given.num_epoch_examples == len(measured.given.examples["targets"])


def test_repository_and_path_are_shown_where_asked_for(config):
    room = {"inputs": 128, "targets": 128}
    assert "module_" not in _shown(config, sequence_length=room)
    with_path = _shown(config, sequence_length=room, with_path=True)
    assert "module_" in with_path and "org" in with_path


def _trainer_rows(rows):
    """Returns as many rows as `runs/resumable.gin` would give the trainer."""
    from code_t5.training import input_functions

    dataset = input_functions.token_train_dataset_fn(
        mixture_or_task_name="small_prefix_lm", sequence_length={"inputs": 64, "targets": 64}
    )
    return [row["inputs"].tolist() for row in dataset.take(len(rows)).as_numpy_iterator()]


def test_a_function_that_cannot_be_told_what_to_read_is_refused(config):
    module = "mesh_tensorflow.transformer.dataset"
    lines = (f"utils.run.train_dataset_fn = @{module}.packed_parallel_tsv_dataset",)
    with pytest.raises(errors.InputError, match="packed_parallel_tsv_dataset, which has no mix"):
        _shown(config, gin_params=lines)


def test_cached_tasks_are_read_and_listed(config, small_data_dir, tmp_path):
    build.cache_tasks(
        build.CacheConfig(
            tasks=("small_prefix_lm",),
            output_cache_dir=str(tmp_path),
            data_dir=str(small_data_dir),
            num_workers=1,
            min_shards=2,
        )
    )
    resumable = {"gin_files": ("runs/resumable.gin",), "cache_dirs": (str(tmp_path),)}
    sample = _sample(config, pack=None, **resumable)
    assert sample.is_cached and sample.function == "token_train_dataset_fn"
    assert _ids(sample) == _trainer_rows(sample.rows)
    shown = _shown(config, **resumable)
    assert "read from the task cache" in shown and "rows of token_train_dataset_fn" in shown
    assert "  token_train_dataset_fn.pack = " in shown and "mesh_train" not in shown
    unpacked = ("token_train_dataset_fn.pack = False",)
    shown = _shown(config, gin_params=unpacked, **resumable)
    assert " · not packed · " in shown and "example 2 of" not in shown
    assert " · packed · " in _shown(config, pack=True, gin_params=unpacked, **resumable)
    with pytest.raises(errors.InputError, match="reads task caches alone"):
        _shown(config, use_cached=False, **resumable)
    with pytest.raises(errors.NotBuiltError, match="small_infilling is not cached") as raised:
        _shown(config, name="small_infilling", **resumable)
    assert "\n" not in str(raised.value)
    with pytest.raises(errors.NotBuiltError, match="small_infilling is not cached"):
        _shown(config, name="small_infilling", use_cached=True, cache_dirs=(str(tmp_path),))
    shown = _shown(config, use_cached=True, cache_dirs=(str(tmp_path),))
    assert "read from the task cache" in shown
    assert f"cached in {tmp_path}/small_prefix_lm" in shown
    stream = io.StringIO()
    program.show_list(dataclasses.replace(config, cache_dirs=(str(tmp_path),)), stream)
    (line,) = [one for one in stream.getvalue().splitlines() if "small_prefix_lm " in one]
    assert line.split()[-1] == f"{tmp_path}/small_prefix_lm"
    # Other tests find the Task as it was.
    seqio.TaskRegistry.remove("small_prefix_lm")


def test_the_list_has_every_task_with_its_splits(config):
    stream = io.StringIO()
    program.show_list(config, stream)
    shown = stream.getvalue()
    entries = {entry.name: entry for entry in listing.list_entries()}
    counts = entries["small_infilling"].counts
    assert set(counts) == {"train", "validation", "test"} and all(counts.values())
    (line,) = [one for one in shown.splitlines() if one.startswith("  small_infilling ")]
    wanted = [f"{counts[split]}" for split in ("train", "validation", "test")]
    assert line.split() == ["small_infilling", *wanted, "not", "cached"]
    assert "not built: fl_py_10stars_2019 and fl_py_10stars_2019_… (6)" in shown


def test_a_mixture_of_gin_is_shown_with_its_shares(config):
    mine = ("mine/mixture.members = {'small_prefix_lm': 3.0, 'small_infilling': 1.0}",)
    shown = _shown(config, name="mine", gin_params=mine)
    assert "Mixture of 2 Tasks" in shown
    assert "75.0% of the examples" in shown and "25.0% of the examples" in shown
    stream = io.StringIO()
    program.show_list(dataclasses.replace(config, gin_params=mine), stream)
    assert "     75.0%  small_prefix_lm" in stream.getvalue()
    seqio.MixtureRegistry.remove("mine")


def test_a_page_is_written(config, tmp_path):
    path = tmp_path / "page.html"
    shown = _shown(config, html_path=path)
    assert shown.endswith(f"written: {path}\n")
    assert "<h1>small_prefix_lm</h1>" in path.read_text(encoding="utf-8")


def _register(name, *, examples, feature=None, splits=("train",)):
    feature = feature or seqio.Feature(seqio.ByteVocabulary(extra_ids=10), add_eos=True)

    def dataset(split, shuffle_files, seed=None):
        del split, shuffle_files, seed
        return tf.data.Dataset.from_tensor_slices(examples)

    if name in seqio.TaskRegistry.names():
        seqio.TaskRegistry.remove(name)
    seqio.TaskRegistry.add(
        name,
        source=seqio.FunctionDataSource(dataset, splits=list(splits)),
        preprocessors=[seqio.preprocessors.tokenize, seqio.preprocessors.append_eos_after_trim],
        output_features={key: feature for key in examples},
        metric_fns=[],
    )
    return name


def test_hostile_text_of_another_task_is_harmless(config, tmp_path):
    name = _register("hostile", examples={"inputs": [_HOSTILE] * 3, "targets": ["a", "b", "c"]})
    path = tmp_path / "page.html"
    shown = _shown(config, name=name, sequence_length={"inputs": 128, "targets": 8}, html_path=path)
    assert "x = 1␛[31m # ⟨U+202E⟩ <script>alert(1)</script> <extra_id_0> ⟨U+27E6⟩end⟨U+27E7⟩" in (
        "".join(line[8:] if "↪" in line else line for line in shown.splitlines())
    )
    assert shown.replace("\n", "").isprintable()
    page = path.read_text(encoding="utf-8")
    assert "<script>" not in page and "\x1b" not in page
    assert "Examples have a length of their own" in shown
    seqio.TaskRegistry.remove(name)


def test_a_task_without_inputs_or_text_is_shown(config):
    plain = seqio.Feature(seqio.PassThroughVocabulary(100), add_eos=False, dtype=tf.int32)
    name = _register("numbers", examples={"targets": np.full((3, 4), 7, np.int32)}, feature=plain)
    assert "7 7 7 7" in _shown(config, name=name, sequence_length={"targets": 8})
    seqio.TaskRegistry.remove(name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "smal_prefix_lm"}, "did you mean small_prefix_lm"),
        ({"split": "tset"}, "wanted one of test, train, validation"),
        ({"sequence_length": {"inputs": 2, "targets": 64}}, "too short for the objective"),
        ({"sequence_length": {"labels": 2}}, "labels"),
        ({"name": "small"}, "gin chooses no objective"),
        ({"name": None}, "no Task or Mixture is named"),
        ({"gin_files": ("runs/mien.gin",)}, "there is no gin file runs/mien.gin"),
        ({"gin_params": ("no_such.thing = 1",)}, "gin does not take"),
        ({"module_imports": ("no_such_module",)}, "there is no module no_such_module"),
    ],
)
def test_what_cannot_be_shown_is_one_line(config, changes, words):
    with pytest.raises(errors.InputError, match=words) as raised:
        _shown(config, **changes)
    assert "\n" not in str(raised.value)


def test_an_empty_split_is_an_error(config):
    name = _register("nothing", examples={"targets": tf.constant([], tf.string)})
    with pytest.raises(errors.InputError, match="split train of nothing is empty"):
        _shown(config, name=name)
    seqio.TaskRegistry.remove(name)


def test_a_data_set_that_is_not_built_says_how(config):
    with pytest.raises(errors.NotBuiltError, match="preprocessing.build"):
        _shown(config, name="fl_py_50stars_2019_prefix_lm")


def test_the_reader_may_stop_listening():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        program._write(["x" * 100_000] * 3, stream)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["512", "114"], {"inputs": 512, "targets": 114}),
        (["inputs=9", "targets = 8"], {"inputs": 9, "targets": 8}),
        ([], None),
    ],
)
def test_lengths_of_a_command_line_are_read(words, found):
    assert preview_config.read_lengths(words) == found


@pytest.mark.parametrize(
    "words", [["512"], ["512", "0"], ["a", "b"], ["inputs=-1"], ["1", "2", "3"]]
)
def test_lengths_that_are_none_are_refused(words):
    with pytest.raises(errors.InputError, match="--sequence_length"):
        preview_config.read_lengths(words)


def _run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "scripts/preview_task.py", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip


def test_help_lists_the_flags_and_needs_no_tensorflow():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = (
        "import runpy, sys\nsys.argv = ['scripts/preview_task.py', '--help']\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n    print('tensorflow' in sys.modules, 'seqio' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "--sequence_length:" in done.stdout
    assert done.stdout.endswith("False False\n")


def test_the_program_shows_a_task(small_data_dir):
    done = _run(
        "small_span_corruption", f"--data_dir={small_data_dir}", "--num_rows=4",
        "--sequence_length=64,64", "--gin_param=x = 1", "--color=always", "--nopack",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\x1b[1;35m⟦extra_id_0⟧\x1b[0m" in done.stdout
    assert "not packed" in done.stdout
