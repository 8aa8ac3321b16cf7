"""A teacher is asked once; what it said is the same however often the asking was interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from refusals import assert_refused, content
from small_teacher import SCHEMA, SmallTeacher, asked, small_config

from code_t5 import errors
from code_t5.teacher_outputs.reader import open_outputs
from code_t5.training.teachers import generating, opening, teacher, verifying
from code_t5.training.teachers.generating import generate

_ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(name="whole")
def _whole(tmp_path):
    """Files of outputs that were generated in one go."""
    generate(small_config(), output=str(tmp_path / "whole"))
    return content(tmp_path / "whole")


def test_what_the_teacher_said_is_stored(tmp_path):
    found = generate(small_config(batch_size=3), output=str(tmp_path / "outputs"))
    outputs, small = open_outputs(tmp_path / "outputs"), SmallTeacher()
    assert (len(outputs), found.num_generated, found.plan.seed) == (20, 20, 7)
    assert found.size_bytes == sum(map(len, content(tmp_path / "outputs").values()))
    for number, sample in enumerate(outputs):
        ((_, drawn),) = small.draw([number], seed=7, split="train")
        assert sample["value"] == drawn
        assert sample["rows"].tolist() == [[drawn, drawn + 1]] * (drawn % 10)
    assert sorted(os.listdir(tmp_path)) == ["outputs"]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_another_batch_size_gives_the_same_bytes(tmp_path, whole, batch_size):
    generate(small_config(batch_size=batch_size), output=str(tmp_path / "outputs"))
    assert content(tmp_path / "outputs") == whole


def test_two_processes_give_the_same_bytes(tmp_path, whole):
    config = small_config(batch_size=4, num_workers=2)
    generate(config, output=str(tmp_path / "outputs"))
    assert content(tmp_path / "outputs") == whole


def test_batches_hold_samples_of_about_one_length(tmp_path):
    journal = tmp_path / "journal"
    config = small_config(teacher={"journal": str(journal)}, batch_size=8)
    generate(config, output=str(tmp_path / "outputs"))
    lengths = np.diff(open_outputs(tmp_path / "outputs").read(range(8))["rows"].offsets)
    # The longest first; of equal ones the first.
    order = sorted(range(8), key=lambda number: -int(lengths[number]))
    assert asked(journal)[0] == order


_CHILD = """
import sys
sys.path[:0] = ["tests"]
from small_teacher import small_config
from code_t5.training.teachers.generating import generate
teacher = {"journal": sys.argv[2], "seconds": float(sys.argv[3])}
changes = {"num_samples": None, "split": "validation", "seed": None, "batch_size": 2}
generate(small_config(teacher=teacher, **changes), output=sys.argv[1])
"""


def _child(output, journal, *, seconds=0.05):
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(output), str(journal), str(seconds)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def _wait_for_batches(child, journal, count):
    """Waits until a child has been asked about as many batches."""
    while len(asked(journal)) < count:
        assert child.poll() is None
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.01)


def _validation(**changes):
    return small_config(num_samples=None, split="validation", seed=None, **changes)


@pytest.mark.parametrize(("name", "num_kills"), [("outputs", 5), ("outputs.pt", 1)])
def test_killed_often_validation_samples_have_the_same_bytes(tmp_path, name, num_kills):
    once, often = tmp_path / "once", tmp_path / "often"
    for folder in (once, often):
        folder.mkdir()
    generate(_validation(), output=str(once / name))
    journal = tmp_path / "journal"
    for turn in range(num_kills):
        child = _child(often / name, journal)
        # In its second shard, and every other time in its first: each is of two batches.
        _wait_for_batches(child, journal, len(asked(journal)) + 3 - turn % 2)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not (often / name).exists()
    done_before = len(asked(journal))
    last = _validation(teacher={"journal": str(journal)}, batch_size=2)
    generate(last, output=str(often / name))
    # It went on: the last run was not asked about all ten batches again.
    assert 0 < len(asked(journal)) - done_before < 10
    assert content(often) == content(once)


def test_a_file_that_was_killed_while_it_was_made_is_made_again(tmp_path, monkeypatch):
    path = tmp_path / "outputs.pt"
    monkeypatch.setattr(generating.Destination, "write_pt", _killed)
    with pytest.raises(KeyboardInterrupt):
        generate(small_config(seed=None), output=str(path))
    monkeypatch.undo()
    found = generate(small_config(seed=None), output=str(path))
    assert (found.num_generated, len(opening.CachedSamples(path))) == (0, 20)
    assert sorted(os.listdir(tmp_path)) == ["outputs.pt", "outputs.pt.json"]


def _killed(*args, **kwargs):
    raise KeyboardInterrupt


def test_two_at_once_are_refused(tmp_path):
    journal = tmp_path / "journal"
    child = _child(tmp_path / "outputs", journal, seconds=5)
    try:
        _wait_for_batches(child, journal, 1)
        with pytest.raises(errors.BusyError, match="another process"):
            generate(_validation(), output=str(tmp_path / "outputs"))
    finally:
        child.kill()
        child.wait()
    assert generate(_validation(), output=str(tmp_path / "outputs")).num_generated == 20


def test_an_interrupted_run_without_a_seed_goes_on_with_its_own(tmp_path, monkeypatch):
    config = small_config(seed=None)
    original = generating.writer.OutputsWriter.write_columns

    def stop_at_third(self, index, arrays):
        if index == 2:
            raise KeyboardInterrupt
        original(self, index, arrays)

    monkeypatch.setattr(generating.writer.OutputsWriter, "write_columns", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        generate(config, output=str(tmp_path / "outputs"))
    monkeypatch.undo()
    found = generate(config, output=str(tmp_path / "outputs"))
    assert found.num_generated == 12
    again = small_config(seed=found.plan.seed)
    generate(again, output=str(tmp_path / "again"))
    assert content(tmp_path / "outputs") == content(tmp_path / "again")


def test_training_samples_differ_from_one_generation_to_the_next(tmp_path):
    seeds = set()
    for name in ("one", "two"):
        seeds.add(generate(small_config(seed=None), output=str(tmp_path / name)).plan.seed)
    assert len(seeds) == 2
    values = [open_outputs(tmp_path / name).read(range(20))["value"] for name in ("one", "two")]
    assert values[0].tolist() != values[1].tolist()


def test_finished_samples_are_not_replaced_by_others_unless_asked(tmp_path):
    path = str(tmp_path / "outputs.pt")
    seed = generate(small_config(seed=None), output=path).plan.seed
    assert_refused(
        lambda: generate(small_config(seed=None), output=path),
        match=rf"finished, of seed {seed}.*--seed {seed}",
        unchanged=tmp_path,
    )
    assert generate(small_config(seed=seed), output=path).num_generated == 0
    found = generate(small_config(seed=None, overwrite=True), output=path)
    assert (found.num_generated, found.plan.seed != seed) == (20, True)


def test_a_file_of_tuples_comes_from_the_same_command(tmp_path):
    import torch

    generate(small_config(), output=str(tmp_path / "outputs.pt"))
    generate(small_config(), output=str(tmp_path / "outputs"))
    samples = torch.load(tmp_path / "outputs.pt", weights_only=True)
    assert type(samples) is list and type(samples[0]) is tuple
    for sample, wanted in zip(samples, open_outputs(tmp_path / "outputs")):
        assert float(sample[0]) == wanted["value"]
        assert sample[1].tolist() == wanted["rows"].tolist()
    assert sorted(os.listdir(tmp_path)) == ["outputs", "outputs.pt", "outputs.pt.json"]
    both = [opening.CachedSamples(tmp_path / name) for name in ("outputs.pt", "outputs")]
    assert both[0].parts == both[1].parts
    columns = [samples.read([3, 1, 19]) for samples in both]
    assert columns[0]["value"].tolist() == columns[1]["value"].tolist()
    assert columns[0]["rows"].values.tolist() == columns[1]["rows"].values.tolist()
    assert columns[0]["rows"].offsets.tolist() == columns[1]["rows"].offsets.tolist()


def test_smaller_batches_are_asked_about_when_memory_runs_out(tmp_path, whole, caplog):
    journal = tmp_path / "journal"
    config = small_config(teacher={"journal": str(journal), "room": 3}, batch_size=20)
    generate(config, output=str(tmp_path / "outputs"))
    assert content(tmp_path / "outputs") == whole
    # 20, 10, 5 and then 2, for good.
    assert [len(batch) for batch in asked(journal)] == [2] * 10
    assert "batches of 2, not 5" in caplog.text


def test_no_memory_for_one_sample_is_one_line_and_work_is_kept(tmp_path):
    config = small_config(teacher={"room": 0})
    assert_refused(
        lambda: generate(config, output=str(tmp_path / "outputs")),
        match="memory ran out for one sample of small",
    )


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(tmp_path):
    config = small_config(num_samples=20_000, samples_per_shard=5_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(errors.CodeT5Error, match="no room on the disk.*goes on"):
            generate(config, output=str(tmp_path / "outputs"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "outputs").exists()
    assert generate(config, output=str(tmp_path / "outputs")).num_generated == 20_000


def test_where_bytes_depend_on_the_batch_batches_are_the_same_each_time(tmp_path):
    journal = tmp_path / "journal"
    dependent = {"journal": str(journal), "depends_on_batch": True}
    config = small_config(teacher=dependent, batch_size=3)
    generate(config, output=str(tmp_path / "once"))
    # Each shard by itself, in batches of at most three.
    assert [len(batch) for batch in asked(journal)] == [3, 1] * 5
    assert json.loads((tmp_path / "once/manifest.json").read_text())["fingerprint_parts"][
        "options"
    ] == {"k": 2, "batch_size": 3}
    assert_refused(
        lambda: generate(small_config(teacher=dependent, batch_size=4), output=f"{tmp_path}/once"),
        match="options.batch_size is 3, wanted 4",
        unchanged=tmp_path / "once",
    )
    small = SmallTeacher(depends_on_batch=True)
    assert teacher.make_plan(small, num_samples=500, seed=0, batch_size=48).samples_per_shard == 96
    opening.open_cache(tmp_path / "once", split="train", teacher=small)


def test_samples_in_their_order_have_no_seed_and_an_end(tmp_path):
    ordered = {"draws_at_random": False, "available": 10}
    config = small_config(teacher=ordered, seed=None, num_samples=None)
    found = generate(config, output=str(tmp_path / "outputs"))
    assert (found.plan.num_samples, found.plan.seed) == (10, None)
    assert generate(config, output=str(tmp_path / "outputs")).num_generated == 0
    samples, small = opening.CachedSamples(tmp_path / "outputs"), SmallTeacher(**ordered)
    numbers = range(10)
    agreements = verifying.agree(samples, teacher=small, numbers=numbers, batch_size=4)
    assert [one.value for one in agreements] == [0, 0]
    for changes, match in [
        ({"num_samples": 11}, "found 11 .* at most the 10 that small has"),
        ({"seed": 3}, "--seed was given, and small draws nothing"),
    ]:
        refused = small_config(teacher=ordered, **{"seed": None, **changes})
        assert_refused(lambda refused=refused: generate(refused, output="x"), match=match)


@pytest.mark.parametrize("name", ["outputs", "outputs.pt"])
def test_outputs_of_another_teacher_are_refused_by_name(tmp_path, name):
    path = tmp_path / name
    generate(small_config(), output=str(path))
    opening.open_cache(path, split="train", teacher=SmallTeacher())
    opening.open_cache(path, split="train", name="small")
    for small, match in [
        (SmallTeacher(offset=1.0), r"teacher.offset is 0.0, wanted 1.0"),
        (SmallTeacher(options={"k": 3}), r"options.k is 2, wanted 3"),
    ]:
        assert_refused(
            lambda small=small: opening.open_cache(path, split="train", teacher=small),
            match=match + r".*--config small --output .*outputs",
            unchanged=tmp_path,
        )
    assert_refused(
        lambda: opening.open_cache(path, split="validation", teacher=SmallTeacher()),
        match='data.split is "train", wanted "validation".*--config small --validation',
    )
    assert_refused(
        lambda: opening.open_cache(path, split="train", name="large"),
        match="teacher.name is 'small', wanted 'large'",
    )
    assert_refused(
        lambda: opening.open_cache(path, split="validation", name="small"),
        match="data.split is 'train', wanted 'validation'",
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"split": "validation"}, "--num_samples was given with --validation"),
        ({"split": "validation", "num_samples": None}, "--seed was given with --validation"),
        ({"num_samples": None}, "number of samples is missing"),
        ({"num_samples": 0}, "number of samples is 0"),
        ({"batch_size": 0}, "batch size is 0"),
    ],
    ids=["num_samples", "seed", "none", "zero", "batch"],
)
def test_numbers_that_do_not_do_are_refused(tmp_path, changes, match):
    assert_refused(
        lambda: generate(small_config(**changes), output=str(tmp_path / "outputs")),
        match=match,
        unchanged=tmp_path,
    )
    assert os.listdir(tmp_path) == []


def test_what_is_in_the_way_stays(tmp_path):
    (tmp_path / "mine.pt").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/mine").write_text("mine")
    for name in ("mine.pt", "folder"):
        for overwrite in (False, True):
            config = small_config(overwrite=overwrite)
            assert_refused(
                lambda name=name, config=config: generate(config, output=str(tmp_path / name)),
                match="in the way",
            )
    assert (tmp_path / "mine.pt").read_text() == "mine"
    assert (tmp_path / "folder/mine").read_text() == "mine"


def test_a_device_that_is_not_there_is_refused():
    assert generating.find_devices("cpu") == ("cpu",)
    for asked_for in ("tpu", "cpu,cpu", "cuda:99"):
        assert_refused(lambda name=asked_for: generating.find_devices(name), match="wanted auto")


def test_rows_of_a_column_are_views():
    columns = SmallTeacher().run([(0, 3), (1, 2), (2, 5)])
    part = generating.rows(columns["rows"], start=1, stop=3)
    assert part.lengths.tolist() == [2, 5]
    assert part.values.base is not None
    assert set(columns) == set(SCHEMA.names)
