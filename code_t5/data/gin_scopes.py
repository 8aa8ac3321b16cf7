"""Names that gin files bind something to, as `my_task/token_cache.cache_dir = ...` does."""

from __future__ import annotations

import re

import gin

from code_t5 import errors


def bound_names(configurable: str, argument: str) -> list[str]:
    """Returns the scopes in which gin binds an argument of one of our configurables, sorted.

    Args:
      configurable: Its name, without the module `code_t5`.
      argument: Of it.

    Raises:
      InputError: gin binds it without a scope.
    """
    bound = re.compile(
        rf"^(?:([\w./]+)/)?(?:code_t5\.)?{configurable}\.{argument} = ", re.MULTILINE
    )
    names = set(bound.findall(gin.config_str()))
    if "" in names:
        raise errors.InputError(
            f"gin binds {configurable}.{argument} without a name before it; wanted the name of the "
            f"Task, as in my_task/{configurable}.{argument}; mend it in the gin file or --gin_param"
        )
    return sorted(names)
