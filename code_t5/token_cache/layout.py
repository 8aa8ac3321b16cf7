"""What lies in a token cache, by name.

    <cache>/<split>.npy                uint16 or uint32 [num_tokens]: the ids of all documents
            <split>.offsets.npy        int64 [num_documents + 1]: where each document begins
            <split>.sizes.npy          int64 [num_documents]: UTF-8 bytes of each document's text
            <split>.names.npy          uint8: the UTF-8 of "repository, line end, path" of each
            <split>.names_offsets.npy  int64 [num_documents + 1]: where each name begins
            config.json                what was asked for, for people to read
            tokenizer/                 the tokenizer's own files
            manifest.json  COMPLETED

Each `.npy` file is plain NumPy: `np.load(path, mmap_mode="r")` opens it. A *document* is the tokens
of one source file, or of one row of a data set, which has no repository and its number for a path.
Ids are uint16 unless one of them is above 65,535. The manifest says `dtype`, for each split
`num_documents`, `num_tokens` and `num_bytes` (of text), the SHA-256 of each file but the
tokenizer's, and the *fingerprint*: the hash of `fingerprint_parts`, which is whatever decided on
the content.

What follows is not in every cache; those beside a task cache have none of it. `config.json` and
`tokenizer/` lie in the cache. The manifest says `end_of_text_id`: if it is a number, each document
ends with it, and the offsets count it; for each split `largest_id`; `tokenizer`: what
`tokenizer_files.StoredTokenizer` says of it, the SHA-256 of its `files` among that; `encoder`: what
turned text into ids. All encoders of a tokenizer give the same, so the fingerprint leaves it out.
"""

from __future__ import annotations

import re

import numpy as np

from code_t5 import errors

FORMAT_NAME = "code_t5_token_cache"
FORMAT_VERSION = 1
# The arrays of a split: what follows its name, and the dtype, which the manifest gives for tokens.
TOKENS, OFFSETS, SIZES, NAMES, NAMES_OFFSETS = "", ".offsets", ".sizes", ".names", ".names_offsets"
ARRAYS = {
    TOKENS: None,
    OFFSETS: np.dtype("<i8"),
    SIZES: np.dtype("<i8"),
    NAMES: np.dtype("u1"),
    NAMES_OFFSETS: np.dtype("<i8"),
}
SMALL_DTYPE: np.dtype = np.dtype("<u2")
LARGE_DTYPE: np.dtype = np.dtype("<u4")
# Between repository and path.
NAME_SEPARATOR = "\n"
CONFIG_NAME = "config.json"
TOKENIZER_NAME = "tokenizer"
_SPLIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def is_split_name(name: str) -> bool:
    """Says whether a split of this name can be in a cache."""
    return _SPLIT_NAME.fullmatch(name) is not None


def array_name(split: str, array: str) -> str:
    """Returns the file name of one array of a split.

    Args:
      split: Name of the split.
      array: One of the keys of `ARRAYS`.

    Raises:
      InputError: The split's name cannot be part of a file's name.

    >>> array_name("train", OFFSETS)
    'train.offsets.npy'
    """
    if not is_split_name(split):
        raise errors.InputError(
            f"the split is named {split!r}; wanted letters, digits, - and _; rename it"
        )
    return f"{split}{array}.npy"
