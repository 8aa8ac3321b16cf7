"""Which file names are source files, and of which language.

The FLCC layout keeps the files of one language and extension under `<Language>/.<ext>`. A language
is added by a line in the table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

PYTHON_ONLY: Mapping[str, str] = {".py": "Python"}

ALL_LANGUAGES: Mapping[str, str] = {
    **PYTHON_ONLY,
    ".c": "C",
    ".cc": "C++",
    ".cpp": "C++",
    ".cs": "C#",
    ".go": "Go",
    ".h": "C",
    ".hpp": "C++",
    ".java": "Java",
    ".js": "JavaScript",
    ".jsx": "JavaScript",
    ".kt": "Kotlin",
    ".kts": "Kotlin",
    ".mjs": "JavaScript",
    ".php": "PHP",
    ".rb": "Ruby",
    ".rs": "Rust",
    ".scala": "Scala",
    ".swift": "Swift",
    ".ts": "TypeScript",
    ".tsx": "TypeScript",
}


def language_of(name: str, *, table: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns the language and the extension of a file name.

    Args:
      name: The file's name, without folders.
      table: Extension in lower case, with its dot, to language.

    Returns:
      `(language, extension)` as the layout's folders are called, or None for any other file.

    >>> language_of("Main.JAVA", table=ALL_LANGUAGES)
    ('Java', '.java')
    """
    extension = os.path.splitext(name)[1].lower()
    language = table.get(extension)
    return None if language is None else (language, extension)
