"""Turns all units of a source into parts, in several processes.

Which engine encodes is proved on a sample of the documents
(`code_t5.token_cache.tokenizing.encoder_proof`). Workers do not wait for it: they begin with the
*likely* engine, the one that is most wanted, and start again in the rare case that the proof
chooses another.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import itertools
import threading
from collections.abc import Iterable, Iterator
from typing import Callable

from code_t5 import errors, parallel, progress
from code_t5.token_cache.building import part_jobs
from code_t5.token_cache.building.part_jobs import PartJob, Place, Written
from code_t5.token_cache.sources.documents import DocumentSource
from code_t5.token_cache.tokenizing import encoder_proof
from code_t5.token_cache.tokenizing.encoder_proof import EngineChoice
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

WrittenBySplit = dict[str, list[Written]]


class _StoppedError(Exception):
    """What is encoded is not wanted any more."""


@dataclasses.dataclass(frozen=True)
class UnitEncoding:
    """All units of a source, to be encoded.

    Attributes:
      source: Of the documents.
      num_workers: Processes; 0 for one per processor.
    """

    source: DocumentSource
    num_workers: int = 0

    def run(self, place: Place, *, stop: threading.Event | None = None) -> WrittenBySplit:
        """Encodes with a certain engine.

        Args:
          place: Where to write, and how to encode.
          stop: Ends the work when it is set.

        Returns:
          What is in the parts, by split, in order.

        Raises:
          InputError: A split has no documents or no tokens, or the source is damaged.
          CodeT5Error: The encoder gave wrong ids, or a worker died.
        """
        written: WrittenBySplit = {split: [] for split in self.source.splits}
        function = functools.partial(_write_named, place=place)
        jobs, num_workers = self._jobs()
        try:
            with parallel.WorkerPool(num_workers) as pool, self._progress_bar() as bar:
                for split, part in pool.map(function, jobs):
                    if stop is not None and stop.is_set():
                        raise _StoppedError
                    written[split].append(part)
                    bar.update(part.num_documents)
        finally:
            part_jobs.close_encoder()
        for split, of_split in written.items():
            for what in ("documents", "tokens"):
                if not part_jobs.sums(of_split)[f"num_{what}"]:
                    raise empty_split(split, f"no {what}")
        return written

    def prove_and_run(
        self,
        place_of: Callable[[str], Place],
        *,
        tokenizer: StoredTokenizer,
        likely: str,
        encoder: str | None,
        restart_fn: Callable[[], None],
        proved_fn: Callable[[EngineChoice], None],
    ) -> WrittenBySplit:
        """Chooses the engine, and encodes meanwhile.

        Args:
          place_of: Returns where and how to encode with an engine.
          tokenizer: What to encode with.
          likely: The engine to begin with, whose parts may be there from an earlier run.
          encoder: The engine that was asked for, if any.
          restart_fn: Throws the parts of the likely engine away; no worker is at work then.
          proved_fn: Is told the choice, before the work goes on.

        Returns:
          As `run`.

        Raises:
          InputError: The engine cannot be used, or the source is not what it should be.
          CodeT5Error: The encoder gave wrong ids, or a worker died.
        """
        sample = read_sample(self.source)
        choose = functools.partial(
            encoder_proof.choose_engine, tokenizer, sample=sample, engine=encoder
        )
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            # One worker is this process: nothing could be done meanwhile.
            is_alone = self._jobs()[1] == 1
            attempt = None if is_alone else beside.submit(self.run, place_of(likely), stop=stop)
            try:
                choice = choose()
                if attempt is not None and choice.engine == likely:
                    proved_fn(choice)
                    return attempt.result()
            finally:
                # Whatever came in between; after a result there is nothing to stop.
                stop.set()
        if choice.engine != likely:
            restart_fn()
        proved_fn(choice)
        return self.run(place_of(choice.engine))

    def _progress_bar(self) -> progress.tqdm:
        counts = [self.source.num_documents(split) for split in self.source.splits]
        known = [count for count in counts if count is not None]
        return progress.progress_bar(
            description="encoding",
            unit="document",
            total=sum(known) if len(known) == len(counts) else None,
            unit_scale=True,
        )

    def _jobs(self) -> tuple[Iterable[PartJob], int]:
        """Returns the jobs, and how many workers to begin with: no more than there are jobs."""
        wanted = self.num_workers or parallel.default_num_workers()
        jobs = self._walk()
        first = list(itertools.islice(jobs, wanted))
        return itertools.chain(first, jobs), max(1, min(wanted, len(first)))

    def _walk(self) -> Iterator[PartJob]:
        for split in self.source.splits:
            for number, unit in enumerate(self.source.units(split)):
                yield PartJob(split, number, unit)


def _write_named(job: PartJob, *, place: Place) -> tuple[str, Written]:
    return job.split, part_jobs.write_part(job, place=place)


def empty_split(split: str, found: str) -> errors.InputError:
    """Returns what to tell the user of a split without content.

    Args:
      split: Its name.
      found: What it has.
    """
    return errors.InputError(
        f"the split {split!r} has {found}; wanted one at least; leave the split out, or look at "
        "what was asked for"
    )


def read_sample(source: DocumentSource) -> list[bytes]:
    """Reads documents from all splits, to prove an engine on.

    Args:
      source: Of the documents.

    Returns:
      UTF-8.
    """
    num_bytes = encoder_proof.SAMPLE_BYTES // len(source.splits)
    batches = (source.sample(split, num_bytes=num_bytes) for split in source.splits)
    return [text for of_split in batches for batch in of_split for text in batch.texts]
