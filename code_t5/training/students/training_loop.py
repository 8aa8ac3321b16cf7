"""Trains a student from a cache or from the live teacher, and goes on where it was stopped.

    OUTPUT_DIR/  checkpoint/         the last checkpoint (see `checkpoint`)
                 student/            what the student is after its last epoch
                 events.out.tfevents.*   for TensorBoard
                 wandb/              with --wandb

AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) minimises the student's loss; gradients longer
than 1 are shortened. The order of the samples, the weights that it begins with and whatever is
drawn in a step follow from the seed: a training that was killed ends as one that was not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import pathlib
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from code_t5 import errors
from code_t5.encoding import keys
from code_t5.encoding.torch_stream import ResumableLoader
from code_t5.progress import progress_bar
from code_t5.storage import atomic
from code_t5.training.students import checkpoint, sources
from code_t5.training.students.student import LOSS, Student
from code_t5.training.students.training_logs import TimeShares, TrainingLog

if TYPE_CHECKING:
    import torch

CHECKPOINT_NAME = "checkpoint"
STUDENT_NAME = "student"
_MAX_GRADIENT_NORM = 1.0
_STEPS_PER_LOG = 10


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """How a student is trained.

    Attributes:
      output_dir: Gets everything.
      epochs: Passes over the training samples.
      learning_rate: Of AdamW.
      weight_decay: The same.
      seed: Of whatever is drawn.
      device: Of torch.
      checkpoint_seconds: Between checkpoints; there is one after each epoch as well.
    """

    output_dir: pathlib.Path
    epochs: int
    learning_rate: float
    weight_decay: float = 0.01
    seed: int = 0
    device: str = "cpu"
    checkpoint_seconds: float = 60.0


class EpochResult(NamedTuple):
    """What is known after an epoch.

    Attributes:
      epoch: Its number, from 1.
      loss: Mean of the training losses of its batches.
      val_loss: Of the validation samples, after it.
      seconds: It took, without validation and checkpoints.
      share_waiting: Of these, for batches.
    """

    epoch: int
    loss: float
    val_loss: float
    seconds: float
    share_waiting: float

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}: loss {self.loss:.5g}, validation loss {self.val_loss:.5g}, "
            f"{self.seconds:,.1f} s, {self.share_waiting:.0%} of them waiting for batches"
        )


class StudentLoop:
    """A training.

    Attributes:
      config: How it is done.
      student: Who learns.
      step: Steps that are done.
      history: What is known of the epochs that are done.
    """

    def __init__(
        self,
        config: LoopConfig,
        *,
        student: Student,
        train: ResumableLoader,
        validation: ResumableLoader,
        identity: Mapping[str, Any],
    ) -> None:
        """Begins anew, or where the checkpoint is.

        Args:
          config: How it is done.
          student: Who learns, with drawn weights.
          train: Batches to learn from.
          validation: Batches to look how it does.
          identity: JSON values: what a checkpoint must be of to go on from it.

        Raises:
          ArtifactError: The checkpoint is damaged.
          InputError: It is of another training.
        """
        import torch

        self.config, self.student = config, student
        self._train, self._validation = train, validation
        self._identity = dict(identity)
        self.network = student.network.to(config.device)
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.step = 0
        self.history: list[EpochResult] = []
        self._loss_sum, self._epoch_times = 0.0, TimeShares()
        self._log_sums: dict[str, float] = {}
        self._log_times = TimeShares()
        self._restore()

    def _restore(self) -> None:
        """Goes to where the checkpoint is, if there is one.

        Raises:
          ArtifactError: It is damaged.
          InputError: It is of another training.
        """
        found = checkpoint.read_checkpoint(
            self.config.output_dir / CHECKPOINT_NAME, identity=self._identity
        )
        if found is None:
            return
        tensors, progress = found
        checkpoint.restore_tensors(tensors, network=self.network, optimizer=self._optimizer)
        self._train.load_state_dict(progress["place"])
        self.step, self._loss_sum = progress["step"], progress["loss_sum"]
        times = progress["times"]
        self._epoch_times.waiting, self._epoch_times.computing = (
            times["waiting"],
            times["computing"],
        )
        self._epoch_times.num_batches = times["num_batches"]
        self.history = [EpochResult(**fields) for fields in progress["history"]]

    def _save(self) -> None:
        times = self._epoch_times
        checkpoint.write_checkpoint(
            self.config.output_dir / CHECKPOINT_NAME,
            tensors=checkpoint.collect_tensors(self.network, self._optimizer),
            identity=self._identity,
            progress={
                "step": self.step,
                "place": self._train.state_dict(),
                "loss_sum": self._loss_sum,
                "times": vars(times),
                "history": [result._asdict() for result in self.history],
            },
        )

    @property
    def _is_through(self) -> bool:
        """Whether this epoch's last batch was had, and only its end is left to be done."""
        return bool(self._train.state_dict()["epoch"] > len(self.history))

    def run(self, logs: Sequence[TrainingLog]) -> list[EpochResult]:
        """Trains to the last epoch.

        Args:
          logs: Get the numbers.

        Returns:
          What is known of each epoch, those of earlier runs among them.

        Raises:
          KeyboardInterrupt: Ctrl-C was pressed; the last step is kept.
          CodeT5Error: The loss is no number.
        """
        output_dir = self.config.output_dir
        epoch_size = len(self._train) + (0 if self._is_through else self._epoch_times.num_batches)
        total = self.config.epochs * epoch_size
        if len(self.history) < self.config.epochs:
            bar = progress_bar(description="training", unit="step", total=total, initial=self.step)
            with _interrupts() as interrupted, bar:
                while len(self.history) < self.config.epochs:
                    if not self._is_through:
                        self._run_epoch(logs, bar=bar, interrupted=interrupted)
                    self._finish_epoch(logs)
        with atomic.directory(output_dir / STUDENT_NAME) as folder:
            self.student.save(folder)
        return self.history

    def _run_epoch(
        self, logs: Sequence[TrainingLog], *, bar: Any, interrupted: threading.Event
    ) -> None:
        """Goes through what is left of an epoch.

        Raises:
          KeyboardInterrupt: Ctrl-C was pressed; the last step is kept.
          CodeT5Error: The loss is no number.
        """
        self.network.train()
        saved = time.monotonic()
        for batch, waiting in _timed(self._train):
            start = time.perf_counter()
            losses = self._learn(batch)
            computing = time.perf_counter() - start
            self.step += 1
            self._count(losses, waiting=waiting, computing=computing, logs=logs)
            bar.set_postfix(
                loss=f"{losses[LOSS]:.4g}",
                waiting=f"{self._epoch_times.share_waiting:.0%}",
                refresh=False,
            )
            bar.update()
            if interrupted.is_set():
                self._save()
                raise KeyboardInterrupt
            if time.monotonic() - saved > self.config.checkpoint_seconds:
                self._save()
                saved = time.monotonic()

    def _learn(self, batch: Mapping[str, torch.Tensor]) -> dict[str, float]:
        """Does a step.

        Raises:
          CodeT5Error: The loss is no number.
        """
        import torch

        torch.manual_seed(_step_seed(self.config.seed, self.step))
        self._optimizer.zero_grad(set_to_none=True)
        losses = self.student.losses(self._on_device(batch))
        losses[LOSS].backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _MAX_GRADIENT_NORM)
        # Before the weights are touched: those of the checkpoint stay usable.
        found = {name: float(value) for name, value in losses.items()}
        if not math.isfinite(found[LOSS]):
            raise errors.CodeT5Error(
                f"the loss is {found[LOSS]} in step {self.step + 1:,}; wanted a number; go on from "
                "the last checkpoint with a smaller --learning_rate and another --output_dir"
            )
        self._optimizer.step()
        return found

    def _on_device(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        device = self.config.device
        return {name: value.to(device, non_blocking=True) for name, value in batch.items()}

    def _count(
        self,
        losses: Mapping[str, float],
        *,
        waiting: float,
        computing: float,
        logs: Sequence[TrainingLog],
    ) -> None:
        self._loss_sum += losses[LOSS]
        for times in (self._epoch_times, self._log_times):
            times.add(waiting=waiting, computing=computing)
        for name, value in losses.items():
            self._log_sums[name] = self._log_sums.get(name, 0.0) + value
        if self.step % _STEPS_PER_LOG == 0:
            self._write_log(logs)

    def _write_log(self, logs: Sequence[TrainingLog]) -> None:
        count = self._log_times.num_batches
        if not count:
            return
        scalars = {f"train/{name}": value / count for name, value in self._log_sums.items()}
        for log in logs:
            log.write(self.step, {**scalars, **self._log_times.scalars()})
        self._log_sums, self._log_times = {}, TimeShares()

    def _finish_epoch(self, logs: Sequence[TrainingLog]) -> None:
        self._write_log(logs)
        times = self._epoch_times
        means = self._validate()
        result = EpochResult(
            epoch=len(self.history) + 1,
            loss=self._loss_sum / max(times.num_batches, 1),
            val_loss=means[LOSS],
            seconds=times.waiting + times.computing,
            share_waiting=times.share_waiting,
        )
        for log in logs:
            log.write(self.step, {f"validation/{name}": value for name, value in means.items()})
        self.history.append(result)
        self._loss_sum, self._epoch_times = 0.0, TimeShares()
        self._save()

    def _validate(self) -> dict[str, float]:
        """Returns the means of the losses over all validation samples."""
        import torch

        self.network.eval()
        sums: dict[str, float] = {}
        total = 0.0
        with torch.no_grad():
            for batch in sources.read_batches(self._validation):
                on_device = self._on_device(batch)
                weight = self.student.weight(on_device)
                for name, value in self.student.losses(on_device).items():
                    sums[name] = sums.get(name, 0.0) + weight * float(value)
                total += weight
        return {name: value / max(total, 1e-12) for name, value in sums.items()}


def _step_seed(seed: int, step: int) -> int:
    # torch takes seeds of 64 bits.
    return int(keys.mix_keys(seed, step)[0]) & ((1 << 62) - 1)


def _timed(batches: ResumableLoader) -> Iterator[tuple[Any, float]]:
    """Yields batches, and for how many seconds each was waited for.

    Raises:
      CodeT5Error: One cannot be read.
    """
    iterator = sources.read_batches(batches)
    while True:
        start = time.perf_counter()
        batch = next(iterator, None)
        if batch is None:
            return
        yield batch, time.perf_counter() - start


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Has the first Ctrl-C set an event, so that a step is done to its end; a second is at once.

    Yields:
      The event.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.getsignal(signal.SIGINT)

    def remember(number: int, frame: Any) -> None:
        del number, frame
        pressed.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, remember)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
