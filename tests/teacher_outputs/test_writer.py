"""Outputs are written whole or not at all, by one writer, and gone on with after any end."""

from __future__ import annotations

import os
import pathlib
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from refusals import assert_refused, content
from small_teacher_outputs import SCHEMA, small_plan, small_sample, write_small

from code_t5 import errors
from code_t5.storage import manifest
from code_t5.teacher_outputs.reader import open_outputs
from code_t5.teacher_outputs.writer import OutputsWriter, read_staged

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _write(writer, index):
    writer.write_shard(index, map(small_sample, writer.plan.samples_of(index)))


@pytest.fixture(name="whole")
def _whole(tmp_path):
    """Files of outputs that were written in one go."""
    write_small(tmp_path / "whole")
    return content(tmp_path / "whole")


def test_what_was_written_is_read(tmp_path):
    outputs = write_small(tmp_path / "outputs")
    assert len(outputs) == 10
    for number, sample in enumerate(outputs):
        for name, wanted in small_sample(number).items():
            assert sample[name].dtype == SCHEMA.field(name).numpy_dtype
            assert sample[name].tolist() == np.asarray(wanted).tolist()
    assert sorted(os.listdir(tmp_path)) == ["outputs"]


def test_the_order_of_shards_changes_no_byte(tmp_path, whole):
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        for index in (2, 0, 1):
            _write(writer, index)
        assert writer.missing_shards() == []
        assert not (tmp_path / "outputs").exists()
        writer.publish()
    assert content(tmp_path / "outputs") == whole


def test_columns_give_the_bytes_that_samples_give(tmp_path, whole):
    source = write_small(tmp_path / "source", samples_per_shard=3)
    plan = small_plan()
    with OutputsWriter(tmp_path / "outputs", plan=plan) as writer:
        for index in range(3):
            writer.write_columns(index, source.read(list(plan.samples_of(index))))
        writer.publish()
    assert content(tmp_path / "outputs") == whole


def test_one_sample_and_samples_without_rows_are_written(tmp_path):
    one = write_small(tmp_path / "one", num_samples=1, samples_per_shard=100)
    assert (len(one), one.num_shards) == (1, 1)
    assert one[0]["ids"].shape == (0, 3)
    assert one.read([0, 0])["text"].lengths.tolist() == [0, 0]
    one.verify()


def test_an_interrupted_run_goes_on(tmp_path, whole):
    plan = small_plan()
    for index in (1, 0, 2):
        with pytest.raises(KeyboardInterrupt):
            with OutputsWriter(tmp_path / "outputs", plan=plan) as writer:
                assert index in writer.missing_shards()
                _write(writer, index)
                raise KeyboardInterrupt
        assert not (tmp_path / "outputs").exists()
        assert os.listdir(tmp_path / ".outputs.generating/outputs")
    with OutputsWriter(tmp_path / "outputs", plan=plan) as writer:
        assert (writer.missing_shards(), writer.num_samples_done) == ([], 10)
        writer.publish()
    assert content(tmp_path / "outputs") == whole
    assert sorted(os.listdir(tmp_path)) == ["outputs", "whole"]


_CHILD = """
import sys, time
sys.path[:0] = ["tests"]
from small_teacher_outputs import *
plan = small_plan(num_samples=40)
def slow(number):
    print(number, flush=True)
    time.sleep(0.02)
    return small_sample(number)
with OutputsWriter(sys.argv[1], plan=plan) as writer:
    for index in writer.missing_shards():
        writer.write_shard(index, map(slow, plan.samples_of(index)))
    writer.publish()
"""


def _child(path):
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(path)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_five_times_it_gives_the_same_bytes(tmp_path):
    write_small(tmp_path / "whole", num_samples=40)
    asked = []
    for _ in range(5):
        child = _child(tmp_path / "outputs")
        # Somewhere in the second shard of this run.
        for _ in range(6):
            asked.append(int(child.stdout.readline()))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert not (tmp_path / "outputs").exists()
    last = _child(tmp_path / "outputs")
    rest = [int(line) for line in last.stdout.read().split()]
    assert last.wait() == 0
    last.stdout.close()
    # Each run goes on behind the last whole shard.
    assert asked[::6] == [0, 4, 8, 12, 16]
    assert rest == list(range(20, 40))
    assert content(tmp_path / "outputs") == content(tmp_path / "whole")


def test_what_a_kill_left_half_written_is_written_again(tmp_path, whole):
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        for index in range(3):
            _write(writer, index)
    staged = tmp_path / ".outputs.generating"
    # A shard without its marker, one that is not what its marker says, and a file begun.
    (staged / "markers/00000.json").unlink()
    shard = staged / "outputs/shard-00001.safetensors"
    spoiled = bytearray(shard.read_bytes())
    spoiled[-1] ^= 1
    shard.write_bytes(spoiled)
    (staged / "outputs/.shard-00000.safetensors.0123456789ab.tmp").write_bytes(b"begun")
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        assert writer.missing_shards() == [0, 1]
        for index in (0, 1):
            _write(writer, index)
        writer.publish()
    assert content(tmp_path / "outputs") == whole


@pytest.mark.parametrize("damage", ["plan", "marker"])
def test_work_that_nobody_can_read_is_done_again(tmp_path, whole, damage):
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        _write(writer, 0)
    staged = tmp_path / ".outputs.generating"
    (staged / {"plan": "plan.json", "marker": "markers/00000.json"}[damage]).write_bytes(b"{")
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        assert writer.missing_shards() == [0, 1, 2]
        for index in range(3):
            _write(writer, index)
        writer.publish()
    assert content(tmp_path / "outputs") == whole


def test_two_at_once_are_refused(tmp_path):
    child = _child(tmp_path / "outputs")
    child.stdout.readline()
    try:
        with pytest.raises(errors.BusyError, match="another process writes"):
            OutputsWriter(tmp_path / "outputs", plan=small_plan(num_samples=40)).__enter__()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    # The dead hold nothing.
    with OutputsWriter(tmp_path / "outputs", plan=small_plan(num_samples=40)) as writer:
        assert writer.missing_shards()[-1] == 9


def test_many_writers_at_once_leave_one(tmp_path):
    children = [_child(tmp_path / "outputs") for _ in range(3)]
    ends = []
    for child in children:
        child.stdout.read()
        ends.append(child.wait())
        child.stdout.close()
    assert 0 in ends
    open_outputs(tmp_path / "outputs").verify()
    assert sorted(os.listdir(tmp_path)) == ["outputs"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"seed": 8}, "seed is 7, wanted 8"),
        ({"teacher": {"name": "small", "weights": "1"}}, "teacher.weights is"),
        ({"num_samples": 11}, "num_samples is 10, wanted 11"),
        ({"samples_per_shard": 5}, "samples_per_shard is 4, wanted 5"),
    ],
)
def test_unfinished_work_for_another_plan_is_never_mixed(tmp_path, change, match):
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        _write(writer, 1)
    other = small_plan(**change)
    assert_refused(
        OutputsWriter(tmp_path / "outputs", plan=other).__enter__,
        match=f"holds 1 shards of other outputs that were never finished: {match}",
        unchanged=tmp_path,
    )
    staged = read_staged(tmp_path / "outputs")
    assert (staged.parts, staged.num_shards_done) == (small_plan().parts, 1)
    with OutputsWriter(tmp_path / "outputs", plan=other, discard_unfinished=True) as writer:
        assert writer.missing_shards() == list(range(other.num_shards))
    # Nothing was written, so nothing is left.
    assert os.listdir(tmp_path) == []
    assert read_staged(tmp_path / "outputs") is None


def test_outputs_that_are_there_are_taken_or_refused(tmp_path):
    write_small(tmp_path / "outputs")
    before = content(tmp_path)
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        assert writer.missing_shards() == []
        assert_refused(lambda: _write(writer, 0), match="is finished already")
        assert len(writer.publish()) == 10
    assert content(tmp_path) == before
    for change, match in [
        ({"seed": 8}, "seed is 7, wanted 8"),
        ({"num_samples": 9}, "num_samples is 10, wanted 9"),
    ]:
        assert_refused(
            OutputsWriter(tmp_path / "outputs", plan=small_plan(**change)).__enter__,
            match=match,
            unchanged=tmp_path,
        )
    other = write_small(tmp_path / "other", seed=8)
    with OutputsWriter(tmp_path / "outputs", plan=small_plan(seed=8), overwrite=True) as writer:
        for index in range(3):
            _write(writer, index)
            # Until the end the old ones are read.
            assert open_outputs(tmp_path / "outputs").parts["seed"] == 7
        writer.publish()
    assert content(tmp_path / "outputs") == content(other.path)


def test_damaged_outputs_are_replaced_when_asked(tmp_path):
    write_small(tmp_path / "outputs")
    (tmp_path / "outputs/shard-00001.safetensors").unlink()
    assert_refused(
        OutputsWriter(tmp_path / "outputs", plan=small_plan()).__enter__,
        match="damaged or of another version",
        unchanged=tmp_path,
    )
    with OutputsWriter(tmp_path / "outputs", plan=small_plan(), overwrite=True) as writer:
        for index in writer.missing_shards():
            _write(writer, index)
        writer.publish().verify()


@pytest.mark.parametrize("name", ["notes.txt", "shard-00000.safetensors/inner", "x/y"])
def test_what_is_not_ours_is_never_replaced(tmp_path, name):
    file = tmp_path / "outputs" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    assert_refused(
        OutputsWriter(tmp_path / "outputs", plan=small_plan(), overwrite=True).__enter__,
        match="is in the way",
        unchanged=tmp_path,
    )


def test_a_file_in_the_way_and_names_that_cannot_be_are_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path, match in [
        (tmp_path / "file", "a file is in the way"),
        (tmp_path / "file/inner", "cannot be used|wanted the name"),
        ("", "wanted the name"),
        ("a\0b", "wanted the name"),
        (tmp_path / ("x" * 300), "wanted the name"),
    ]:
        assert_refused(
            lambda path=path: OutputsWriter(path, plan=small_plan()).__enter__(),
            match=match,
            unchanged=tmp_path,
        )


def test_an_empty_directory_is_filled(tmp_path):
    (tmp_path / "outputs").mkdir()
    assert len(write_small(tmp_path / "outputs")) == 10


def test_nothing_is_published_before_all_shards_are_there(tmp_path):
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        _write(writer, 1)
        assert_refused(writer.publish, match="lacks the shards 0, 2; wanted all 3")
        assert not (tmp_path / "outputs").exists()


def test_a_shard_that_does_not_fit_leaves_what_was_written(tmp_path, whole):
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        _write(writer, 0)
        assert_refused(lambda: writer.write_shard(1, [small_sample(4)]), match="found 1 samples")
        assert_refused(lambda: writer.write_columns(1, {}), match="a sample has")
        assert_refused(lambda: _write(writer, 3), match="the shard 3")
        assert writer.missing_shards() == [1, 2]
        for index in (0, 1, 2):
            _write(writer, index)
        writer.publish()
    assert content(tmp_path / "outputs") == whole


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(tmp_path):
    plan = small_plan(schema=SCHEMA, num_samples=3, samples_per_shard=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def write(index, length):
        text = {**small_sample(0), "text": np.full(length, 7, np.uint8)}
        writer.write_shard(index, [text])

    with OutputsWriter(tmp_path / "outputs", plan=plan) as writer:
        write(0, 10)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        try:
            with pytest.raises(errors.CodeT5Error, match="no room on the disk.*goes on"):
                write(1, 60_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not list((tmp_path / ".outputs.generating").rglob("*.tmp"))
    with OutputsWriter(tmp_path / "outputs", plan=plan) as writer:
        assert writer.missing_shards() == [1, 2]


_FULL_DISK = r"""
set -e
mount -t tmpfs -o size=100k tmpfs "$2"
"$1" -c "$3" "$2/outputs" 2>"$2/../first" && exit 3
test -e "$2/.outputs.generating/markers/00000.json"
test ! -e "$2/outputs"
mount -o remount,size=20m "$2"
"$1" -c "$3" "$2/outputs"
test -e "$2/outputs/COMPLETED"
"""
_LARGE = """
import sys
sys.path[:0] = ["tests"]
from small_teacher_outputs import *
plan = small_plan(num_samples=10, samples_per_shard=1)
with OutputsWriter(sys.argv[1], plan=plan) as writer:
    for index in writer.missing_shards():
        writer.write_shard(index, [{**small_sample(index), "text": np.full(25_000, 1, np.uint8)}])
    writer.publish()
"""


def test_a_small_file_system_that_fills_up_keeps_what_was_generated(tmp_path):
    (tmp_path / "disk").mkdir()
    mounts = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*mounts, "true"], capture_output=True, check=False).returncode:
        mounts = ["unshare", "--mount"]
    done = subprocess.run(
        [*mounts, "bash", "-c", _FULL_DISK, "bash", sys.executable, str(tmp_path / "disk"), _LARGE],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "CodeT5Error: no room on the disk" in (tmp_path / "first").read_text()


def test_a_directory_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    os.symlink("loop", tmp_path / "loop")
    for path in (tmp_path / "file/outputs", tmp_path / "loop/outputs"):
        assert_refused(
            lambda path=path: OutputsWriter(path, plan=small_plan()).__enter__(), match="wanted"
        )


def test_a_link_in_the_place_of_the_work_is_removed_and_not_followed(tmp_path):
    (tmp_path / "elsewhere/markers").mkdir(parents=True)
    (tmp_path / "elsewhere/plan.json").write_text("mine")
    os.symlink("elsewhere", tmp_path / ".outputs.generating")
    write_small(tmp_path / "outputs")
    assert (tmp_path / "elsewhere/plan.json").read_text() == "mine"
    assert not (tmp_path / ".outputs.generating").exists()


def test_a_link_to_the_outputs_is_followed(tmp_path):
    (tmp_path / "large").mkdir()
    os.symlink("large/outputs", tmp_path / "outputs")
    write_small(tmp_path / "outputs")
    assert (tmp_path / "large/outputs/COMPLETED").is_file()
    assert (tmp_path / "outputs").is_symlink()


def test_killed_between_name_and_clearing_up_nothing_is_left(tmp_path):
    outputs = write_small(tmp_path / "outputs")
    with OutputsWriter(tmp_path / "other", plan=small_plan()) as writer:
        _write(writer, 0)
    os.rename(tmp_path / ".other.generating", tmp_path / ".outputs.generating")
    with OutputsWriter(tmp_path / "outputs", plan=small_plan()) as writer:
        assert writer.missing_shards() == []
    assert os.listdir(tmp_path) == ["outputs"]
    outputs.verify()


def test_memory_is_that_of_a_shard(tmp_path):
    program = """
import resource, sys
import numpy as np
from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.writer import OutputsWriter
schema = OutputSchema((ArrayField("x", "float32", (1000, 1000)),))
plan = OutputsPlan(schema, 60, 3)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
before = peak()
with OutputsWriter(sys.argv[1], plan=plan) as writer:
    for index in writer.missing_shards():
        made = ({"x": np.full((1000, 1000), n)} for n in plan.samples_of(index))
        writer.write_shard(index, made)
    print(peak() - before)
    writer.publish()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "outputs")],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    # A shard has 12 MB, a sample 4 MB; all have 240 MB.
    assert float(done.stdout) < 40


def test_the_manifest_says_everything(tmp_path):
    outputs = write_small(tmp_path / "outputs")
    fields = manifest.read_manifest(
        outputs.path, format_name="code_t5_teacher_outputs", format_version=1
    )
    assert fields["fingerprint"] == small_plan().fingerprint
    assert fields["fingerprint_parts"] == small_plan().parts
    assert (fields["num_samples"], fields["samples_per_shard"]) == (10, 4)
    assert [shard["lengths"] for shard in fields["shards"]] == [
        {"text": 6, "tokens": 3},
        {"text": 22, "tokens": 4},
        {"text": 17, "tokens": 2},
    ]


def test_a_writer_must_be_entered(tmp_path):
    writer = OutputsWriter(tmp_path / "outputs", plan=small_plan())
    with pytest.raises(RuntimeError, match="must be entered"):
        writer.publish()
