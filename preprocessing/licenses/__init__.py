"""Licences of source files: what a file or its repository says, and whether that is permissive.

A licence is an *SPDX expression*: identifiers of the SPDX licence list joined by `AND`, `OR` and
`WITH`; '' stands for *unknown*. It is *permissive* if it asks for little more than that notices be
kept (`expressions.PERMISSIVE`). A *policy* says which licences a data set may hold.
"""

from __future__ import annotations

import dataclasses
import pathlib

from preprocessing.licenses import expressions, headers, license_files

SPDX_TAG = "spdx_tag"
HEADER = "header"
LICENSE_FILE = "license_file"

ANY = "any"
PERMISSIVE = "permissive"
PERMISSIVE_OR_UNKNOWN = "permissive_or_unknown"
POLICIES = (ANY, PERMISSIVE, PERMISSIVE_OR_UNKNOWN)

is_permissive = expressions.is_permissive
permissive_rank = expressions.permissive_rank
is_license_name = license_files.is_license_name


@dataclasses.dataclass(frozen=True)
class License:
    """A licence and where it was found.

    Attributes:
      expression: SPDX expression; '' if unknown.
      source: `spdx_tag`, `header` or `license_file`; '' if unknown.
    """

    expression: str = ""
    source: str = ""


UNKNOWN = License()


def find_file_license(content: bytes) -> License:
    """Finds what a source file says of its own licence, in its first 4 KB.

    A tag wins over a header. Several tags, or several licences in the header, all hold (`AND`),
    unless the header offers a choice.

    Args:
      content: The file, UTF-8.

    Returns:
      The licence, or `UNKNOWN`.
    """
    expression = headers.find_tags(content)
    if expression:
        return License(expression, SPDX_TAG)
    expression = headers.find_header(content)
    return License(expression, HEADER) if expression else UNKNOWN


def find_repository_license(folder: pathlib.Path) -> License:
    """Finds a repository's licence by the licence files in a folder.

    A process reads the same unchanged files once, so that asking again for each language is cheap.

    Args:
      folder: `v3/repositories/<org>/<repository>/<branch>`; may be missing, may be hostile.

    Returns:
      The licence, or `UNKNOWN`.
    """
    expression = license_files.find_license(folder)
    return License(expression, LICENSE_FILE) if expression else UNKNOWN


def choose(own: License, repository: License) -> License:
    """Returns the licence that holds for a file: its own finding, else its repository's.

    Args:
      own: What the file says.
      repository: What its repository says.
    """
    return own if own.expression else repository


def is_allowed(expression: str, policy: str) -> bool:
    """Says whether a policy lets a licence in.

    Args:
      expression: SPDX expression; '' if unknown.
      policy: One of `POLICIES`.

    Returns:
      Whether the file may stay.

    Raises:
      ValueError: There is no such policy.

    >>> is_allowed("GPL-3.0-only OR MIT", "permissive"), is_allowed("", "permissive")
    (True, False)
    """
    if policy == ANY:
        return True
    if policy == PERMISSIVE:
        return permissive_rank(expression) == expressions.PERMISSIVE_RANK
    if policy == PERMISSIVE_OR_UNKNOWN:
        return permissive_rank(expression) != expressions.OTHER_RANK
    raise ValueError(f"found the licence policy {policy!r}; wanted one of {', '.join(POLICIES)}")
