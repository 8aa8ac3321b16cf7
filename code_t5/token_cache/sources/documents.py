"""Where a token cache's documents come from, as the build sees it.

A *document* is one text: a source file, or a row of a data set. A *source* says which splits there
are and cuts each into *units*: pieces of work of some megabytes of text, which workers read. The
build asks nothing else of a source, so a new kind of source is a new class with these methods.

Order is the order of the cache: units in the order in which `units` gives them, documents in the
order in which a unit reads them. How a split is cut must not depend on the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

# What sources aim at: text of one unit, and of one batch.
UNIT_BYTES = 8 << 20
BATCH_BYTES = 1 << 20


class DocumentBatch(NamedTuple):
    """Some documents.

    Attributes:
      texts: UTF-8 of each.
      names: Repository and path of each; `("", "<row>")` for the rows of a data set.
    """

    texts: list[bytes]
    names: list[tuple[str, str]]


def gather(pieces: Iterable[DocumentBatch]) -> Iterator[DocumentBatch]:
    """Joins small batches.

    Args:
      pieces: Some documents each; of one or none, too.

    Yields:
      Batches of about `BATCH_BYTES` of text, never empty.
    """
    batch, size = DocumentBatch([], []), 0
    for texts, names in pieces:
        batch.texts.extend(texts)
        batch.names.extend(names)
        size += sum(map(len, texts))
        if size >= BATCH_BYTES:
            yield batch
            batch, size = DocumentBatch([], []), 0
    if batch.texts:
        yield batch


class Unit(Protocol):
    """A piece of work: consecutive documents of one split. It is pickled and sent to a worker.

    Attributes:
      key: Says which documents these are. Units of equal keys hold equal documents, so that a run
        that was interrupted keeps what it did. At most some hundred characters; a hash will do.
    """

    @property
    def key(self) -> str:
        """Which documents these are."""

    def read(self) -> Iterator[DocumentBatch]:
        """Reads the documents in a worker.

        Yields:
          Batches of about `BATCH_BYTES` of text, never empty.

        Raises:
          CodeT5Error: What can go wrong with the data, in one line.
        """


class DocumentSource(Protocol):
    """Documents in splits.

    Attributes:
      fingerprint_parts: JSON: everything that decides on the documents and their order (revision,
        options, hash of the content), flat where it can be: two of these are compared by name. It
        is asked for before `units`.
      config: JSON: what was asked for, by the names of the caller's arguments.
      splits: Names, in the order in which they are built.
    """

    @property
    def fingerprint_parts(self) -> dict[str, Any]:
        """Everything that decides on the documents."""

    @property
    def config(self) -> dict[str, Any]:
        """What was asked for."""

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits."""

    def units(self, split: str) -> Iterable[Unit]:
        """Cuts a split into pieces of work.

        Args:
          split: One of `splits`, in their order; may be asked for again, and begins anew then.

        Returns:
          The units in order; may be a generator, of which only some units are held at a time. It
          may be walked in another thread than this one.
        """

    def num_documents(self, split: str) -> int | None:
        """Returns how many documents a split has, or None if that is not known before reading.

        Args:
          split: One of `splits`.
        """

    def sample(self, split: str, *, num_bytes: int) -> Iterator[DocumentBatch]:
        """Reads some documents in this process, before `units` is called.

        The engine that encodes is proved on them, and sizes are estimated from them, with a spread
        if there is more than one batch.

        Args:
          split: One of `splits`.
          num_bytes: About how much text is wanted in all.

        Yields:
          Batches of consecutive documents from places spread evenly over the split (about 16 of
          them); the same ones each time. A source that can be walked only once gives its first
          documents, and `units` gives them again.
        """


class NamedSource:
    """A source of which `config.json` says more than the source knows.

    Attributes:
      config: What was asked for, all of it.
    """

    def __init__(self, source: DocumentSource, *, config: Mapping[str, Any]) -> None:
        """Wraps a source, which stays as it is.

        Args:
          source: The documents.
          config: What was asked for beside them.
        """
        self._source = source
        self.config = {**source.config, **config}

    @property
    def fingerprint_parts(self) -> dict[str, Any]:
        """Everything that decides on the documents."""
        return self._source.fingerprint_parts

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits."""
        return self._source.splits

    def units(self, split: str) -> Iterable[Unit]:
        """Cuts a split into pieces of work, as the source does.

        Args:
          split: One of `splits`.
        """
        return self._source.units(split)

    def num_documents(self, split: str) -> int | None:
        """Returns how many documents a split has, if the source knows.

        Args:
          split: One of `splits`.
        """
        return self._source.num_documents(split)

    def sample(self, split: str, *, num_bytes: int) -> Iterator[DocumentBatch]:
        """Reads some documents, as the source does.

        Args:
          split: One of `splits`.
          num_bytes: About how much text is wanted in all.
        """
        return self._source.sample(split, num_bytes=num_bytes)
