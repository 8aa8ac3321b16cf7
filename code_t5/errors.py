"""The errors that callers of code_t5 catch.

Every message is one line: what was found, what was wanted, what to do.
"""

from __future__ import annotations


class CodeT5Error(Exception):
    """Anything that code_t5 refuses to do; the parent of all its errors."""


class InputError(CodeT5Error):
    """What the user handed in is missing, unreadable or not what it should be."""


class ArtifactError(CodeT5Error):
    """An artefact on disk is half-written, damaged, of another version or of another kind."""


class VocabularyMismatchError(ArtifactError):
    """Token ids of one vocabulary would be read with another."""


class NotBuiltError(CodeT5Error):
    """Something was asked for by name that no one has built yet."""


class BusyError(CodeT5Error):
    """Another process is writing to the same place."""
