"""How much room a build wants on the disk, for the message when there is none.

The parts take about as much as the cache, and both are there at once.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from code_t5 import errors
from code_t5.token_cache.building import estimate
from code_t5.token_cache.building.build_config import BuildConfig
from code_t5.token_cache.building.staging import Staging
from code_t5.token_cache.sources.documents import DocumentSource
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer


class Room:
    """What a build wants, reckoned from what it has written."""

    def __init__(
        self, source: DocumentSource, *, tokenizer: StoredTokenizer, config: BuildConfig
    ) -> None:
        """Reckons nothing yet.

        Args:
          source: Of the documents.
          tokenizer: What they are encoded with.
          config: How they are built.
        """
        self._source = source
        self._tokenizer = tokenizer
        self._config = config
        self._written_bytes = 0
        self._written_documents = 0

    @contextlib.contextmanager
    def counted(self, staging: Staging) -> Iterator[None]:
        """Counts what is in a staging when the block fails.

        Args:
          staging: Of the build.

        Yields:
          Nothing.
        """
        try:
            yield
        except OSError:
            for marker in staging.markers_dir.glob("*.json"):
                # A disk that is full may have cut it.
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    num_documents = int(json.loads(marker.read_bytes())["num_documents"])
                    self._written_bytes += (staging.parts_dir / marker.stem).stat().st_size
                    self._written_documents += num_documents
            raise

    def describe(self) -> str:
        """Says how much was wanted, as a number."""
        counts = [self._source.num_documents(split) for split in self._source.splits]
        total = sum(count or 0 for count in counts)
        if None in counts:
            size_bytes = 2 * self._written_bytes
            about = "more than"
        else:
            size_bytes = 2 * self._whole_size(total)
            about = "about"
        megabytes = max(size_bytes / 1e6, 0.1)
        return f"{about} {megabytes:,.1f} MB, twice the size of the cache"

    def _whole_size(self, num_documents: int) -> int:
        if self._written_documents:
            return self._written_bytes * num_documents // self._written_documents
        try:
            found = estimate.estimate(self._source, tokenizer=self._tokenizer, config=self._config)
        except (errors.CodeT5Error, OSError):
            return 0
        return found.size_bytes
