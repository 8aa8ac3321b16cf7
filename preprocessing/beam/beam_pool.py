"""A pool whose workers are those of an Apache Beam runner.

The stages of a build give a pool a function and its inputs. `BeamPool` writes both into the shared
directory, runs one step (see `beam_runner`) whose elements are the inputs' numbers, and reads the
results; so each stage works on a cluster as it is, and the pipeline's own description stays small
however large the data set is.
"""

from __future__ import annotations

import functools
import pathlib
import shutil
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Callable, TypeVar

from code_t5 import errors, parallel
from preprocessing.beam import beam_runner, beam_values

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")

_FUNCTION = "function.npz"
_ERRORS = {
    kind.__name__: kind
    for kind in (
        errors.CodeT5Error,
        errors.InputError,
        errors.ArtifactError,
        errors.VocabularyMismatchError,
        errors.NotBuiltError,
        errors.BusyError,
    )
}


@functools.lru_cache(maxsize=4)
def _read_function(path: str) -> Callable[[Any], Any]:
    return beam_values.read_value(path)


def call_one(index: int, *, call_dir: str) -> Iterator[Any]:
    """Calls a call's function with one of its inputs and leaves the result in the shared directory.

    Args:
      index: Which input.
      call_dir: Folder of the call.

    Yields:
      Nothing: the result is a file.
    """
    folder = pathlib.Path(call_dir)
    function = _read_function(str(folder / _FUNCTION))
    try:
        result = {"result": function(beam_values.read_value(folder / f"input-{index}.npz"))}
    except errors.CodeT5Error as error:
        result = {"error": type(error).__name__, "message": str(error)}
    beam_values.write_value(folder / f"result-{index}.npz", result)
    yield from ()


class BeamPool(parallel.WorkerPool):
    """Gives the work of the stages to a Beam runner.

    Attributes:
      num_workers: 2; the runner's options say how many there are, and no result depends on it.
      runner: Runs the steps.
      shared_dir: Where the calls leave their files; every worker reaches it under this path.
    """

    def __init__(self, runner: beam_runner.StepRunner, shared_dir: pathlib.Path) -> None:
        """Remembers where to work.

        Args:
          runner: Runs the steps.
          shared_dir: Made when it is needed.
        """
        super().__init__(2)
        self.runner = runner
        self.shared_dir = shared_dir.absolute()
        self._num_calls = 0

    def call_dir(self, name: str) -> pathlib.Path:
        """Makes an empty folder for the files of one call or step.

        Args:
          name: Part of the folder's name.

        Returns:
          The folder.
        """
        if not self._num_calls:
            shutil.rmtree(self.shared_dir, ignore_errors=True)
        # Workers outlive a build and remember functions by path: no path stands for two calls.
        folder = self.shared_dir / f"{self._num_calls:04d}-{name}-{uuid.uuid4().hex[:8]}"
        self._num_calls += 1
        folder.mkdir(parents=True)
        return folder

    def map(
        self, function: Callable[[_Input], _Output], inputs: Iterable[_Input]
    ) -> Iterator[_Output]:
        """Yields `function(input)` for each input, in order, once all are done.

        Args:
          function: Importable by name, arguments bound with `functools.partial`.
          inputs: Values that `beam_values` carries.

        Yields:
          The results.

        Raises:
          CodeT5Error: The step failed, or a call did.
        """
        name = getattr(function, "func", function).__name__.strip("_")
        folder = self.call_dir(name)
        beam_values.write_value(folder / _FUNCTION, function)
        num_inputs = 0
        for value in inputs:
            beam_values.write_value(folder / f"input-{num_inputs}.npz", value)
            num_inputs += 1
        self.runner.run(
            name,
            elements=range(num_inputs),
            functions=[functools.partial(call_one, call_dir=str(folder))],
        )
        for index in range(num_inputs):
            result = beam_values.read_value(folder / f"result-{index}.npz")
            if "error" in result:
                error = _ERRORS.get(result["error"], errors.CodeT5Error)(result["message"])
                raise error
            yield result["result"]
        shutil.rmtree(folder, ignore_errors=True)
