"""Stand-ins for `sbatch` and `srun`: programs of these names that run jobs here and at once.

They keep what the tests are about: a job runs a copy of the file, in the folder that it was
submitted from or `--chdir`, with the submitter's variables and its own number; what depends on it
by `afterok` runs when it has ended well, and never if it has not.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

_PROGRAM = """#!{python}
# A stand-in, not Slurm.
import sys
sys.path.insert(0, {folder!r})
import stand_in_slurm
stand_in_slurm.{function}({state!r})
"""


def install(folder: pathlib.Path) -> dict[str, str]:
    """Writes the stand-ins.

    Args:
      folder: For them, and for the jobs.

    Returns:
      The variables of a shell that finds them, and no other Slurm.
    """
    (folder / "bin").mkdir(parents=True)
    (folder / "jobs").mkdir()
    here = str(pathlib.Path(__file__).resolve().parent)
    for name in ("sbatch", "srun"):
        program = folder / "bin" / name
        program.write_text(
            _PROGRAM.format(python=sys.executable, folder=here, function=name, state=str(folder))
        )
        program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return {**kept, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def list_jobs(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the jobs in order: `options`, `arguments`, `status` (None if it never ran), `log`.

    Args:
      folder: As for `install`.
    """
    paths = sorted((folder / "jobs").glob("*.json"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text()) for path in paths]


def sbatch(state: str) -> None:
    """Submits a job, and runs it unless a job submits it.

    Args:
      state: The stand-ins' folder.
    """
    folder = pathlib.Path(state) / "jobs"
    words = sys.argv[1:]
    num_options = next(place for place, word in enumerate(words) if not word.startswith("-"))
    options, script, arguments = words[:num_options], words[num_options], words[num_options + 1 :]
    number = len(list(folder.glob("*.json"))) + 1
    chdir = [word.partition("=")[2] for word in options if word.startswith("--chdir=")]
    job = {
        "number": number, "options": options, "arguments": arguments, "status": None, "log": "",
        "folder": chdir[0] if chdir else os.getcwd(), "environment": dict(os.environ),
    }  # fmt: skip
    (folder / str(number)).mkdir()
    copy = folder / str(number) / "slurm_script"
    copy.write_bytes(pathlib.Path(script).read_bytes())
    copy.chmod(0o755)
    _keep(folder, job)
    print(number if "--parsable" in options else f"Submitted batch job {number}", flush=True)
    if not os.environ.get("STAND_IN_JOB"):
        _run(folder, job)


def _keep(folder: pathlib.Path, job: dict[str, Any]) -> None:
    (folder / f"{job['number']}.json").write_text(json.dumps(job))


def _run(folder: pathlib.Path, job: dict[str, Any]) -> None:
    environment = {
        **job["environment"],
        "STAND_IN_JOB": "1",
        "SLURM_JOB_ID": str(job["number"]),
        "SLURM_SUBMIT_DIR": os.getcwd(),
        "SLURM_MEM_PER_NODE": "1",
    }
    command = [str(folder / str(job["number"]) / "slurm_script"), *job["arguments"]]
    ran = subprocess.run(
        command, cwd=job["folder"], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    job.update(status=ran.returncode, log=ran.stdout.decode(errors="replace"))
    _keep(folder, job)
    for later in list_jobs(folder.parent):
        depends = f"--dependency=afterok:{job['number']}" in later["options"]
        if depends and later["status"] is None and ran.returncode == 0:
            _run(folder, later)


def srun(state: str) -> None:
    """Runs a command, as a step of a job.

    Args:
      state: The stand-ins' folder.
    """
    sys.stdout.flush()
    environment = {**os.environ, "SLURM_STEP_ID": "0"}
    os.execvpe(sys.argv[1], sys.argv[1:], environment)
