"""From a Task, a size and a mesh to the trainer's whole command: what `scripts/train.sh` runs.

Words: a *size* is dev, small, base or large; a *mesh* is a file of `gin_configs/meshes/`, named
without its ending; *more flags* are words that the trainer gets as they are, behind all others.

Nothing here needs TensorFlow: a wrong name is told before the trainer spends seconds on starting.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shlex
import signal
from collections.abc import Collection, Sequence
from typing import NamedTuple

from code_t5 import command_line, errors, visible_text
from code_t5.data import near_names
from code_t5.data.objectives import OBJECTIVES
from code_t5.storage import prepared
from code_t5.training import launch, logs
from code_t5.training.checkpoints import reading

DEFAULT_OBJECTIVE = "prefix_lm"
_GIN_FOLDER = "gin_configs"
_ROOT = pathlib.Path(__file__).resolve().parents[2]
# Size -> steps from the first run on: some minutes on a CPU, T5's warm-up on a GPU.
SIZES = {"dev": 300, "small": 10_000, "base": 10_000, "large": 10_000}
# The dev size is trained on short rows; the files of objectives/ have T5's length.
_DEV_LENGTHS = {
    "causal_lm": (16, 128),
    "infilling": (128, 128),
    "line_completion": (128, 64),
}
_STEPS = re.compile(r"\s*(?:(?:utils|mesh_tensorflow\.transformer\.utils)\.)?run\.train_steps\s*=")
# Flags that may define what a name means.
_DEFINING = ("gin_file", "gin_param", "module_import")


@dataclasses.dataclass(frozen=True)
class TrainRequest:
    """What a person asks for.

    Attributes:
      task: The Task or Mixture.
      size: One of `SIZES`.
      mesh: A file of `meshes/`, without its ending.
      data_dir: Where the data sets were built; None for the environment's default.
      model_dir: Gets the model; None for a folder of `data_dir`, named by Task and size.
      train_steps: At the end, counted from the model's first; None for the size's default.
      objective: Of a Task that leaves it to gin; None for what its name says, else prefix LM.
      more_flags: Further words for the trainer.
    """

    task: str
    size: str
    mesh: str
    data_dir: str | None = None
    model_dir: str | None = None
    train_steps: int | None = None
    objective: str | None = None
    more_flags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class TrainPlan:
    """What is going to be run.

    Attributes:
      config: The trainer's.
      num_steps: At the end; None where `more_flags` say it in a way that is not a number.
    """

    config: launch.TrainerConfig
    num_steps: int | None


def split_words(
    words: Sequence[str], *, typed: Sequence[str]
) -> tuple[tuple[str, str, str], tuple[str, ...]]:
    """Tells the words that are ours from those of the trainer.

    Args:
      words: What is left of the command line without our flags and the first `--`.
      typed: The whole command line.

    Returns:
      Task, size and mesh; and what stands behind `--`.

    Raises:
      InputError: Before `--` there are not three words.
    """
    num_more = len(typed) - typed.index("--") - 1 if "--" in typed else 0
    ours = words[: len(words) - num_more]
    if len(ours) != 3:
        raise errors.InputError(
            f"found {len(ours)} words {' '.join(ours)!r}; wanted TASK SIZE MESH, and flags for the "
            "trainer after --; see --help"
        )
    task, size, mesh = ours
    return (task, size, mesh), tuple(words[len(ours) :])


def plan(request: TrainRequest) -> TrainPlan:
    """Checks the names and chooses the gin files.

    Args:
      request: What is asked for.

    Returns:
      What to run.

    Raises:
      InputError: A size, mesh, Task, objective or flag is not known, or the gin files are missing.
      NotBuiltError: The Task's data set is not built.
      ArtifactError: The Task's data set is damaged.
    """
    gin_location = _gin_location()
    _check(request.size, known=SIZES, what="size")
    _check(request.mesh, known=list_meshes(gin_location), what="mesh")
    data_dir = os.path.expanduser(request.data_dir or prepared.find_data_dir())
    objective = _objective(request, data_dir, gin_location)
    steps = SIZES[request.size] if request.train_steps is None else request.train_steps
    name = f"{request.task.replace('/', '_')}-{request.size}"
    model_dir = request.model_dir or os.path.join(data_dir, "models", name)
    config = launch.TrainerConfig(
        model_dir=pathlib.Path(os.path.expanduser(model_dir)),
        mixture_or_task_name=request.task,
        gin_files=(*_model_files(request.size, objective), f"meshes/{request.mesh}.gin"),
        gin_params=(*_lengths(request.size, objective), f"run.train_steps = {steps}"),
        data_dir=pathlib.Path(data_dir),
        gin_location=gin_location,
        more_flags=request.more_flags,
    )
    return TrainPlan(config, _last_steps(request.more_flags, default=steps))


def _gin_location() -> str:
    """Returns the folder of our gin files: as short as it can be typed from here.

    Raises:
      InputError: There is none.
    """
    for folder in (pathlib.Path(_GIN_FOLDER), _ROOT / _GIN_FOLDER):
        if (folder / "meshes").is_dir():
            return f"{folder}/"
    raise errors.InputError(
        f"found no folder {_GIN_FOLDER} in {os.getcwd()} or {_ROOT}; wanted the gin files of the "
        "repository; run from a checkout of it"
    )


def list_meshes(gin_location: str) -> list[str]:
    """Returns the names of the meshes that there are, sorted."""
    return sorted(path.stem for path in pathlib.Path(gin_location, "meshes").glob("*.gin"))


def _check(name: str, *, known: Collection[str], what: str) -> None:
    """Refuses a name that is not known.

    Raises:
      InputError: It is not.
    """
    if name not in known:
        raise errors.InputError(
            f"found the {what} {name!r}; wanted one of {', '.join(known)}"
            f"{near_names.near_hint(name, known) or '; choose one'}"
        )


def _objective(request: TrainRequest, data_dir: str, gin_location: str) -> str:
    """Returns the objective that a request means.

    Raises:
      InputError: The Task is not known, or its name and the request's objective differ.
      NotBuiltError: The Task's data set is not built.
      ArtifactError: The Task's data set is damaged.
    """
    if request.objective is not None:
        _check(request.objective, known=OBJECTIVES, what="objective")
    table = prepared.task_table(prepared.known_datasets(data_dir), OBJECTIVES)
    if request.task in table:
        dataset, named = table[request.task]
        dataset.read_manifest()
    else:
        _check_defined_elsewhere(request, table, data_dir=data_dir, gin_location=gin_location)
        named = next((name for name in OBJECTIVES if request.task.endswith(f"_{name}")), None)
    if named and request.objective not in (None, named):
        raise errors.InputError(
            f"found --objective={request.objective} for {request.task}, whose objective is "
            f"{named}; wanted the same, or a Task that leaves it open; leave the flag out"
        )
    return named or request.objective or DEFAULT_OBJECTIVE


def _check_defined_elsewhere(
    request: TrainRequest, table: Collection[str], *, data_dir: str, gin_location: str
) -> None:
    """Lets names pass that gin or a module may define; the trainer looks at them.

    Raises:
      InputError: Nothing that could define it was given.
    """
    published = pathlib.Path(gin_location, "mixtures", "published.gin").read_text(encoding="utf-8")
    mixtures = sorted(set(re.findall(r"^(\w+)/mixture\.", published, re.MULTILINE)))
    flags = [word.lstrip("-").partition("=")[0] for word in request.more_flags if word[:1] == "-"]
    if any(request.task.startswith(name) for name in mixtures) or set(flags) & set(_DEFINING):
        return
    built = [dataset.name for dataset in prepared.list_datasets(data_dir)]
    endings = ", ".join(f"_{name}" for name in OBJECTIVES)
    hint = near_names.near_hint(request.task, [*table, *mixtures])
    raise errors.InputError(
        f"found no Task {request.task!r}{hint or ';'} "
        f"wanted a data set built under {data_dir} ({', '.join(built) or 'none is'}), alone or "
        f"followed by one of {endings}, or a mixture ({', '.join(mixtures)}); build one with "
        f"scripts/build_dev_dataset.sh --data_dir {shlex.quote(data_dir)}, or name another "
        "--data_dir"
    )


def _model_files(size: str, objective: str) -> tuple[str, ...]:
    """Returns the gin files of a size and an objective, the one that counts most last."""
    files = ["models/shared-prefix_lm.gin", f"models/shared_{size}.gin"]
    has_own = {DEFAULT_OBJECTIVE}
    if size == "dev":
        has_own = {DEFAULT_OBJECTIVE, "span_corruption"}
        files = [f"runs/dev_{objective if objective in has_own else DEFAULT_OBJECTIVE}.gin"]
    if objective not in has_own:
        files.append(f"objectives/code_{objective}.gin")
    return tuple(files)


def _lengths(size: str, objective: str) -> tuple[str, ...]:
    if size != "dev" or objective not in _DEV_LENGTHS:
        return ()
    inputs, targets = _DEV_LENGTHS[objective]
    return (f"utils.run.sequence_length = {{'inputs': {inputs}, 'targets': {targets}}}",)


def _last_steps(more_flags: Sequence[str], *, default: int) -> int | None:
    """Returns the steps that the trainer will end at; None where a flag hides them."""
    steps: int | None = default
    for position, word in enumerate(more_flags):
        name, equals, value = word.lstrip("-").partition("=")
        if name == "gin_param" and not equals and position + 1 < len(more_flags):
            value = more_flags[position + 1]
        if name == "gin_param" and _STEPS.match(value):
            number = value.partition("=")[2].strip().replace("_", "")
            steps = int(number) if number.isdigit() else None
    return steps


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
      status: For the shell: the trainer's own, 130 after an interrupt.
      line: What to say.
    """

    status: int
    line: str


def run(found: TrainPlan) -> Outcome:
    """Runs a plan; SIGTERM ends it as Ctrl-C does: the trainer saves what it has done.

    Args:
      found: The plan.

    Returns:
      How it ended.

    Raises:
      BusyError: Another run works in the same model directory.
      InputError: The folder of gin files is gone.
    """
    model_dir = found.config.model_dir
    done = launch.latest_step(model_dir)
    # If its files are gone, the trainer says what can be done.
    is_there = done in reading.list_steps(model_dir)
    if found.num_steps is not None and done >= found.num_steps and is_there:
        return Outcome(0, f"{model_dir} is trained for {done} steps already")
    earlier = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        log = launch.run_trainer(
            found.config,
            name="train",
            description="training",
            num_steps=found.num_steps,
            initial_step=done,
        )
    except launch.TrainerError as error:
        return Outcome(error.exit_status, f"error: {visible_text.one_line(str(error))}")
    except KeyboardInterrupt:
        return Outcome(command_line.EXIT_INTERRUPTED, _interrupted_line(model_dir))
    finally:
        signal.signal(signal.SIGTERM, earlier)
    step = launch.latest_step(model_dir)
    return Outcome(0, f"{model_dir} is trained for {step} steps; the log: {log}")


def _interrupted_line(model_dir: pathlib.Path) -> str:
    """Returns what to say of a run that was interrupted: what is saved, and how to go on."""
    step = launch.latest_step(model_dir)
    saved = f"stopped at step {step}, which is saved in" if step else "stopped; nothing is saved in"
    logs_there = logs.log_paths(model_dir, "train")
    log = f"; the log: {logs_there[-1]}" if logs_there else ""
    return f"interrupted: {saved} {model_dir}; the same command goes on{log}"
