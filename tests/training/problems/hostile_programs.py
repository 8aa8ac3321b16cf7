"""Programs that try to get out of the fence; what each may reach is filled in with `str.format`."""

from __future__ import annotations

import json
import textwrap

# Never to be run without the fence, but for those that are `HARMLESS`.
# Each line is tried on its own; `{place}` lies outside of the fence and holds `victim`, `{process}`
# is the test's own process and `{sleeper}` another of the same user.
TRIES = {
    "write outside": "open('{place}/new', 'w')",
    "write in the shared memory": "open('/dev/shm/new', 'w')",
    "empty by name": "os.truncate('{place}/victim', 0)",
    "empty while opening": "os.open('{place}/victim', os.O_RDONLY | os.O_TRUNC)",
    "remove": "os.unlink('{place}/victim')",
    "take away by renaming": "os.rename('{place}/victim', 'mine')",
    "write through a hard link": "os.link('{place}/victim', 'mine')",
    "write through a link": "(os.symlink('{place}/victim', 'mine'), open('mine', 'w'))",
    "change the mode": "os.chmod('{place}/victim', 0)",
    "change the times": "os.utime('{place}/victim', (0, 0))",
    "change the owner": "os.chown('{place}/victim', 0, 0)",
    "read a file": "open('{place}/victim').read()",
    "list a folder": "os.listdir('{place}')",
    "read the users": "open('/etc/passwd').read()",
    "read another's environment": "open('/proc/{process}/environ').read()",
    "write another's memory": "open('/proc/{process}/mem', 'r+b')",
    "end the test": "os.kill({process}, 15)",
    "end another": "os.kill({sleeper}, 9)",
    "own another's signals": "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, {process})",
    "limit another": "resource.prlimit({process}, resource.RLIMIT_CPU, (1, 1))",
    "raise a limit": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "be root": "os.setuid(0)",
    "ask the network": "socket.create_connection(('127.0.0.1', {port}))",
    "ask the network without Python": "call(libc.socket(2, 1, 0))",
    "ask a socket in a file": "_socket.socket(1, 1, 0).connect('{place}/socket')",
    "send to any socket": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "trace": "call(libc.ptrace(16, {process}, 0, 0))",
    "mount": "call(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "leave the disk's limit": "call(libc.umount2(os.getcwd().encode(), 2))",
    "be apart": "call(libc.unshare(0x10000000))",
    "start apart": "call(libc.syscall({clone}, 0x10000011, 0, 0, 0, 0))",
    "memory that is no file": "os.memfd_create('x')",
    "shared memory": "call(libc.shmctl(call(libc.shmget(0, 1 << 20, 0o1600)), 0, None))",
    "memory": "bytearray(4 << 30)",
    "a large file": "open('large', 'wb').write(b'x' * (80 << 20))",
}
_HEAD = """
import ctypes, fcntl, json, os, resource, socket, sys
import _socket
libc = ctypes.CDLL(None, use_errno=True)
def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), 'refused')
    return result
got_through = []
"""
_TRY = """
try:
    {line}
    got_through.append({name!r})
except (OSError, ValueError, MemoryError):
    pass
"""
_TAIL = """
print(json.dumps([got_through, os.listdir('.') and sorted(os.environ), sys.stdin.read()]))
"""


# Of these nothing is left behind and nobody is hit where there is no fence.
HARMLESS = (
    *("write outside", "read a file", "list a folder", "read the users", "be apart"),
    *("ask the network without Python", "send to any socket", "memory that is no file"),
    *("shared memory", "a large file", "empty by name"),
)


def program_of_tries(names: tuple[str, ...] = tuple(TRIES), **places: object) -> str:
    """Returns a program that tries these and prints what got through."""
    tries = "".join(_TRY.format(line=TRIES[name].format(**places), name=name) for name in names)
    return textwrap.dedent(_HEAD) + tries + _TAIL


def read_tries(output: bytes) -> list:
    """Returns what such a program printed."""
    return json.loads(output.decode("utf-8").splitlines()[-1])


# Programs that do not end by themselves, or leave something behind.
ENDLESS = "while True: pass"
FORK_BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
MEMORY_OF_MANY = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        held = bytearray(100 << 20)
        time.sleep(60)
time.sleep(60)
"""
DAEMON = """
import ctypes, os, signal, time
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(1, 0)
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if os.fork() == 0:
        os.closerange(0, 100)
        time.sleep({seconds})
    os._exit(0)
print('left')
"""
KILLS_ITS_PARENT = """
import os, signal, time
for process in (os.getppid(), -1, 0):
    try:
        os.kill(process, signal.SIGKILL)
    except OSError:
        pass
time.sleep(0.2)
print('here')
"""
HUGE_OUTPUT = "while True: print('x' * 100_000)"
MANY_FILES = """
for number in range(100_000):
    open(str(number), 'wb').write(b'x' * 65536)
"""
DEEP_FOLDERS = """
import os
for _ in range(1100):
    os.mkdir('d', 0o700)
    os.chdir('d')
os.mkdir('closed', 0)
"""
