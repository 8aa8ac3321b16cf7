from __future__ import annotations

import fcntl
import mmap
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from code_t5 import errors
from code_t5.token_cache.sharing import shared_segments

_KEY = "0123456789abcdef" * 2
_OTHER = "fedcba9876543210" * 2
_SIZE = 3 * mmap.PAGESIZE + 7


class _Content:
    """Fills a segment with one byte's value, and counts how often."""

    def __init__(self, value: bytes = b"x") -> None:
        self.value = value
        self.num_calls = 0

    def __call__(self, descriptor: int) -> None:
        self.num_calls += 1
        os.pwrite(descriptor, self.value * _SIZE, 0)


def _open(folder, *, key=_KEY, size=_SIZE, fill_fn=None, check_fn=lambda: None):
    return shared_segments.SegmentRegistry(folder).open_segment(
        key, size=size, fill_fn=fill_fn or _Content(), check_fn=check_fn
    )


def _entries(folder):
    return sorted(os.listdir(folder))


def _num_descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_second_to_ask_gets_the_first_ones_bytes(tmp_path):
    content = _Content()
    first = _open(tmp_path, fill_fn=content)
    second = _open(tmp_path, fill_fn=content)
    assert (first[:], second[:]) == (b"x" * _SIZE, b"x" * _SIZE)
    assert content.num_calls == 1
    assert len(_entries(tmp_path)) == 2


def test_dropped_segment_leaves_nothing(tmp_path):
    before = _num_descriptors()
    first, second = _open(tmp_path), _open(tmp_path)
    del first
    assert len(_entries(tmp_path)) == 1
    del second
    assert _entries(tmp_path) == []
    assert _num_descriptors() == before
    assert _open(tmp_path, fill_fn=_Content(b"y"))[:1] == b"y"


def test_other_key_is_another_segment(tmp_path):
    first = _open(tmp_path)
    second = _open(tmp_path, key=_OTHER, fill_fn=_Content(b"y"))
    assert (first[:1], second[:1]) == (b"x", b"y")


def test_segment_of_another_size_is_not_taken(tmp_path):
    first = _open(tmp_path)
    second = _open(tmp_path, size=_SIZE + 1, fill_fn=_Content(b"y"))
    assert (len(first), len(second)) == (_SIZE, _SIZE + 1)
    assert second[:1] == b"y"


def test_nobody_can_write_to_a_segment(tmp_path):
    segment = _open(tmp_path)
    with pytest.raises(TypeError):
        segment[0] = 1
    process, descriptor = _entries(tmp_path)[0].split("-")[2:4]
    path = f"/proc/{process}/fd/{descriptor}"
    opened = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(PermissionError):
            os.pwrite(opened, b"y", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(opened, 1)
        with pytest.raises(PermissionError):
            mmap.mmap(opened, _SIZE)
    finally:
        os.close(opened)
    assert segment[:] == b"x" * _SIZE


def test_whoever_comes_while_it_is_filled_waits(tmp_path):
    began, may_end = threading.Event(), threading.Event()
    content = _Content()
    found = []

    def fill_slowly(descriptor):
        began.set()
        may_end.wait(30)
        content(descriptor)

    first = threading.Thread(target=lambda: found.append(_open(tmp_path, fill_fn=fill_slowly)))
    first.start()
    assert began.wait(30)
    # All of the first one's file is there, and zeros, when the second looks.
    second = threading.Thread(target=lambda: found.append(_open(tmp_path, fill_fn=content)))
    second.start()
    second.join(0.3)
    assert second.is_alive()
    assert found == []
    may_end.set()
    first.join(30)
    second.join(30)
    assert [segment[:] for segment in found] == [b"x" * _SIZE] * 2
    assert content.num_calls == 1


def test_failure_while_filling_leaves_nothing(tmp_path):
    def fail(descriptor):
        raise errors.ArtifactError("damaged")

    before = _num_descriptors()
    with pytest.raises(errors.ArtifactError, match="damaged"):
        _open(tmp_path, fill_fn=fail)
    assert _entries(tmp_path) == []
    assert _num_descriptors() == before
    assert _open(tmp_path)[:1] == b"x"


def test_check_is_asked_before_a_segment_is_made_and_not_before_one_is_joined(tmp_path):
    def refuse():
        raise errors.InputError("no room")

    content = _Content()
    with pytest.raises(errors.InputError, match="no room"):
        _open(tmp_path, fill_fn=content, check_fn=refuse)
    assert content.num_calls == 0
    assert _entries(tmp_path) == []
    first = _open(tmp_path)
    assert _open(tmp_path, check_fn=refuse)[:] == first[:]


_CHILD = textwrap.dedent(
    """
    import os, sys
    from code_t5.token_cache.sharing import shared_segments

    folder, value, key, size = sys.argv[1], sys.argv[2].encode(), sys.argv[3], int(sys.argv[4])

    def fill(descriptor):
        if value == b"never":
            print("filling", flush=True)
            sys.stdin.readline()
        os.pwrite(descriptor, value * size, 0)

    segment = shared_segments.SegmentRegistry(folder).open_segment(
        key, size=size, fill_fn=fill, check_fn=lambda: None
    )
    print(segment[:1].decode(), flush=True)
    {then}
    sys.stdin.readline()
    """
)


@pytest.fixture
def start():
    """Starts children that open the segment and wait; ends them all."""
    children = []

    def start_one(folder, *, value="c", then="pass"):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD.format(then=then), str(folder), value, _KEY, str(_SIZE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child, child.stdout.readline().strip()

    yield start_one
    for child in children:
        child.kill()
        child.communicate()


def _kill(child):
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_segment_outlives_its_maker_while_another_process_reads_it(tmp_path, start):
    maker, found = start(tmp_path)
    assert found == "c"
    segment = _open(tmp_path)
    _kill(maker)
    assert segment[:] == b"c" * _SIZE
    # A third one finds the segment by the second.
    _, found = start(tmp_path, value="d")
    assert found == "c"


def test_segment_of_killed_processes_is_never_found(tmp_path, start):
    for child in [start(tmp_path)[0], start(tmp_path)[0]]:
        _kill(child)
    assert len(_entries(tmp_path)) == 2
    assert _open(tmp_path, fill_fn=_Content(b"y"))[:] == b"y" * _SIZE
    assert _entries(tmp_path) == []


def test_maker_that_is_killed_while_filling_is_replaced(tmp_path, start):
    maker, found = start(tmp_path, value="never")
    assert found == "filling"
    segments = []
    waiting = threading.Thread(target=lambda: segments.append(_open(tmp_path)))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    _kill(maker)
    waiting.join(30)
    assert segments[0][:] == b"x" * _SIZE


def test_child_that_ends_does_not_take_its_parents_entry(tmp_path, start):
    then = "pid = os.fork(); (pid or sys.exit(0)); os.waitpid(pid, 0); print('forked', flush=True)"
    parent, found = start(tmp_path, then=then)
    assert found == "c"
    assert parent.stdout.readline() == "forked\n"
    assert _open(tmp_path)[:1] == b"c"


def test_process_that_ends_well_takes_its_entry_along(tmp_path, start):
    child, _ = start(tmp_path)
    assert len(_entries(tmp_path)) == 1
    child.communicate("\n")
    assert _entries(tmp_path) == []


def _put_entry(folder, *, process, descriptor, token="ab" * 16, namespace=None):
    namespace = namespace or os.stat("/proc/self/ns/pid").st_ino
    path = folder / f"{_KEY}-{namespace}-{process}-{descriptor}-{token}"
    path.touch(mode=0o600)
    return path


@pytest.fixture
def lock():
    """Locks files as living processes do."""
    opened = []

    def lock_one(path):
        file = open(path, "rb")  # noqa: SIM115 - closed below
        fcntl.flock(file, fcntl.LOCK_EX)
        opened.append(file)

    yield lock_one
    for file in opened:
        file.close()


def _sealed_file(name, *, size=_SIZE):
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.pwrite(descriptor, b"f" * size, 0)
    fcntl.fcntl(descriptor, 1033, 15)
    return descriptor


def test_entry_of_a_process_that_got_the_number_of_a_dead_one_is_not_believed(tmp_path, lock):
    # Sealed, of the right size, and open in a living process: all but the random name is right.
    descriptor = _sealed_file("code_t5-" + "cd" * 16)
    try:
        lock(_put_entry(tmp_path, process=os.getpid(), descriptor=descriptor))
        assert _open(tmp_path)[:1] == b"x"
        lock(_put_entry(tmp_path, process=os.getpid(), descriptor=descriptor, token="cd" * 16))
        assert _open(tmp_path)[:1] == b"f"
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", ["file", "pipe", "closed"])
def test_descriptor_of_something_else_is_not_believed(tmp_path, lock, name):
    opened = [os.open(tmp_path, os.O_RDONLY)] if name == "file" else list(os.pipe())
    if name == "closed":
        for descriptor in opened:
            os.close(descriptor)
    folder = tmp_path / "registry"
    folder.mkdir(mode=0o700)
    lock(_put_entry(folder, process=os.getpid(), descriptor=opened[0]))
    # The lock may have got the number of a closed descriptor; its file is no segment either.
    assert _open(folder)[:1] == b"x"
    if name != "closed":
        for descriptor in opened:
            os.close(descriptor)


def test_entry_without_its_lock_is_swept(tmp_path):
    descriptor = _sealed_file("code_t5-" + "ab" * 16)
    try:
        path = _put_entry(tmp_path, process=os.getpid(), descriptor=descriptor)
        assert _open(tmp_path)[:1] == b"x"
        assert not path.exists()
    finally:
        os.close(descriptor)


def test_living_entry_of_another_container_is_left_alone(tmp_path, lock):
    descriptor = _sealed_file("code_t5-" + "ab" * 16)
    try:
        path = _put_entry(tmp_path, process=os.getpid(), descriptor=descriptor, namespace=7)
        lock(path)
        assert _open(tmp_path)[:1] == b"x"
        assert path.exists()
    finally:
        os.close(descriptor)


def test_segment_that_may_not_be_opened_is_said_and_copied(tmp_path, start, monkeypatch, caplog):
    child, _ = start(tmp_path)

    def readlink(path):
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "readlink", readlink)
        assert _open(tmp_path)[:1] == b"x"
    assert f"process {child.pid} shares its memory" in caplog.text
    assert "it makes a copy of its own" in caplog.text


def test_files_that_are_no_entries_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert _open(tmp_path)[:1] == b"x"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_folder_that_others_can_write_to_is_refused(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(errors.InputError, match=r"open is not a folder that this user") as caught:
        shared_segments.SegmentRegistry(folder)
    assert "\n" not in str(caught.value)


def test_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(errors.InputError, match=r"link is not a folder that this user"):
        shared_segments.SegmentRegistry(tmp_path / "link")


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").touch(mode=0o600)
    with pytest.raises(errors.InputError, match="for shared memory.*without use_shared_memory"):
        shared_segments.SegmentRegistry(tmp_path / "file")


def test_registry_of_the_user_is_their_own():
    found = shared_segments.default_registry_dir()
    assert found.name == f"code_t5-shared-{os.geteuid()}"
