"""Reads all of a token cache and checks it: checksums, ids, documents, tokenizer."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Union

import numpy as np

from code_t5 import errors, progress
from code_t5.storage import manifest
from code_t5.token_cache import layout, reader
from code_t5.token_cache.token_split import TokenSplit
from code_t5.token_cache.tokenizing import tokenizer_files
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

PathLike = Union[str, "os.PathLike[str]"]

_CHUNK_TOKENS = 1 << 22
_CHUNK_DOCUMENTS = 1 << 18
_SAMPLE_TOKENS = 60
_MEND = "remove the cache and run the command that builds it again"


class DecodedSample(NamedTuple):
    """The beginning of one document, as the cache's tokenizer reads it.

    Attributes:
      split: That it is in.
      number: Of the document, counted from 0.
      name: Repository and path.
      text: Decoded.
    """

    split: str
    number: int
    name: tuple[str, str]
    text: str


def verify_cache(cache_dir: PathLike) -> list[DecodedSample]:
    """Checks that a cache holds what was written, and that this can be what was meant.

    Args:
      cache_dir: The cache.

    Returns:
      Some text of each split, to look at; empty for a cache without a tokenizer.

    Raises:
      NotBuiltError: There is no cache.
      ArtifactError: It is half-written or damaged.
    """
    cache = reader.TokenCacheReader(cache_dir)
    cache.verify()
    tokenizer = None
    if cache.tokenizer is not None:
        folder = cache.cache_dir / layout.TOKENIZER_NAME
        tokenizer = tokenizer_files.open_stored(folder, cache.tokenizer)
    samples = []
    total = sum(split["num_tokens"] for split in cache.splits.values())
    bar = progress.progress_bar(
        description="checking ids", unit="token", total=total, unit_scale=True
    )
    with bar:
        for name in cache.splits:
            split = cache.split(name)
            largest_id = -1
            for start in range(0, split.num_tokens, _CHUNK_TOKENS):
                chunk = split.tokens[start : start + _CHUNK_TOKENS]
                largest_id = max(largest_id, int(chunk.max()))
                split.give_back()
                bar.update(len(chunk))
            _check_largest(cache, split=name, found=largest_id, tokenizer=tokenizer)
            _check_documents(cache, name=name, split=split)
            if tokenizer is not None:
                samples += _decode(name, split, tokenizer)
    _check_manifest(cache)
    return samples


def _damaged(cache: reader.TokenCacheReader, found: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"{cache.cache_dir} {found}; wanted what the writer of the cache wrote; {_MEND}"
    )


def _check_largest(
    cache: reader.TokenCacheReader, *, split: str, found: int, tokenizer: StoredTokenizer | None
) -> None:
    fields: dict[str, Any] = cache.splits[split]
    wanted = fields.get("largest_id", found)
    if found != wanted:
        raise _damaged(cache, f"has {found} for the largest id of {split}, not {wanted}")
    if tokenizer is not None and found >= tokenizer.vocab_size:
        raise _damaged(
            cache, f"has the id {found} in {split}, and {tokenizer.vocab_size} tokens to read it"
        )


def _check_manifest(cache: reader.TokenCacheReader) -> None:
    """Looks whether the manifest is the one that was written, and agrees with itself.

    The first is what newer caches can say; the second is a little of it, for the older.
    """
    parts, tokenizer = cache.fingerprint_parts, cache.tokenizer or {}
    options = parts.get("options")
    if tokenizer and "tokenizer" in parts and tokenizer.get("identity") != parts["tokenizer"]:
        raise _damaged(cache, "has a tokenizer that is not the one of its fingerprint")
    if tokenizer and isinstance(options, dict) and "use_eos_token" in options:
        wanted = tokenizer.get("eos_id") if options["use_eos_token"] else None
        if cache.end_of_text_id != wanted:
            found = cache.end_of_text_id
            raise _damaged(cache, f"has {found} for its end of text where its options say {wanted}")
    manifest.check_manifest(cache.cache_dir)


def _check_documents(cache: reader.TokenCacheReader, *, name: str, split: TokenSplit) -> None:
    """Looks whether documents end with the end of text and have the size that the manifest says."""
    num_bytes = 0
    for start in range(0, split.num_documents, _CHUNK_DOCUMENTS):
        num_bytes += int(split.sizes[start : start + _CHUNK_DOCUMENTS].sum())
        if cache.end_of_text_id is not None:
            _check_ends(cache, name=name, split=split, start=start)
        split.give_back()
    wanted = cache.splits[name]["num_bytes"]
    if num_bytes != wanted:
        raise _damaged(cache, f"has documents of {num_bytes} bytes in {name}, not {wanted}")


def _check_ends(
    cache: reader.TokenCacheReader, *, name: str, split: TokenSplit, start: int
) -> None:
    offsets = split.offsets[start : start + _CHUNK_DOCUMENTS + 1]
    is_ended = offsets[1:] > offsets[:-1]
    last = split.read_rows(offsets[1:][is_ended] - 1, width=1)[:, 0]
    is_ended[is_ended] = last == cache.end_of_text_id
    if not is_ended.all():
        index = start + int(np.argmin(is_ended))
        raise _damaged(cache, f"has a document without its end: {index} of {name}")


def _decode(name: str, split: TokenSplit, tokenizer: StoredTokenizer) -> list[DecodedSample]:
    """Returns the beginning of the document in the middle."""
    if not split.num_documents:
        return []
    index = split.num_documents // 2
    start, stop = int(split.offsets[index]), int(split.offsets[index + 1])
    text = tokenizer.decode(split.tokens[start : min(stop, start + _SAMPLE_TOKENS)].tolist())
    return [DecodedSample(name, index, split.names(index), text)]


def describe(sample: DecodedSample) -> str:
    """Returns a line that shows a sample, whatever is in it.

    Args:
      sample: The sample.
    """
    repository, path = sample.name
    where = f"{repository} {path}".strip()
    return f"{sample.split} document {sample.number:,} ({where!a}): {sample.text!a}"
