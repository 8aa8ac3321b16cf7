r"""Content normalisation: what makes two copies of a source file the same text.

A byte-order mark at the start goes, and `\r\n` and lone `\r` become `\n`, as Python's own text
mode reads them. Nothing else changes: not tabs, not trailing spaces, not Unicode forms.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


def normalize(content: bytes) -> bytes:
    r"""Returns the normalised content of a source file.

    Args:
      content: Valid UTF-8.

    Returns:
      UTF-8 without a byte-order mark at its start and without carriage returns.

    >>> normalize(b"\xef\xbb\xbfa\r\nb\rc\n")
    b'a\nb\nc\n'
    """
    if content.startswith(_BOM):
        content = content[len(_BOM) :]
    # The test is many times cheaper than a replacement that finds nothing to replace.
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content
