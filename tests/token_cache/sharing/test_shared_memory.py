from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import small_token_cache
from fresh_interpreter import in_fresh_interpreter

from code_t5 import errors
from code_t5.storage import fingerprints, manifest
from code_t5.token_cache import layout, reader
from code_t5.token_cache.reading import batches, torch_windows
from code_t5.token_cache.sharing import free_memory, shared_memory, shared_segments

_FIELDS = ("tokens", "offsets", "sizes", "name_bytes", "name_offsets")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """Each test has a registry of its own, which its children are told of."""
    monkeypatch.setattr(shared_segments, "default_registry_dir", lambda: tmp_path / "registry")
    return tmp_path / "registry"


@pytest.fixture
def cache_dir(tmp_path):
    return small_token_cache.write_cache(tmp_path)


def _share(cache_dir, name="train"):
    return shared_memory.shared_split(reader.TokenCacheReader(cache_dir), name)


def _assert_refused(error_type, match, cache_dir, registry):
    with pytest.raises(error_type, match=match) as caught:
        _share(cache_dir)
    assert "\n" not in str(caught.value)
    assert os.listdir(registry) == []


def _segment_of(array, process="self"):
    """Returns the inode of the file in memory that an array lies in; None if it lies in none."""
    address = array.__array_interface__["data"][0] if isinstance(array, np.ndarray) else array
    with open(f"/proc/{process}/maps", encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            start, stop = (int(word, 16) for word in words[0].split("-"))
            if start <= address < stop:
                return int(words[4]) if "/memfd:code_t5-" in line else None
    return None


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_shared_split_is_the_split(cache_dir, registry, name):
    plain = reader.TokenCacheReader(cache_dir).split(name)
    shared = _share(cache_dir, name)
    for field in _FIELDS:
        expected, found = getattr(plain, field), getattr(shared, field)
        assert found.tolist() == expected.tolist()
        assert found.dtype == expected.dtype
        assert not found.flags.writeable
    assert shared.fingerprint == plain.fingerprint
    assert [shared.names(i) for i in range(shared.num_documents)] == [
        plain.names(i) for i in range(plain.num_documents)
    ]


def test_arrays_lie_in_shared_memory(cache_dir, registry):
    shared = _share(cache_dir)
    segments = {_segment_of(getattr(shared, field)) for field in _FIELDS}
    assert len(segments) == 1
    assert None not in segments
    assert _segment_of(reader.TokenCacheReader(cache_dir).split("train").tokens) is None


def test_arrays_live_on_without_the_split(cache_dir, registry):
    tokens = _share(cache_dir).tokens[1:]
    assert tokens.tolist() == [6, 7, 65_535]
    assert len(os.listdir(registry)) == 1
    del tokens
    assert os.listdir(registry) == []


def test_cache_can_be_removed_while_it_is_read(cache_dir, registry):
    shared = _share(cache_dir)
    shutil.rmtree(cache_dir)
    assert shared.tokens.tolist() == [5, 6, 7, 65_535]


def test_same_content_elsewhere_is_the_same_segment(cache_dir, registry, tmp_path):
    shutil.copytree(cache_dir, tmp_path / "copy")
    one, other = _share(cache_dir), _share(tmp_path / "copy")
    assert _segment_of(one.tokens) == _segment_of(other.tokens)


def test_rebuilt_cache_is_another_segment(cache_dir, registry, tmp_path):
    old = _share(cache_dir)
    shutil.rmtree(cache_dir)
    shutil.rmtree(tmp_path / "parts")
    parts = {**small_token_cache.PARTS, "train": [[([8, 8, 8, 8], 15, ("org/one", "a.py"))]]}
    new = _share(small_token_cache.write_cache(tmp_path, parts))
    assert old.tokens.tolist() == [5, 6, 7, 65_535]
    assert new.tokens.tolist() == [8, 8, 8, 8]


def test_splits_of_one_cache_are_segments_of_their_own(cache_dir, registry):
    train, validation = _share(cache_dir), _share(cache_dir, "validation")
    assert _segment_of(train.tokens) != _segment_of(validation.tokens)


@pytest.mark.parametrize("array", layout.ARRAYS)
def test_flipped_byte_is_found(cache_dir, registry, array):
    path = cache_dir / layout.array_name("train", array)
    data = bytearray(path.read_bytes())
    # A space of the header's padding becomes a tab: nothing else would see it.
    data[120] ^= ord(" ") ^ ord("\t")
    path.write_bytes(data)
    match = rf"{path.name} has SHA-256 .*wanted .*run the command that builds it again"
    _assert_refused(errors.ArtifactError, match, cache_dir, registry)


def test_missing_checksum_is_refused(cache_dir, registry):
    path = cache_dir / "manifest.json"
    fields = json.loads(path.read_text())
    del fields["sha256"]["train.npy"]
    path.write_text(json.dumps(fields))
    with pytest.raises(errors.ArtifactError, match=r"has no checksum of train\.npy"):
        _share(cache_dir)


def test_unknown_split_is_refused(cache_dir, registry):
    with pytest.raises(errors.InputError, match="no split 'dev'"):
        _share(cache_dir, "dev")


def _write_sparse_cache(folder, *, num_tokens):
    """Writes a cache of zeros that takes next to no room on the disk."""
    folder.mkdir()
    with open(folder / "train.npy", "wb") as file:
        header = {"descr": "<u2", "fortran_order": False, "shape": (num_tokens,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 2 * num_tokens)
    np.save(folder / "train.offsets.npy", np.array([0, num_tokens]))
    np.save(folder / "train.sizes.npy", np.array([7]))
    np.save(folder / "train.names.npy", np.frombuffer(b"r\na", dtype=np.uint8))
    np.save(folder / "train.names_offsets.npy", np.array([0, 3]))
    fields = {
        "format_name": layout.FORMAT_NAME,
        "format_version": layout.FORMAT_VERSION,
        "dtype": "uint16",
        "splits": {"train": {"num_documents": 1, "num_tokens": num_tokens, "num_bytes": 7}},
        "sha256": {layout.array_name("train", array): "0" * 64 for array in layout.ARRAYS},
        "fingerprint": fingerprints.hash_json({}),
        "fingerprint_parts": {},
    }
    manifest.write_manifest(folder, fields)
    return folder


def test_cache_larger_than_memory_is_refused_before_it_is_read(tmp_path, registry):
    cache_dir = _write_sparse_cache(tmp_path / "cache", num_tokens=2**42)
    match = (
        r"split 'train' of .*cache takes 8,796,093\.0 MB of shared memory and [\d,.]+ MB are free; "
        r"wanted 67 MB more than it takes; free memory, or read the cache without use_shared_memory"
    )
    _assert_refused(errors.InputError, match, cache_dir, registry)


def test_room_is_asked_for_more_than_the_cache_alone(cache_dir, registry, monkeypatch):
    size = 4 * 4096 + (cache_dir / "train.names_offsets.npy").stat().st_size
    monkeypatch.setattr(free_memory, "available_bytes", lambda: (64 << 20) + size - 1)
    _assert_refused(errors.InputError, r"takes 0\.0 MB .* 67\.1 MB are free", cache_dir, registry)
    monkeypatch.setattr(free_memory, "available_bytes", lambda: (64 << 20) + size)
    assert _share(cache_dir).num_tokens == 4


def test_system_that_says_nothing_of_memory_is_trusted(cache_dir, registry, monkeypatch):
    monkeypatch.setattr(free_memory, "available_bytes", lambda: None)
    assert _share(cache_dir).num_tokens == 4


@pytest.mark.parametrize("room", ["pwrite", "ftruncate"])
def test_memory_that_ends_while_copying_is_one_line(cache_dir, registry, monkeypatch, room):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, room, fail)
    match = "shared memory.*No space left on device.*without use_shared_memory"
    _assert_refused(errors.InputError, match, cache_dir, registry)


# Opens the cache, says where it is, and then what it is asked for, line by line.
_CHILD = textwrap.dedent(
    """
    import json, os, sys
    from code_t5 import errors
    from code_t5.token_cache import reader
    from code_t5.token_cache.sharing import shared_memory, shared_segments

    shared_segments.default_registry_dir = lambda: sys.argv[2]
    cache = reader.TokenCacheReader(sys.argv[1])
    sys.stdin.readline()
    try:
        split = shared_memory.shared_split(cache, "train")
    except errors.CodeT5Error as error:
        sys.exit(str(error))
    total = int(split.tokens.sum(dtype="int64"))
    address = split.tokens.__array_interface__["data"][0]
    print(json.dumps({"total": total, "address": address}), flush=True)
    sys.stdin.readline()
    """
)


@pytest.fixture
def start():
    """Starts children that wait for a line before they open the cache; ends them all."""
    children = []

    def start_one(cache_dir, registry, **options):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(cache_dir), str(registry)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        children.append(child)
        return child

    yield start_one
    for child in children:
        child.kill()
        child.communicate()


def _go_on(child):
    child.stdin.write("\n")
    child.stdin.flush()


def _found(child):
    """Returns the sum of a child's tokens and the inode of its segment."""
    said = json.loads(child.stdout.readline())
    return said["total"], _segment_of(said["address"], child.pid)


def _larger_cache(folder):
    """Returns a cache of 8 MB, so that copying takes a moment, and the sum of its tokens."""
    rng = np.random.default_rng(7)
    documents = [
        (rng.integers(65_536, size=200_000), 5, ("org/one", f"{number}.py")) for number in range(20)
    ]
    cache_dir = small_token_cache.write_cache(folder, {"train": [documents]})
    return cache_dir, int(sum(int(ids.sum()) for ids, _, _ in documents))


def test_processes_that_start_at_once_share_one_copy(tmp_path, registry, start):
    cache_dir, total = _larger_cache(tmp_path)
    children = [start(cache_dir, registry) for _ in range(4)]
    for child in children:
        _go_on(child)
    found = [_found(child) for child in children]
    assert [sums for sums, _ in found] == [total] * 4
    segments = {segment for _, segment in found}
    assert len(segments) == 1
    assert None not in segments


def test_killed_processes_leave_nothing_behind(tmp_path, registry, start):
    cache_dir, total = _larger_cache(tmp_path)
    children = [start(cache_dir, registry) for _ in range(2)]
    for child in children:
        _go_on(child)
    found = {_found(child) for child in children}
    children[0].send_signal(signal.SIGKILL)
    children[0].wait()
    # The maker may be dead: whoever comes now finds the same by the other.
    third = start(cache_dir, registry)
    _go_on(third)
    assert {_found(third)} == found
    for child in (*children, third):
        child.send_signal(signal.SIGKILL)
        child.wait()
    split = _share(cache_dir)
    assert int(split.tokens.sum(dtype=np.int64)) == total
    assert len(os.listdir(registry)) == 1


def test_limit_that_the_system_sets_is_one_line(tmp_path, registry, start):
    cache_dir, _ = _larger_cache(tmp_path)

    def limit_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    child = start(cache_dir, registry, preexec_fn=limit_files, stderr=subprocess.PIPE)
    _, message = child.communicate("\n")
    assert child.returncode == 1
    assert message.count("\n") == 1
    assert "shared memory" in message
    assert os.listdir(registry) == []


def _sum_tokens(split):
    return int(split.tokens.sum(dtype=np.int64))


def _sum_shared(cache_dir, registry):
    shared_segments.default_registry_dir = lambda: registry
    split = _share(cache_dir)
    return _sum_tokens(split), _segment_of(split.tokens)


@in_fresh_interpreter
def test_forked_workers_read_the_same_copy(cache_dir, registry):
    split = _share(cache_dir)
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    worker = context.Process(
        target=lambda: sending.send((_sum_tokens(split), _segment_of(split.tokens)))
    )
    worker.start()
    assert receiving.poll(30)
    assert receiving.recv() == (65_553, _segment_of(split.tokens))
    worker.join(30)
    # Its end takes nothing from this process.
    assert len(os.listdir(registry)) == 1


def test_spawned_workers_find_the_same_copy(cache_dir, registry):
    split = _share(cache_dir)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_sum_shared, (cache_dir, registry))
    assert found == (65_553, _segment_of(split.tokens))


class _Segments:
    """Items of a torch Dataset: the segment that a window was read from, and its first token."""

    def __init__(self, windows):
        self.windows = windows

    def __len__(self):
        return len(self.windows)

    def __getitem__(self, index):
        tokens = self.windows.windows.split.tokens
        return os.getpid(), _segment_of(tokens), int(self.windows[index][0][0])


@pytest.mark.parametrize("method", ["fork", "spawn"])
@in_fresh_interpreter
def test_workers_of_a_torch_loader_read_the_same_copy(tmp_path, method):
    import torch.utils.data

    # The user's own registry: spawned workers know of no other.
    cache_dir, _ = _larger_cache(tmp_path)
    windows = torch_windows.window_dataset(
        batches.cache_source(cache_dir, split="train", seq_len=1_000_000, use_shared_memory=True)
    )
    loader = torch.utils.data.DataLoader(
        _Segments(windows),
        batch_size=None,
        num_workers=2,
        multiprocessing_context=method,
    )
    found = list(loader)
    plain = reader.TokenCacheReader(cache_dir).split("train").tokens
    assert [token for _, _, token in found] == plain[[0, 1_000_000, 2_000_000]].tolist()
    assert {segment for _, segment, _ in found} == {_segment_of(windows.windows.split.tokens)}
    assert len({process for process, _, _ in found}) == 2
