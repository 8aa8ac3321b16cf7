r"""Headers: a line with repository and path, as tokens in front of an example's inputs.

The line is `# repository: path` and a line end, whatever the language. Of a header that is longer
than `MAX_HEADER_TOKENS` the last tokens stay: the end of a path says most. As no token crosses a
line end, the tokens after it are those of the file as it stands.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from code_t5.encoding import ragged
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.token_model import TokenModel

MAX_HEADER_TOKENS = 64
# Headers are remembered, some 10 MB, before remembering starts afresh.
_MAX_REMEMBERED = 1 << 14


def header_text(repository: str, path: str) -> str:
    r"""Returns the header of a file.

    Args:
      repository: As the data set gives it.
      path: Of the file in it.

    >>> header_text("octocat/hello", "src/main.py")
    '# octocat/hello: src/main.py\n'
    """
    return " ".join(f"# {repository}: {path}".splitlines()) + "\n"


def join_rows(first: Ragged, second: Ragged) -> Ragged:
    """Joins each row with the row of the same number.

    Args:
      first: int32.
      second: int32, as many rows.

    Returns:
      int32, as many rows.

    >>> rows = Ragged.from_rows([[1, 2], [3]])
    >>> join_rows(rows, rows).values.tolist()
    [1, 2, 1, 2, 3, 3]
    """
    offsets = first.offsets + second.offsets
    values = np.empty(offsets[-1], dtype=np.int32)
    middles = offsets[:-1] + first.lengths
    values[ragged.positions_in_ranges(offsets[:-1], first.lengths)] = first.values
    values[ragged.positions_in_ranges(middles, second.lengths)] = second.values
    return Ragged(values, offsets)


class Headers:
    """Gives the tokens of headers, and remembers them."""

    def __init__(self, model: TokenModel) -> None:
        """Starts with none.

        Args:
          model: The vocabulary's.
        """
        self._model = model
        self._remembered: dict[str, np.ndarray] = {}

    def _tokens(self, text: str) -> np.ndarray:
        found = self._remembered.get(text)
        if found is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered = {}
            found = np.array(self._model.encode(text)[-MAX_HEADER_TOKENS:], dtype=np.int32)
            self._remembered[text] = found
        return found

    def of_documents(
        self, names: Callable[[int], tuple[str, str]], documents: np.ndarray
    ) -> Ragged:
        """Returns the headers of some documents.

        Args:
          names: Gives repository and path of a document.
          documents: int64 `[num_rows]`, their positions.

        Returns:
          int32, a row for each, of `MAX_HEADER_TOKENS` at most.
        """
        return Ragged.from_rows(
            [self._tokens(header_text(*names(document))) for document in documents.tolist()]
        )
