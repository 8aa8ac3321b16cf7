"""What a build is about, and what is there already.

The *plan* of a build is the hash of everything that decides on the cache's content.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from code_t5 import errors
from code_t5.storage import fingerprints, manifest
from code_t5.token_cache import layout, reader
from code_t5.token_cache.building import cache_place
from code_t5.token_cache.sources.documents import DocumentSource
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

_MAX_PARTS_SHOWN = 6


def fingerprint_parts(
    source: DocumentSource, *, tokenizer: StoredTokenizer, use_eos_token: bool
) -> dict[str, Any]:
    """Returns everything that decides on the content of a cache, as JSON gives it back.

    Args:
      source: Of the documents.
      tokenizer: What they are encoded with.
      use_eos_token: Whether each document ends with the end of text.
    """
    parts = {
        "format_version": layout.FORMAT_VERSION,
        "tokenizer": tokenizer.identity,
        "data": source.fingerprint_parts,
        "options": {"use_eos_token": use_eos_token},
    }
    return dict(json.loads(json.dumps(parts)))


def differing_parts(found: Any, *, wanted: Mapping[str, Any]) -> list[str]:
    """Says in words how the fingerprint of a cache differs from the one wanted.

    Args:
      found: `fingerprint_parts` of the cache.
      wanted: Those of what was asked for.

    Returns:
      One entry for each part that differs, by its dotted name.

    >>> differing_parts({"data": {"revision": "a"}}, wanted={"data": {"revision": "b"}})
    ["data.revision is 'a', wanted 'b'"]
    """
    return list(_differences(found, wanted, ""))


_ABSENT = object()


def _differences(found: Any, wanted: Any, name: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in dict.fromkeys([*wanted, *found]):
            inner = f"{name}.{key}" if name else str(key)
            yield from _differences(found.get(key, _ABSENT), wanted.get(key, _ABSENT), inner)
    elif found != wanted:
        yield f"{name} is {_shown(found)}, wanted {_shown(wanted)}"


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else cache_place.shown(value)


def other_cache(cache_dir: pathlib.Path, differing: Sequence[str]) -> errors.ArtifactError:
    """Returns what to tell the user whose cache_dir holds another cache.

    Args:
      cache_dir: Where it is.
      differing: What `differing_parts` found.

    >>> str(other_cache(pathlib.Path("c"), ["seed is 1, wanted 2"])).partition(";")[0]
    'c is there and is not the cache that was asked for: its seed is 1, wanted 2'
    """
    shown = list(differing[:_MAX_PARTS_SHOWN])
    if len(differing) > len(shown):
        shown.append(f"and {len(differing) - len(shown)} more")
    return errors.ArtifactError(
        f"{cache_dir} is there and is not the cache that was asked for: its "
        f"{'; '.join(shown)}; nothing was written; add overwrite=True (--overwrite) to replace "
        "it, or give another cache_dir"
    )


def open_present(
    cache_dir: pathlib.Path, *, parts: Mapping[str, Any]
) -> reader.TokenCacheReader | None:
    """Opens the cache that was asked for if it is there.

    Args:
      cache_dir: Where it would be.
      parts: What `fingerprint_parts` says of it.

    Returns:
      The cache, the size of each file checked; None if nothing is there.

    Raises:
      InputError: A file is in the way.
      ArtifactError: Another cache is there, or something else.
    """
    if not cache_dir.exists() or (cache_dir.is_dir() and not any(cache_dir.iterdir())):
        return None
    if not cache_dir.is_dir():
        raise cache_place.no_directory(cache_dir)
    if not (cache_dir / manifest.MANIFEST_NAME).exists():
        raise errors.ArtifactError(
            f"{cache_dir} is there and has no {manifest.MANIFEST_NAME}, so it is no token cache; "
            "nothing was written; give another cache_dir"
        )
    try:
        found = reader.TokenCacheReader(cache_dir)
        _check_tokenizer_is_there(found)
        differing = differing_parts(found.fingerprint_parts, wanted=parts)
        if not differing:
            for split in found.splits:
                found.split(split)
    except errors.ArtifactError as error:
        if not cache_place.is_replaceable(cache_dir):
            raise
        raise errors.ArtifactError(f"{error}; or add overwrite=True (--overwrite)") from error
    if differing:
        raise other_cache(cache_dir, differing)
    return found


def _check_tokenizer_is_there(found: reader.TokenCacheReader) -> None:
    folder = found.cache_dir / layout.TOKENIZER_NAME
    if not folder.is_dir():
        raise errors.ArtifactError(
            f"{found.cache_dir} has no folder {layout.TOKENIZER_NAME}; wanted the tokenizer that "
            "it was encoded with; remove the cache and build it again"
        )


def plan_hash(parts: Mapping[str, Any], *, encoder: str | None) -> str:
    """Returns the hash that says whether an interrupted build was of the same plan.

    Args:
      parts: What `fingerprint_parts` gave.
      encoder: The one that was asked for by name, if any.
    """
    return fingerprints.hash_json(["work of token caches 1", dict(parts), encoder])
