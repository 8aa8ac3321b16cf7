"""From what a user asks for to the cache: the one that is there, or a new one.

Documents and tokenizer together decide whether the cache that is there is the one that is asked
for. Where the Hub cannot be asked, the arguments are compared in their place, and a warning says
so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Union

import numpy as np
from absl import logging

from code_t5 import errors
from code_t5.storage import manifest
from code_t5.token_cache import reader, tokenizer_choice
from code_t5.token_cache.building import build, build_plan
from code_t5.token_cache.building.build_config import BuildConfig
from code_t5.token_cache.sources import (
    disk_source,
    document_source,
    flcc_source,
    hub_source,
    row_options,
)
from code_t5.token_cache.sources.documents import DocumentSource, NamedSource
from code_t5.token_cache.sources.hub_source import HubRequest, HubUnreachableError
from code_t5.token_cache.tokenizer_choice import TokenizerChoice
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

PathLike = Union[str, "os.PathLike[str]"]

# What a source records beside what it was asked for.
_RESOLVED = ("revision", "data_files_sha256")


@dataclasses.dataclass(frozen=True)
class BuildRequest:
    """What a user asks for; `read_request` makes one of arguments.

    Attributes:
      choice: Which tokenizer encodes.
      config: Where the cache is, and how to build it.
      open_source: Opens the documents, as a context manager.
      asked: What `config.json` must say if the Hub cannot be asked; None if it is not needed.
      open_fetched: Opens what was fetched from the Hub before.
    """

    choice: TokenizerChoice
    config: BuildConfig
    open_source: Callable[[], contextlib.AbstractContextManager[DocumentSource]]
    asked: Mapping[str, Any] | None = None
    open_fetched: Callable[[], DocumentSource] | None = None

    @property
    def has_cache(self) -> bool:
        """Whether there is a cache to be read if the Hub cannot be asked."""
        return not self.config.overwrite and manifest.is_complete(self.config.path)

    @contextlib.contextmanager
    def opened(
        self, *, prefers_cache: bool = False
    ) -> Iterator[tuple[DocumentSource, StoredTokenizer]]:
        """Yields the documents and the tokenizer for the length of the block.

        Args:
          prefers_cache: Whether to look at nothing that was fetched before if there is a cache.

        Yields:
          Both; nothing of the documents is read before it is asked for.

        Raises:
          HubUnreachableError: The Hub cannot be asked, and there is a cache, or nothing at all.
          CodeT5Error: One of them is not there, or not what it should be.
        """
        self.choice.check()
        is_reachable = True
        try:
            documents = self.open_source()
        except HubUnreachableError as error:
            if self.open_fetched is None or (prefers_cache and self.has_cache):
                raise
            try:
                fetched = self.open_fetched()
            except HubUnreachableError as nothing:
                # What the Hub itself answered says more than that nothing was fetched.
                raise error from nothing
            revision = fetched.config["revision"]
            logging.warning("%s; revision %s is read, fetched before", _found(error), revision)
            documents, is_reachable = contextlib.nullcontext(fetched), False
        with documents as source:
            with tokenizer_choice.stored_tokenizer(
                self.choice, local_files_only=not is_reachable
            ) as tokenizer:
                yield NamedSource(source, config=self.choice.config), tokenizer


def read_request(method: str, arguments: Mapping[str, Any]) -> BuildRequest:
    """Returns what a call of the provider asks for.

    Args:
      method: `from_hub`, `from_disk`, `from_flcc` or `from_documents`.
      arguments: Its arguments by name; those that are not there have their defaults.

    Returns:
      What was asked for, checked as far as that goes without the data set.

    Raises:
      InputError: An argument does not do, or there is no such prepared data set.
    """
    config = _read_config(arguments)
    choice = TokenizerChoice(arguments.get("tokenizer"), arguments.get("tokenizer_name"))
    if method == "from_flcc":
        source = flcc_source.open_flcc_source(arguments["data_dir"], arguments["name"])
        choice = tokenizer_choice.choose_flcc_tokenizer(
            source.dataset, choice=choice, vocabulary=arguments.get("vocabulary")
        )
        return BuildRequest(choice, config, lambda: contextlib.nullcontext(source))
    options = row_options.read_options(
        mapping_column_name=arguments.get("mapping_column_name"),
        split=arguments.get("split"),
        validation_split=arguments.get("validation_split"),
        seed=arguments.get("seed", row_options.DEFAULT_SEED),
    )
    if method == "from_documents":
        open_documents = functools.partial(
            document_source.open_documents,
            arguments["documents"],
            cache_dir=config.path,
            validation_split=options.validation_split,
            seed=options.seed,
        )
        return BuildRequest(choice, config, open_documents)
    if method == "from_disk":
        open_disk = functools.partial(
            disk_source.open_disk_source, arguments["dataset_dir"], options=options
        )
        return BuildRequest(choice, config, lambda: contextlib.nullcontext(open_disk()))
    hub = HubRequest(
        dataset_name=arguments["dataset_name"],
        dataset_config_name=arguments.get("dataset_config_name"),
        data_dir=arguments.get("data_dir"),
        data_files=arguments.get("data_files"),
        revision=arguments.get("revision"),
    )
    open_hub = functools.partial(hub_source.open_hub_source, hub, options=options)
    return BuildRequest(
        choice,
        config,
        lambda: contextlib.nullcontext(open_hub()),
        asked={**hub.config, **options.config, "requested_revision": hub.revision},
        open_fetched=functools.partial(open_hub, is_reachable=False),
    )


def _read_config(arguments: Mapping[str, Any]) -> BuildConfig:
    return BuildConfig(
        cache_dir=arguments["cache_dir"],
        use_eos_token=read_yes_or_no(arguments.get("use_eos_token", True), name="use_eos_token"),
        num_workers=row_options.read_number(
            arguments.get("num_workers", 0), name="num_workers", at_least=0
        ),
        overwrite=read_yes_or_no(arguments.get("overwrite", False), name="overwrite"),
        encoder=arguments.get("encoder"),
    )


def read_yes_or_no(value: Any, *, name: str) -> bool:
    """Returns a bool as Python's own.

    Args:
      value: What the caller gave.
      name: Of the argument.

    Raises:
      InputError: It is no bool.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise errors.InputError(f"{name} is {value!r}; wanted True or False; give one of these")


def _found(error: errors.CodeT5Error) -> str:
    """Returns what an error found, without what it wanted."""
    return str(error).partition("; wanted")[0]


def open_or_build(request: BuildRequest) -> reader.TokenCacheReader:
    """Opens the cache that is asked for if it is there, else builds it.

    Args:
      request: What is asked for; nothing of the documents is read if the cache is there.

    Returns:
      The cache.

    Raises:
      InputError: The documents or the tokenizer cannot be loaded.
      HubUnreachableError: The Hub cannot be asked, and neither cache nor data set is there.
      ArtifactError: Another cache is there.
      CodeT5Error: It cannot be built.
    """
    try:
        with request.opened(prefers_cache=True) as (source, tokenizer):
            return _open_or_build(request.config, source=source, tokenizer=tokenizer)
    except HubUnreachableError as error:
        if not request.has_cache:
            raise
        present = _open_unchecked(request)
        logging.warning(
            "%s; the cache %s was made with the same arguments and is read as it is: whether the "
            "data set has changed since revision %s was not checked",
            _found(error), request.config.path, present.config.get("revision"),
        )  # fmt: skip
        return present


def _open_or_build(
    config: BuildConfig, *, source: DocumentSource, tokenizer: StoredTokenizer
) -> reader.TokenCacheReader:
    if config.use_eos_token:
        tokenizer.require_eos_id()
    if not config.overwrite:
        parts = build_plan.fingerprint_parts(
            source, tokenizer=tokenizer, use_eos_token=config.use_eos_token
        )
        present = build_plan.open_present(config.path, parts=parts)
        if present is not None:
            return present
    # Whatever the source loads, it loads before.
    list(source.splits)
    return build.build_cache(source, tokenizer=tokenizer, config=config)


def _open_unchecked(request: BuildRequest) -> reader.TokenCacheReader:
    """Opens the cache that is there if it was made with the same arguments."""
    config, choice = request.config, request.choice
    present = reader.TokenCacheReader(config.path)
    asked = {**(request.asked or {}), **choice.config, "use_eos_token": config.use_eos_token}
    asked.pop("revision", None)
    found = {name: value for name, value in present.config.items() if name not in _RESOLVED}
    if asked.get("validation_split") is None:
        # The seed decided on nothing.
        found["seed"] = asked.get("seed")
    differing = build_plan.differing_parts(found, wanted=asked)
    differing += _differing_tokenizer(present, choice)
    if differing:
        raise build_plan.other_cache(config.path, differing)
    for split in present.splits:
        present.split(split)
    return present


def _differing_tokenizer(present: reader.TokenCacheReader, choice: TokenizerChoice) -> list[str]:
    """Compares the tokenizer itself, if that can be had without the Hub."""
    try:
        with tokenizer_choice.stored_tokenizer(choice, local_files_only=True) as tokenizer:
            wanted: Mapping[str, Any] = tokenizer.identity
    except errors.InputError:
        if choice.tokenizer_name is None:
            raise
        return []
    found = present.fingerprint_parts.get("tokenizer")
    return build_plan.differing_parts({"tokenizer": found}, wanted={"tokenizer": wanted})
