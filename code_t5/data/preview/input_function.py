"""The function that the trainer takes its rows from, as gin binds it.

gin says in `utils.run.train_dataset_fn`: t5's `mesh_train_dataset_fn`, or with `runs/resumable.gin`
our `token_train_dataset_fn`, which reads task caches alone.
"""

from __future__ import annotations

import dataclasses
import inspect
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from code_t5 import errors
from code_t5.data.preview import trainer_setup
from code_t5.data.preview.preview_config import PreviewConfig

DEFAULT_NAME = "mesh_train_dataset_fn"
_TOKEN_NAME = "token_train_dataset_fn"
_BINDING = "mesh_tensorflow.transformer.utils.run.train_dataset_fn"


@dataclasses.dataclass(frozen=True)
class InputFunction:
    """A function that gives the trainer its rows.

    Attributes:
      name: By which gin knows it.
      call: The function.
      parameters: Names of its parameters.
    """

    name: str
    call: Callable[..., Any]
    parameters: frozenset[str]

    def reads_cache(self, asked: bool | None) -> bool:
        """Says whether rows come from the task cache.

        Args:
          asked: What the command line says of it; None for nothing.

        Returns:
          Whether.

        Raises:
          InputError: The command line asks for what the function does not do.
        """
        if "use_cached" in self.parameters:
            bound = bool(trainer_setup.queried(f"{self.name}.use_cached"))
            return bound if asked is None else asked
        found = self.name == _TOKEN_NAME
        if asked not in (None, found):
            raise errors.InputError(
                f"--{'' if asked else 'no'}use_cached is asked for, and rows come from "
                f"{self.name}, which {'reads task caches alone' if found else 'has no such choice'}"
                "; wanted what the run does; leave the flag out, or leave out the gin file that "
                "sets utils.run.train_dataset_fn"
            )
        return found

    def dataset(
        self, mixture_or_task: str, *, config: PreviewConfig, sequence_length: Mapping[str, int]
    ) -> Any:
        """Calls the function.

        Args:
          mixture_or_task: Name of the Task or Mixture.
          config: Split, seed, packing and cache; what it leaves open is as gin binds it.
          sequence_length: Most tokens by feature.

        Returns:
          The `tf.data.Dataset` of rows.

        Raises:
          InputError: The function does not take what is asked for.
        """
        seed = secrets.randbits(31) if config.seed is None else config.seed
        wanted = {
            "mixture_or_task_name": mixture_or_task,
            "seed": seed,
            "pack": config.pack,
            # Whether it reads the cache at all was asked before.
            "use_cached": config.use_cached if "use_cached" in self.parameters else None,
        }
        chosen = {key: value for key, value in wanted.items() if value is not None}
        strange = sorted(set(chosen) - self.parameters)
        if strange:
            raise errors.InputError(
                f"utils.run.train_dataset_fn is {self.name}, which has no {strange[0]}; wanted a "
                "function that can be told what to read, as mesh_train_dataset_fn can; leave out "
                "the gin file or the flag that asks for it"
            )
        return self.call(
            sequence_length=dict(sequence_length), dataset_split=config.split, **chosen
        )


def find_input_function() -> InputFunction:
    """Returns the function that gin binds; t5's own where it binds none."""
    from t5.models import mesh_transformer

    bound = trainer_setup.queried(_BINDING)
    call = bound if callable(bound) else mesh_transformer.mesh_train_dataset_fn
    name = getattr(call, "__name__", DEFAULT_NAME)
    # gin wraps what it configures; a signature is that of what is wrapped.
    return InputFunction(name, call, frozenset(inspect.signature(call).parameters))
