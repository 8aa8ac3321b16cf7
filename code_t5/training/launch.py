"""Starts t5's trainer as a child process, keeps its log and shows how far it is.

*Run* here: one start of the trainer, in one of its modes (training, evaluation, inference). Its
*log* is all that it prints, a file under `model_dir/logs`; the child writes it directly, so nothing
is lost if the parent dies. The progress bar is drawn from the log alone.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

from absl import logging

from code_t5 import errors, progress
from code_t5.storage import atomic
from code_t5.training import logs
from code_t5.training.checkpoints import reading, stopping

_POLL_SECONDS = 0.2
# A step of a large model and its checkpoint take their time.
_STOPPING_SECONDS = 120
_SAYING_SECONDS = 2
_LOCK_NAME = ".trainer.lock"
# The gin files of the repository; t5 looks here after its own folder.
_GIN_LOCATION = "gin_configs/"


class TrainerError(errors.CodeT5Error):
    """The trainer ended with an error; the message holds its last words and where its log is.

    Attributes:
      exit_status: As a shell has it: 128 and the signal's number where one ended the trainer.
    """

    def __init__(self, message: str, *, exit_status: int = 1) -> None:
        """Takes the message and the trainer's status.

        Args:
          message: One line.
          exit_status: The trainer's.
        """
        super().__init__(message)
        self.exit_status = exit_status


@dataclasses.dataclass(frozen=True)
class TrainerConfig:
    """What one run of the trainer is given.

    Attributes:
      model_dir: Where checkpoints and event files are or will be.
      mixture_or_task_name: The seqio Task or Mixture.
      gin_files: Names below `gin_location` or t5's own gin folder, or paths; the last one wins.
      gin_params: Bindings such as `run.train_steps = 300`; they win over every file.
      data_dir: Where the data sets were built; None for the environment's default.
      gin_location: Folder of our gin files.
      module_imports: Modules that register the Tasks and whatever else gin names.
      more_flags: Further words for the trainer's command line; they come last.
    """

    model_dir: pathlib.Path
    mixture_or_task_name: str
    gin_files: tuple[str, ...]
    gin_params: tuple[str, ...] = ()
    data_dir: pathlib.Path | None = None
    gin_location: str = _GIN_LOCATION
    module_imports: tuple[str, ...] = ("code_t5",)
    more_flags: tuple[str, ...] = ()


def trainer_command(config: TrainerConfig) -> list[str]:
    """Returns the command line of a run.

    >>> config = TrainerConfig(pathlib.Path("m"), "dev", gin_files=("runs/dev_prefix_lm.gin",))
    >>> trainer_command(config)[1:4]
    ['-m', 't5.models.mesh_transformer_main', '--model_dir=m']
    """
    command = [_interpreter(), "-m", "t5.models.mesh_transformer_main"]
    command.append(f"--model_dir={config.model_dir}")
    if config.data_dir is not None:
        command.append(f"--t5_tfds_data_dir={config.data_dir}")
    command += [f"--module_import={module}" for module in config.module_imports]
    command.append(f"--gin_location_prefix={config.gin_location}")
    command += [f"--gin_file={name}" for name in config.gin_files]
    command.append(f"--gin_param=MIXTURE_NAME = {config.mixture_or_task_name!r}")
    command += [f"--gin_param={binding}" for binding in config.gin_params]
    return [*command, *config.more_flags]


def _interpreter() -> str:
    """Returns this interpreter's name, short where the shell finds the same one by it."""
    return "python" if shutil.which("python") == sys.executable else sys.executable


def format_command(command: list[str]) -> str:
    r"""Returns a command as a user would type it, one flag a line.

    Args:
      command: Its words.

    Returns:
      Text that a POSIX shell splits into the same words.

    >>> print(format_command(["python", "-m", "x", "--a=1", "--b=N = 'dev'"]))
    python -m x \
      --a=1 \
      --b="N = 'dev'"
    """
    words = [_quote(word) for word in command]
    num_plain = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    return " \\\n  ".join([" ".join(words[:num_plain])] + words[num_plain:])


def _quote(word: str) -> str:
    """Quotes the value of a flag, or a whole word, so that quotes inside it stay readable."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if not value or shlex.quote(value) == value:
        return word
    escaped = re.sub(r'([\\"$`])', r"\\\1", value)
    return f'{flag}{equals}"{escaped}"'


def run_trainer(
    config: TrainerConfig,
    *,
    name: str,
    description: str,
    num_steps: int | None = None,
    initial_step: int = 0,
) -> pathlib.Path:
    """Runs the trainer to its end, with a progress bar on stderr.

    Args:
      config: What to run.
      name: Of the log: `model_dir/logs/<name>-<number>.log`, counted up from run to run.
      description: What the bar says is being done, in a word or two.
      num_steps: Steps at the run's end; None if it counts no steps.
      initial_step: Steps done before; what `latest_step` says for a training.

    Returns:
      The path of the log.

    Raises:
      InputError: The folder of gin files is not where it should be.
      BusyError: Another run works in the same model directory.
      TrainerError: The trainer failed.
    """
    if not os.path.isdir(config.gin_location):
        raise errors.InputError(
            f"found no folder {config.gin_location} in {os.getcwd()}; wanted the gin files of the "
            "repository; run from the repository's root or name their folder"
        )
    log_path = _next_log_path(config.model_dir / "logs", name)
    command = trainer_command(config)
    logging.debug("Running:\n%s", format_command(command))
    with atomic.lock(config.model_dir / _LOCK_NAME, purpose="runs t5's trainer there"):
        with open(log_path, "wb") as log_file:
            child = subprocess.Popen(command, stdout=log_file, stderr=subprocess.STDOUT)
        try:
            _follow(
                child,
                log_path,
                description=description,
                num_steps=num_steps,
                initial_step=initial_step,
            )
        finally:
            _end(child)
    if child.returncode != 0:
        status = child.returncode
        raise TrainerError(
            f"the trainer {_how_it_ended(status)}: {logs.last_error(log_path)}; its "
            f"whole log is {log_path}",
            exit_status=status if status > 0 else stopping.STATUS_OF_SIGNAL - status,
        )
    return log_path


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}; its last words"


def latest_step(model_dir: pathlib.Path) -> int:
    """Returns the step of the newest checkpoint, 0 if there is none."""
    return (reading.recorded_steps(model_dir) or [0])[-1]


def _next_log_path(folder: pathlib.Path, name: str) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while (folder / f"{name}-{number}.log").exists():
        number += 1
    return folder / f"{name}-{number}.log"


def _follow(
    child: subprocess.Popen[bytes],
    log_path: pathlib.Path,
    *,
    description: str,
    num_steps: int | None,
    initial_step: int,
) -> None:
    """Draws the bar until the child has ended."""
    reader, is_starting = logs.ProgressReader(log_path), True
    with progress.progress_bar(
        description=f"{description} (starting)", unit="step", total=num_steps, initial=initial_step
    ) as bar:
        while True:
            ended = child.poll() is not None
            news = reader.read()
            if news is not None:
                if is_starting:
                    progress.restart_clock(bar, done=news.step)
                    is_starting = False
                bar.set_description(description, refresh=False)
                bar.set_postfix_str(_figures(news), refresh=False)
                bar.update(max(0, news.step - bar.n))
            else:
                # Redraws the clock.
                bar.update(0)
            if ended:
                break
            time.sleep(_POLL_SECONDS)
        # The last step that is logged may be one too low.
        if child.returncode == 0 and num_steps is not None:
            bar.update(max(0, num_steps - bar.n))


def _figures(news: logs.News) -> str:
    """Returns what the bar says behind the count of steps."""
    words = []
    # Nothing until the fill is known: the logged loss is over all positions, about half of this.
    if news.loss_per_token is not None:
        words.append(f"loss {news.loss_per_token:.3f}/token")
    if news.tokens_per_second is not None:
        words.append(f"{news.tokens_per_second:,.0f} tokens/s")
    return ", ".join(words)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Has a child that still runs save and stop, or ends it if it does not, or if asked again."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=_SAYING_SECONDS)
    except subprocess.TimeoutExpired:
        logging.warning("Waiting for the trainer to save a checkpoint; Ctrl-C ends it at once")
    except KeyboardInterrupt:
        pass
    try:
        child.wait(timeout=_STOPPING_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()
        child.wait()
