"""Debian's real Slurm with one node, this machine, on loopback: for tests that submit jobs.

It needs the packages slurmctld, slurmd and slurm-client, and no other set-up: who asks is not
proved (auth/none), nothing is kept, and no cgroups are used.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

_PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "sinfo", "scontrol")
_START_SECONDS, _STOP_SECONDS = 60, 20
_CONFIG = """ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
SchedulerType=sched/builtin
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=3600
NodeName=localhost NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 State=UNKNOWN
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
"""


def _path() -> str:
    return f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/usr/bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serve(folder: pathlib.Path) -> Iterator[dict[str, str]]:
    """Yields the variables of a shell whose `sbatch` and `srun` ask this Slurm.

    Args:
      folder: Empty, with a path without blanks: Slurm's configuration cannot name others.
    """
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        raise RuntimeError(
            f"{', '.join(missing)} not found; wanted Slurm for this test; run apt-get install "
            "slurmctld slurmd slurm-client"
        )
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    user = pwd.getpwuid(os.getuid()).pw_name
    config = folder / "slurm.conf"
    config.write_text(
        _CONFIG.format(
            controller_port=_free_port(), node_port=_free_port(), user=user, folder=folder
        )
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    environment = {**kept, "PATH": _path(), "SLURM_CONF": str(config)}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in (["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", "localhost"]):
            with open(folder / f"{command[0]}.out", "wb") as output:
                processes.append(
                    subprocess.Popen(command, env=environment, stdout=output, stderr=output)
                )
        _wait_for_node(environment, folder=folder)
        yield environment
    finally:
        for process in reversed(processes):
            process.terminate()
            try:
                process.wait(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_node(environment: dict[str, str], *, folder: pathlib.Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        command = ["sinfo", "--noheader", "--format=%T"]
        asked = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text() for path in sorted(folder.glob("*.out")))
    raise RuntimeError(f"Slurm has no idle node after {_START_SECONDS} s:\n{logs[-4000:]}")


def wait_for_job(number: int, *, environment: dict[str, str], seconds: float = 240) -> str:
    """Waits until a job has ended.

    Args:
      number: Of the job.
      environment: As `serve` gave it.
      seconds: How long.

    Returns:
      Its state, as COMPLETED or FAILED.
    """
    deadline = time.monotonic() + seconds
    state = "UNKNOWN"
    while time.monotonic() < deadline:
        command = ["scontrol", "show", "job", "--oneliner", str(number)]
        asked = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        fields = dict(word.partition("=")[::2] for word in asked.stdout.split())
        state = fields.get("JobState", "UNKNOWN")
        if state not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "UNKNOWN"):
            return state
        time.sleep(0.2)
    return state
