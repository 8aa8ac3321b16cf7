"""Outputs as one file of torch's, and its sidecar."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from fresh_interpreter import in_fresh_interpreter
from refusals import assert_refused, content
from small_teacher_outputs import small_plan, small_sample, write_small

from code_t5 import errors
from code_t5.storage import fingerprints
from code_t5.teacher_outputs import only_writer, pt_file
from code_t5.teacher_outputs.pt_file import open_pt, read_info, verify_pt, write_pt

_ORDER = ("x", "ids", "f0", "text")


@pytest.fixture(name="outputs")
def _outputs(tmp_path):
    return write_small(tmp_path / "outputs")


@pytest.fixture(name="path")
def _path(outputs, tmp_path):
    write_pt(outputs, path=tmp_path / "small.pt", order=_ORDER)
    return tmp_path / "small.pt"


def _is_as_written(samples):
    assert len(samples) == 10
    for number, sample in enumerate(samples):
        wanted = small_sample(number)
        assert isinstance(sample, tuple)
        for name, tensor in zip(_ORDER, sample):
            assert tensor.tolist() == np.asarray(wanted[name]).tolist()
    assert [tensor.dtype for tensor in samples[5]] == [
        *(torch.float32, torch.int32, torch.float64, torch.uint8)
    ]
    return True


def test_the_file_is_a_list_of_tuples_that_torch_reads_by_itself(path):
    samples = torch.load(path, weights_only=True)
    assert isinstance(samples, list) and _is_as_written(samples)


def test_it_is_opened_mapped(path):
    samples = open_pt(path)
    assert _is_as_written(samples)
    samples[3][0].zero_()
    assert _is_as_written(open_pt(path))


def test_the_same_outputs_give_the_same_bytes(outputs, path, tmp_path):
    write_pt(outputs, path=tmp_path / "another.pt", order=_ORDER)
    assert (tmp_path / "another.pt").read_bytes() == path.read_bytes()
    sidecars = [json.loads(pt_file.sidecar_path(tmp_path / name).read_text()) for name in
                ("another.pt", "small.pt")]  # fmt: skip
    assert sidecars[0] == sidecars[1]


def test_the_sidecar_says_where_it_comes_from(outputs, path):
    info = read_info(path)
    assert (info.order, info.num_samples) == (_ORDER, 10)
    assert info.fingerprint_parts == outputs.parts
    assert info.sha256 == fingerprints.hash_file(path)
    assert info.size_bytes == path.stat().st_size
    assert verify_pt(path) == info


def test_without_an_order_all_fields_are_written(outputs, tmp_path):
    assert write_pt(outputs, path=tmp_path / "all.pt").order == outputs.schema.names
    assert len(open_pt(tmp_path / "all.pt")[0]) == 5
    assert_refused(
        lambda: write_pt(outputs, path=tmp_path / "no.pt", order=["y"]),
        match="no field 'y'",
        unchanged=tmp_path,
    )


def test_expected_parts_are_compared(path):
    assert len(open_pt(path, expected=small_plan().parts)) == 10
    assert_refused(
        lambda: open_pt(path, expected={"seed": 8}, mend="run it again"),
        match="small.pt holds other outputs: seed is 7, wanted 8; run it again",
    )


def test_a_file_without_its_sidecar_is_refused(path):
    pt_file.sidecar_path(path).unlink()
    assert_refused(lambda: open_pt(path), match="cannot read .*small.pt.json")
    path.unlink()
    assert_refused(lambda: open_pt(path), match="there is no file .*small.pt")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format_version": 2}, "version 2"),
        ({"format_name": None}, "format None"),
        ({"fingerprint": "0"}, "is not as it was written"),
        ({"fingerprint_parts": 3}, "is not as it was written"),
        ({"size_bytes": "5"}, "is not as it was written"),
        ({"order": None}, "cannot be read"),
        ({"more": 1}, "cannot be read"),
        ({"ends_sha256": "0"}, "is not the file that small.pt.json is about"),
        ({"num_samples": 9}, "does not hold the samples"),
    ],
)
def test_sidecars_of_others_are_refused(path, change, match):
    sidecar = pt_file.sidecar_path(path)
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **change}))
    assert_refused(lambda: open_pt(path), match=match)


def test_sidecars_that_are_none_are_refused(path):
    for text in ("", "[]", "{}", "[" * 100_000):
        pt_file.sidecar_path(path).write_text(text)
        assert_refused(lambda: open_pt(path), match="cannot be read")


def test_truncated_files_are_refused(path):
    size = path.stat().st_size
    for left in (size - 1, 100, 0):
        os.truncate(path, left)
        assert_refused(lambda: open_pt(path), match=f"small.pt has {left:,} bytes, not {size:,}")


def test_flipped_bytes_are_found(tmp_path):
    outputs = write_small(tmp_path / "large", num_samples=4000, samples_per_shard=4000)
    path = tmp_path / "large.pt"
    write_pt(outputs, path=path, order=("x", "f0", "text"))
    whole = path.read_bytes()
    assert len(whole) > 3 << 16
    for place, function, match in [
        (10, open_pt, "is not the file"),
        (len(whole) - 30, open_pt, "is not the file"),
        (len(whole) // 2, verify_pt, "has SHA-256"),
    ]:
        spoiled = bytearray(whole)
        spoiled[place] ^= 1
        path.write_bytes(spoiled)
        assert_refused(lambda function=function: function(path), match=match)


def test_what_is_there_already_is_left(outputs, path, tmp_path):
    before = path.stat()
    write_pt(outputs, path=path, order=_ORDER)
    assert path.stat() == before
    for function in (
        lambda: write_pt(outputs, path=path, order=("x",)),
        lambda: write_pt(write_small(tmp_path / "other", seed=8), path=path, order=_ORDER),
    ):
        with pytest.raises(errors.InputError, match="there is other outputs"):
            function()
    write_pt(outputs, path=path, order=("x",), overwrite=True)
    assert len(open_pt(path)[0]) == 1


def test_what_is_not_ours_is_not_replaced_unasked(outputs, tmp_path):
    path = tmp_path / "mine.pt"
    path.write_text("mine")
    assert_refused(
        lambda: write_pt(outputs, path=path), match="a file that is not ours", unchanged=tmp_path
    )
    assert_refused(
        lambda: write_pt(outputs, path=outputs.path),
        match="there is a directory",
        unchanged=tmp_path,
    )
    write_pt(outputs, path=path, overwrite=True)
    assert len(open_pt(path)) == 10


def test_killed_between_sidecar_and_file_it_is_written_again(outputs, path):
    path.unlink()
    (path.parent / ".small.pt.0123456789ab.tmp").write_bytes(b"begun")
    write_pt(outputs, path=path, order=_ORDER)
    assert _is_as_written(open_pt(path))
    path.write_bytes(b"an older one")
    write_pt(outputs, path=path, order=_ORDER)
    assert sorted(os.listdir(path.parent)) == ["outputs", "small.pt", "small.pt.json"]


def test_two_at_once_are_refused(outputs, path):
    with only_writer.only_writer(path):
        with pytest.raises(errors.BusyError):
            write_pt(outputs, path=path)


@in_fresh_interpreter
def test_a_full_disk_is_one_line_and_leaves_what_was_there(outputs, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = content(tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(errors.CodeT5Error, match="no room on the disk while writing"):
            write_pt(outputs, path=tmp_path / "small.pt", order=_ORDER)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert content(tmp_path) == before


def test_more_shards_than_files_may_be_open_are_told(tmp_path):
    outputs = write_small(tmp_path / "outputs", samples_per_shard=1)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 5, limits[1]))
    try:
        with pytest.raises(errors.CodeT5Error, match="too many files are open.*ulimit -n"):
            write_pt(outputs, path=tmp_path / "small.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert sorted(os.listdir(tmp_path)) == ["outputs"]


def test_an_interruption_leaves_nothing(outputs, tmp_path, monkeypatch):
    before = content(tmp_path)

    def interrupt(self, data):
        self.error = KeyboardInterrupt()
        raise self.error

    monkeypatch.setattr(pt_file._HashingFile, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_pt(outputs, path=tmp_path / "small.pt", order=_ORDER)
    assert content(tmp_path) == before


def test_memory_is_not_that_of_the_file(tmp_path):
    program = """
import os, sys
import numpy as np, torch
from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.teacher_outputs.pt_file import write_pt
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.writer import OutputsWriter
schema = OutputSchema((ArrayField("x", "float32", (10**6,)), ArrayField("i", "uint16", (10**6,))))
plan = OutputsPlan(schema, 60, 10)
with OutputsWriter(sys.argv[1], plan=plan) as writer:
    for index in writer.missing_shards():
        made = ({"x": np.full(10**6, n), "i": np.full(10**6, n)} for n in plan.samples_of(index))
        writer.write_shard(index, made)
    outputs = writer.publish()
# Memory that no file backs, which the kernel cannot take back.
def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1000
peak = [0]
class Watching:
    def update(self, count):
        peak[0] = max(peak[0], anonymous())
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
from code_t5 import progress
progress.progress_bar = lambda **_: Watching()
torch.save([torch.zeros(1)], sys.argv[1] + "/../warm.pt")
before = anonymous()
write_pt(outputs, path=sys.argv[1] + "/../large.pt")
print(peak[0] - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "outputs")],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "large.pt").stat().st_size > 480e6
    assert float(done.stdout) < 120
