"""The fence: nothing reaches a network behind it, whatever it is written in."""

from __future__ import annotations

import errno
import os
import platform
import socket
import subprocess
import sys
import threading

import pytest

from code_t5 import network_fence

_FENCED = "from code_t5 import network_fence; holds = network_fence.block_network()\n"


def _run(code, *, is_fenced=True):
    """Runs code in a process of its own and returns what it printed, without the proxies."""
    hidden = {"http_proxy", "https_proxy", "no_proxy"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", (_FENCED if is_fenced else "") + code],
        capture_output=True, text=True, check=False, timeout=60, env=environment,
        cwd=os.path.dirname(os.path.dirname(network_fence.__file__)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def listening():
    """The address of a server on this machine that greets whoever calls."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")

        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()
        server.shutdown(socket.SHUT_RDWR)


def test_this_kernel_takes_the_filter():
    assert _run("print(holds)") == network_fence.SECCOMP


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"])
def test_a_socket_of_the_network_is_refused_with_a_reason(family):
    code = f"""
import socket
try:
    socket.socket(socket.{family}, socket.SOCK_STREAM)
except OSError as error:
    print(type(error).__name__, error.errno, "behind the fence" in str(error))
"""
    assert _run(code) == f"NetworkBlockedError {errno.EACCES} True"


def test_c_code_gets_no_socket_of_the_network_either():
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for family in (2, 10, 16, 17, 1):
    ctypes.set_errno(0)
    print(libc.socket(family, 1, 0) >= 0, ctypes.get_errno())
"""
    refused = f"False {errno.EACCES}"
    assert _run(code).splitlines() == [refused, refused, refused, refused, "True 0"]


def test_a_family_is_not_smuggled_in_the_upper_half_of_its_register():
    number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    code = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
family = ctypes.c_long((1 << 32) + 2)
print(libc.syscall(ctypes.c_long({number}), family, 1, 0), ctypes.get_errno())
"""
    assert _run(code) == f"-1 {errno.EACCES}"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("io_uring_setup", "425, 8, 0"), ("pidfd_getfd", "438, 0, 0, 0")],
)
def test_ways_round_a_socket_are_closed(name, arguments):
    code = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall({arguments}), ctypes.get_errno())
"""
    assert _run(code) == f"-1 {errno.EACCES}", name


def test_the_calls_of_another_abi_are_refused():
    # Of x86-64 alone, where the tests run: the same calls with short pointers.
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(ctypes.c_long(0x40000000 + 41), 2, 1, 0), ctypes.get_errno())
"""
    assert _run(code) == f"-1 {errno.EACCES}"


def test_a_process_that_is_started_behind_it_is_behind_it(listening):
    call = f"import socket; socket.create_connection({listening!r}); print('through')"
    code = f"""
import subprocess, sys
done = subprocess.run([sys.executable, "-c", {call!r}], capture_output=True, text=True)
print(done.returncode, done.stderr.strip().splitlines()[-1])
"""
    assert _run(code) == "1 PermissionError: [Errno 13] Permission denied"
    assert _run(call, is_fenced=False) == "through"


def test_a_program_that_is_not_python_is_behind_it(listening):
    call = "exec 3<>/dev/tcp/{}/{} && cat <&3 | tail -1".format(*listening)
    code = f"""
import subprocess
done = subprocess.run(["bash", "-c", {call!r}], capture_output=True, text=True)
print(done.returncode, done.stdout, "Permission denied" in done.stderr)
"""
    assert _run(code) == "1  True"
    assert _run(code, is_fenced=False) == "0 hello False"


def test_a_thread_that_runs_already_is_behind_it():
    code = """
import ctypes, threading
from code_t5 import network_fence
libc = ctypes.CDLL(None, use_errno=True)
go = threading.Event()
def ask():
    go.wait()
    print(libc.socket(2, 1, 0), ctypes.get_errno())
thread = threading.Thread(target=ask)
thread.start()
network_fence.block_network()
go.set()
thread.join()
"""
    assert _run(code, is_fenced=False) == f"-1 {errno.EACCES}"


def test_asyncio_runs_and_reaches_nothing(listening):
    code = f"""
import asyncio
async def ask():
    await asyncio.sleep(0)
    try:
        await asyncio.open_connection(*{listening!r})
    except OSError as error:
        return type(error).__name__
print(asyncio.run(ask()))
"""
    assert _run(code) == "NetworkBlockedError"


def test_processes_of_this_machine_may_speak_to_each_other(tmp_path):
    code = f"""
import socket
server = socket.socket(socket.AF_UNIX)
server.bind({str(tmp_path / "s")!r})
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect({str(tmp_path / "s")!r})
server.accept()[0].sendall(b"hello")
print(client.recv(5).decode(), socket.getaddrinfo("localhost", 80) != [])
"""
    assert _run(code) == "hello True"


def test_no_name_of_another_machine_is_looked_up():
    code = """
import socket
for look_up in (socket.gethostbyname, lambda name: socket.getaddrinfo(name, 443)):
    try:
        look_up("example.org")
    except OSError as error:
        print(type(error).__name__, "'example.org'" in str(error))
"""
    assert _run(code).splitlines() == ["NetworkBlockedError True"] * 2


def test_a_socket_from_before_connects_to_nothing(listening):
    code = f"""
import socket
early = socket.socket()
from code_t5 import network_fence
network_fence.block_network()
try:
    early.connect({listening!r})
except OSError as error:
    print(type(error).__name__)
"""
    assert _run(code, is_fenced=False) == "NetworkBlockedError"


def test_twice_does_no_harm():
    assert _run("print(network_fence.block_network())") == network_fence.SECCOMP


def test_where_the_kernel_has_no_filters_python_code_is_held_and_told():
    code = """
import platform, socket
platform.machine = lambda: "riscv64"
from code_t5 import network_fence
print(network_fence.block_network())
try:
    socket.socket()
except network_fence.NetworkBlockedError:
    print("refused")
"""
    assert _run(code, is_fenced=False).splitlines() == [network_fence.AUDIT_HOOK, "refused"]
