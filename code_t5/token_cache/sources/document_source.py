"""Documents from anything that can be walked: a list, a generator, or a mapping of splits to these.

Whether a cache holds these documents is decided by the hash of their content. A sequence can be
walked twice: it is hashed first and sent to the workers afterwards. Anything else is *spooled*:
written to a folder on its one walk (see `spool`), where the workers read it. So memory stays
bounded, and both kinds can have a validation split made.
"""

from __future__ import annotations

import array
import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Union

import numpy as np

from code_t5 import errors, progress
from code_t5.token_cache import layout
from code_t5.token_cache.sources import row_choice, row_options
from code_t5.token_cache.sources.documents import UNIT_BYTES, DocumentBatch, gather
from code_t5.token_cache.sources.row_choice import RowChoice
from code_t5.token_cache.sources.spool import Spool

PathLike = Union[str, "os.PathLike[str]"]
Document = Union[str, bytes]
Documents = Union[Iterable[Document], Mapping[str, Iterable[Document]]]


class _Walked(NamedTuple):
    """One split after its first walk.

    Attributes:
      ends: int64 `[num_documents + 1]`; where the documents end in the UTF-8 of all, 0 first.
      sha256: Of lengths and content.
      sums: uint32 `[num_documents]`; checksums, if the documents are walked again.
      documents: What was walked, if that can be done again.
      path: Where it was spooled to, if not.
    """

    ends: np.ndarray
    sha256: str
    sums: np.ndarray
    documents: Sequence[Document] | None = None
    path: str | None = None

    def unit(self, key: str, start: int, stop: int, choice: RowChoice | None) -> DocumentsUnit:
        """Returns some consecutive documents as a piece of work.

        Raises:
          InputError: The documents are not those that were walked first.
        """
        ends = self.ends[start : stop + 1]
        if self.documents is None:
            return DocumentsUnit(key, start, choice, ends, path=self.path)
        if len(self.documents) != len(self.sums):
            raise _changed(min(len(self.documents), len(self.sums)))
        chosen = np.arange(start, stop)
        if choice is not None:
            chosen = chosen[choice.mask(start, stop)]
        # Those that are not wanted are not sent; the numbers say which these are.
        texts = [self._read_again(self.documents, number) for number in chosen.tolist()]
        return DocumentsUnit(key, start, None, ends[:0], texts=texts, numbers=chosen)

    def _read_again(self, documents: Sequence[Document], number: int) -> bytes:
        try:
            text = _utf8(documents[number], number)
        except IndexError as error:
            raise _changed(number) from error
        length = self.ends[number + 1] - self.ends[number]
        if len(text) != length or zlib.crc32(text) != self.sums[number]:
            raise _changed(number)
        return text


def _changed(number: int) -> errors.InputError:
    return errors.InputError(
        f"document {number} has changed since the documents were walked first; wanted the same "
        "each time; hand in iter(documents), which is walked once, or a list of them"
    )


@dataclasses.dataclass(frozen=True)
class DocumentsUnit:
    """Consecutive documents, held or in a file.

    Attributes:
      key: Says which these are.
      start: Number of the first.
      choice: Which of those in the file are wanted; None for all.
      ends: int64 `[num_documents + 1]`; where they begin and end in the file.
      path: The file, if they are in one.
      texts: The documents, if they are held.
      numbers: int64; of those held.
    """

    key: str
    start: int
    choice: RowChoice | None
    ends: np.ndarray
    path: str | None = None
    texts: Sequence[bytes] = ()
    numbers: np.ndarray | None = None

    def read(self) -> Iterator[DocumentBatch]:
        """Reads the documents.

        Returns:
          Batches of about `BATCH_BYTES` of text, never empty.
        """
        return gather(
            DocumentBatch([text], [("", str(number))]) for number, text in self._read_texts()
        )

    def _read_texts(self) -> Iterator[tuple[int, bytes]]:
        if self.path is None:
            numbers = [] if self.numbers is None else self.numbers.tolist()
            yield from zip(numbers, self.texts)
            return
        num_documents = len(self.ends) - 1
        is_wanted = np.ones(num_documents, dtype=bool)
        if self.choice is not None:
            is_wanted = self.choice.mask(self.start, self.start + num_documents)
        with open(self.path, "rb") as file:
            for number in np.flatnonzero(is_wanted).tolist():
                first, last = int(self.ends[number]), int(self.ends[number + 1])
                file.seek(first)
                yield self.start + number, file.read(last - first)


def _utf8(document: Any, number: int) -> bytes:
    """Returns a document's UTF-8."""
    try:
        if isinstance(document, str):
            return document.encode("utf-8")
        if isinstance(document, bytes):
            document.decode("utf-8")
            return document
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise errors.InputError(
            f"document {number} is no valid Unicode ({error.reason}); wanted text that UTF-8 can "
            "hold; decode it strictly, or leave it out"
        ) from error
    raise errors.InputError(
        f"document {number} is a {type(document).__name__}; wanted str or bytes of UTF-8; hand in "
        "the text alone"
    )


def _walk(documents: Iterable[Document], spool: Spool | None, *, name: str) -> _Walked:
    """Hashes documents, and writes them to a file of the spool unless they are a sequence."""
    if spool is None:
        sums = array.array("I")
        ends, sha256 = _hash(documents, lambda text: sums.append(zlib.crc32(text)))
        kept = documents if isinstance(documents, Sequence) else None
        return _Walked(ends, sha256, np.array(sums, dtype=np.uint32), documents=kept)
    with spool.open_file(name) as file:

        def write(text: bytes) -> None:
            file.held += text
            if file.is_full:
                spool.write(file)

        ends, sha256 = _hash(documents, write)
    return _Walked(ends, sha256, np.zeros(0, dtype=np.uint32), path=file.path)


def _hash(documents: Iterable[Document], keep: Callable[[bytes], None]) -> tuple[np.ndarray, str]:
    """Returns where documents end, and the hash of all; hands each one's UTF-8 on."""
    digest, lengths = hashlib.sha256(), array.array("q", [0])
    bar = progress.progress_bar(documents, description="reading documents", unit="document")
    for number, document in enumerate(bar):
        text = _utf8(document, number)
        digest.update(text)
        lengths.append(len(text))
        keep(text)
    ends = np.cumsum(lengths, dtype=np.int64)
    digest.update(ends.astype("<i8").tobytes())
    return ends, digest.hexdigest()


class IterableSource:
    """Documents in splits; see `code_t5.token_cache.sources.documents.DocumentSource`.

    Attributes:
      fingerprint_parts: The hash of their content, and the options.
      config: The options.
    """

    def __init__(
        self,
        walked: Mapping[str, _Walked],
        *,
        validation_split: row_choice.ValidationSplit,
        seed: int,
    ) -> None:
        """Plans the splits; `open_documents` makes one of these."""
        self._walked = walked
        num_rows = {name: len(split.ends) - 1 for name, split in walked.items()}
        for name, count in num_rows.items():
            if not count:
                raise errors.InputError(
                    f"the split {name!r} has no documents; wanted one at least; leave it out"
                )
        self._rows = row_choice.plan_splits(num_rows, validation_split=validation_split, seed=seed)
        makes_validation = validation_split is not None
        self.fingerprint_parts: dict[str, Any] = {
            "source": "documents",
            "documents_sha256": {name: split.sha256 for name, split in walked.items()},
            "validation_split": validation_split,
            "seed": seed if makes_validation else None,
        }
        self.config: dict[str, Any] = {
            "source": "documents",
            "validation_split": validation_split,
            "seed": seed,
        }

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits."""
        return tuple(self._rows)

    def num_documents(self, split: str) -> int:
        """Returns how many documents a split has.

        Args:
          split: One of `splits`.
        """
        origin, choice = self._rows[split]
        return len(self._walked[origin].ends) - 1 if choice is None else choice.num_taken

    def units(self, split: str) -> Iterator[DocumentsUnit]:
        """Cuts a split into pieces of work.

        Args:
          split: One of `splits`.

        Yields:
          The units in order.
        """
        origin, _ = self._rows[split]
        ends = self._walked[origin].ends
        start, num_documents = 0, len(ends) - 1
        while start < num_documents:
            stop = int(np.searchsorted(ends, ends[start] + UNIT_BYTES, side="left"))
            stop = min(max(stop, start + 1), num_documents)
            yield self._unit(split, start, stop)
            start = stop

    def _unit(self, split: str, start: int, stop: int) -> DocumentsUnit:
        origin, choice = self._rows[split]
        walked = self._walked[origin]
        made = "" if choice is None else f":{choice.num_chosen}:{choice.seed}"
        key = f"{split}:{start}+{stop - start}:{walked.sha256[:16]}{made}"
        return walked.unit(key, start, stop, choice)

    def sample(self, split: str, *, num_bytes: int) -> Iterator[DocumentBatch]:
        """Reads some documents from places spread evenly over a split.

        Args:
          split: One of `splits`.
          num_bytes: About how much text is wanted in all.

        Yields:
          A batch from each place.
        """
        origin, _ = self._rows[split]
        ends = self._walked[origin].ends
        places = row_choice.spread_places(len(ends) - 1)
        for place, limit in zip(places, [*places[1:], len(ends) - 1]):
            wanted = ends[place] + num_bytes // len(places)
            stop = min(max(int(np.searchsorted(ends, wanted)), place + 1), limit)
            yield from self._unit(split, place, stop).read()


@contextlib.contextmanager
def open_documents(
    documents: Documents,
    *,
    cache_dir: PathLike,
    validation_split: row_choice.ValidationSplit = None,
    seed: int = row_options.DEFAULT_SEED,
) -> Iterator[IterableSource]:
    """Walks documents once, and yields them as a source for the length of the block.

    Args:
      documents: str or UTF-8 bytes, which become the split train; or splits by name.
      cache_dir: The cache that they are for; what cannot be walked again is written beside it.
      validation_split: Share or number of train's documents that become the validation split.
      seed: Which do.

    Yields:
      The source.

    Raises:
      InputError: A document is no text, or a split has none.
      BusyError: Another process writes documents for the same cache.
    """
    validation_split = row_choice.read_validation_split(validation_split)
    by_split = documents if isinstance(documents, Mapping) else {row_choice.TRAIN: documents}
    with contextlib.ExitStack() as stack:
        cache = pathlib.Path(os.path.realpath(os.path.expanduser(os.fspath(cache_dir))))
        spool = functools.lru_cache(maxsize=1)(lambda: Spool(cache, stack))
        walked: dict[str, _Walked] = {}
        for given_name, of_split in by_split.items():
            name = str(given_name)
            # Refuses what cannot be part of a file's name.
            layout.array_name(name, layout.TOKENS)
            if name in walked:
                raise errors.InputError(
                    f"the split {name!r} is given twice, as {given_name!r} and as text; wanted "
                    "each once; give it another name"
                )
            if isinstance(of_split, (str, bytes)) or not isinstance(of_split, Iterable):
                raise errors.InputError(
                    f"the documents of {name!r} are a {type(of_split).__name__}; wanted an "
                    "iterable of str or bytes; put them into a list"
                )
            is_kept = isinstance(of_split, Sequence)
            walked[name] = _walk(of_split, None if is_kept else spool(), name=f"{len(walked)}")
        yield IterableSource(walked, validation_split=validation_split, seed=seed)
