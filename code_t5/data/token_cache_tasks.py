"""Tasks over token caches, as gin defines them.

    sst2/token_cache.cache_dir = 'cache/glue-sst2-gpt2'
    MIXTURE_NAME = 'sst2'

registers the Task `sst2`, whose objective gin chooses, and `sst2_<objective>` with the objective
fixed, when the trainer asks for the vocabulary (`code_t5.data.gin_mixtures.mixture_name`). They can
be members of mixtures too. What stands before the slash is the Task's name.
"""

from __future__ import annotations

import functools
from typing import Any

import gin
import seqio

from code_t5 import errors
from code_t5.data import gin_scopes, preprocessors, token_cache_source, tokenizer_vocabulary
from code_t5.data.objective_task import ObjectiveTask, take_over
from code_t5.storage import prepared


@gin.configurable(module="code_t5", denylist=["name"])
def token_cache(name: str, *, cache_dir: Any = None) -> dict[str, Any]:
    """Takes up what gin binds in the scope of a Task's name.

    Args:
      name: Of the Task.
      cache_dir: The token cache.

    Returns:
      The arguments.
    """
    return {"name": name, "cache_dir": cache_dir}


class TokenCacheTask(ObjectiveTask):
    """A Task over a token cache.

    Attributes:
      cache_path: The token cache.
    """

    def __init__(self, name: str, *, cache_path: str, objective: str | None) -> None:
        """Puts the parts of a Task together; opens at most the cache's manifest.

        Args:
          name: Of the Task.
          cache_path: The token cache.
          objective: One of `preprocessors.PREPROCESSORS`; None to let gin choose.
        """
        vocabulary = tokenizer_vocabulary.open_cache_vocabulary(cache_path)
        source = token_cache_source.TokenCacheDataSource(
            cache_path, find_shift=functools.partial(getattr, vocabulary, "shift", 0)
        )
        super().__init__(name, source=source, vocabulary=vocabulary, objective=objective)
        self.cache_path = cache_path


def _bound_cache_dir(name: str) -> str:
    # Called through gin and in the name's own scope: so the operative configuration holds it.
    with gin.config_scope(name.split("/")):
        cache_dir = token_cache(name)["cache_dir"]
    if not isinstance(cache_dir, str) or not cache_dir:
        raise errors.InputError(
            f"the Task {name} has the token cache {cache_dir!r}; wanted the directory of one; mend "
            f"{name}/token_cache.cache_dir in the gin file or --gin_param"
        )
    return cache_dir


def _is_free(name: str) -> bool:
    def is_ours(task: seqio.Task) -> bool:
        return isinstance(task, TokenCacheTask)

    return take_over(name, is_stale=is_ours) and name not in seqio.MixtureRegistry.names()


def register_token_cache_tasks() -> list[str]:
    """Registers the Tasks that gin defines over token caches; those that are there, anew.

    Call it after gin is parsed. Of the caches the manifests are read at most: one that cannot be
    read says so when its Task is asked for.

    Returns:
      Names of the Tasks.

    Raises:
      InputError: A definition is not what it should be, or its name is one of something else.
    """
    registered = []
    for bound_name in gin_scopes.bound_names("token_cache", "cache_dir"):
        cache_path = _bound_cache_dir(bound_name)
        for objective in (None, *preprocessors.PREPROCESSORS):
            name = prepared.task_name(bound_name, objective)
            if not _is_free(name):
                raise errors.InputError(
                    f"gin defines the Task {bound_name} over a token cache, but there is a Task or "
                    f"Mixture {name} already; wanted another name; mend "
                    f"{bound_name}/token_cache.cache_dir in the gin file or --gin_param"
                )
            task = TokenCacheTask(name, cache_path=cache_path, objective=objective)
            seqio.TaskRegistry.add_provider(name, task)
            registered.append(name)
    return registered
