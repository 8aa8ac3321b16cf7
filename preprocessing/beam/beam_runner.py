"""Runs Apache Beam pipelines of the build on whatever runner the options name.

A *step* is one pipeline: a list of small integers goes in, functions that can be imported by name
work on them, and what comes out lies as files in a *shared directory*, one that the launcher and
every worker reach under the same path. The *launcher* is the process that the user started; a
runner cannot hand it a collection, so files are the one way back that every runner has.

A step is one chain with one end: Beam's Dask runner computes the last transform alone. It uses
neither side inputs, nor several outputs, nor `finish_bundle`, none of which that runner has in
full; keys are plain integers, whose hash is the same in every process. A worker that dies is
replaced and its work is done again, so whatever a step writes is renamed into place when whole.
"""

from __future__ import annotations

import functools
import logging
import os
import pathlib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable

from code_t5 import errors

_DASK_PARTITIONS = ("npartitions", "partition_size")
_DASK_RUNNER = "daskrunner"
_DIRECT_RUNNERS = ("runner", "directrunner", "switchingdirectrunner", "fnapirunner")

# From one element to the elements that it becomes.
StepFunction = Callable[[Any], Iterable[Any]]


class _Split:
    """Marks where a step's elements are grouped by key: `GROUP` in a list of functions."""


GROUP = _Split()


def require_beam() -> None:
    """Checks that Apache Beam can be imported.

    Raises:
      InputError: It cannot.
    """
    try:
        import apache_beam  # noqa: F401 - only looked for
    except ImportError as error:
        raise errors.InputError(
            f"apache_beam cannot be imported ({error}); wanted it for preprocessing.beam_build; "
            "install code_t5[beam], or run preprocessing.build, which needs none"
        ) from error


def _parsed_options(pipeline_options: str) -> tuple[Any, Any]:
    from apache_beam.options import pipeline_options as beam_options

    try:
        arguments = shlex.split(pipeline_options)
    except ValueError as error:
        raise errors.InputError(
            f"--pipeline_options is {pipeline_options!r} ({error}); wanted options as on a command "
            "line, such as '--runner=DirectRunner --direct_num_workers=2'"
        ) from error
    options = beam_options.PipelineOptions(arguments)
    return options, options.view_as(beam_options.StandardOptions).runner or ""


def _make_direct_runner(options: Any) -> Any:
    """Returns the in-process runner itself.

    The name `DirectRunner` would first try to fetch another runner, a program, from the network.
    """
    from apache_beam.options import pipeline_options as beam_options
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability import portable_runner
    from apache_beam.runners.portability.fn_api_runner import fn_runner

    workers = options.view_as(beam_options.WorkerOptions)
    if not workers.default_sdk_harness_log_level:
        workers.default_sdk_harness_log_level = "WARNING"
    encoded = portable_runner.JobServiceHandle.encode_pipeline_options(options.get_all_options())
    return fn_runner.FnApiRunner(
        provision_info=fn_runner.ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        )
    )


def _import_dask() -> tuple[Any, Any]:
    try:
        import distributed
        from apache_beam.runners.dask import dask_runner
    except ImportError as error:
        raise errors.InputError(
            f"the Dask runner cannot be imported ({error}); wanted dask and distributed; install "
            "code_t5[beam] in the launcher's environment and in the workers'"
        ) from error
    return dask_runner, distributed


def _make_dask_runner(options: Any) -> Any:
    """Returns the Dask runner, told to make one task of each element."""
    dask_runner, _ = _import_dask()
    view = options.view_as(dask_runner.DaskOptions)
    # The default is 128 elements a task, and an element here is a whole work unit.
    if not any(getattr(view, name) for name in _DASK_PARTITIONS):
        view.partition_size = 1
    return dask_runner.DaskRunner()


def _call(element: Any, function: StepFunction) -> Iterator[Any]:
    yield from function(element)


def _show_package_to_children() -> None:
    """Lets processes that are started from here find this package where this process found it."""
    root = str(pathlib.Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if root not in known:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, known)])


class StepRunner:
    """Runs steps, one after the other.

    Attributes:
      pipeline_options: As the user gave them.
    """

    def __init__(self, pipeline_options: str) -> None:
        """Parses the options.

        Args:
          pipeline_options: Of Beam and of the runner, as on a command line.

        Raises:
          InputError: Beam or the runner is not installed, or the options cannot be parsed.
        """
        require_beam()
        self.pipeline_options = pipeline_options
        self._local_cluster: Any = None
        self._make_runner()
        _show_package_to_children()

    def __enter__(self) -> StepRunner:
        """Returns itself."""
        return self

    def __exit__(self, *exception: Any) -> None:
        """Ends the processes that were started for lack of a cluster."""
        if self._local_cluster is not None:
            self._local_cluster.close()
            self._local_cluster = None

    def _fill_in_address(self, options: Any, runner: Any) -> None:
        """Gives Dask's runner a cluster on this machine, started once, if the options name none."""
        if type(runner).__name__.lower() != _DASK_RUNNER:
            return
        dask_runner, distributed = _import_dask()
        view = options.view_as(dask_runner.DaskOptions)
        if view.address or view.scheduler_file:
            return
        if self._local_cluster is None:
            self._local_cluster = distributed.LocalCluster(
                processes=True, threads_per_worker=1, dashboard_address=None
            )
        view.address = self._local_cluster.scheduler_address

    def _make_runner(self) -> tuple[Any, Any]:
        """Returns the options and the runner that they name."""
        from apache_beam.runners import runner as beam_runners

        options, name = _parsed_options(self.pipeline_options)
        kind = name.rpartition(".")[2].lower()
        kind = kind if kind.endswith("runner") else f"{kind}runner"
        if kind in _DIRECT_RUNNERS:
            return options, _make_direct_runner(options)
        if kind == _DASK_RUNNER:
            return options, _make_dask_runner(options)
        try:
            return options, beam_runners.create_runner(name)
        except (ImportError, ValueError, AttributeError) as error:
            raise errors.InputError(
                f"--pipeline_options names the runner {name!r}, which cannot be had ({error}); "
                "wanted one that Beam knows and whose packages are installed; see docs/beam.md"
            ) from error

    def run(
        self, name: str, *, elements: Sequence[int], functions: Sequence[StepFunction | _Split]
    ) -> None:
        """Runs one step and waits for its end.

        Args:
          name: Of the step, for logs and job names.
          elements: What goes in, each once; nothing runs where there is none.
          functions: Each turns an element into any number of elements and can be imported by
            name, arguments bound with `functools.partial`. `GROUP` among them takes pairs
            `(int, value)` and gives `(int, values)`, in no order.

        Raises:
          CodeT5Error: The pipeline failed.
        """
        import apache_beam as beam

        if not elements:
            return
        options, runner = self._make_runner()
        self._fill_in_address(options, runner)
        pipeline = beam.Pipeline(runner=runner, options=options)
        collection = pipeline | f"{name}: list" >> beam.Create(list(elements))
        collection = collection | f"{name}: spread" >> beam.Reshuffle()
        for index, function in enumerate(functions):
            if isinstance(function, _Split):
                collection = collection | f"{name}: group {index}" >> beam.GroupByKey()
                continue
            label = f"{name}: {index} {_function_name(function)}"
            collection = collection | label >> beam.FlatMap(
                functools.partial(_call, function=function)
            )
        _run_pipeline(pipeline, name)


def _function_name(function: Any) -> str:
    return getattr(function, "func", function).__name__


def _run_pipeline(pipeline: Any, name: str) -> None:
    level = logging.getLogger().level
    result = None
    try:
        result = pipeline.run()
        state = result.wait_until_finish()
    except errors.CodeT5Error:
        raise
    except Exception as error:
        # A runner may put a whole traceback into the text; its last line says what happened.
        last = (str(error).strip().splitlines() or [""])[-1].strip()[:500]
        raise errors.CodeT5Error(
            f"the Beam step {name!r} failed with {type(error).__name__}: {last}; wanted it to "
            "finish; mend the cause, then run the same command again: it goes on where it stopped"
        ) from error
    finally:
        # Some runners turn the root logger up, and Dask's leaves its client open.
        logging.getLogger().setLevel(level)
        client = getattr(result, "client", None)
        if client is not None:
            client.close()
    if str(state) not in ("DONE", "None"):
        raise errors.CodeT5Error(
            f"the Beam step {name!r} ended in the state {state}; wanted DONE; look into the "
            "runner's own logs, then run the same command again: it goes on where it stopped"
        )
