"""DataSources of prepared data sets."""

from __future__ import annotations

from typing import Any

import seqio
import tensorflow as tf

from code_t5 import errors
from code_t5.data.vocabularies import TokenModelVocabulary
from code_t5.storage import prepared


def _stay_offline() -> None:
    """Keeps TFDS from asking its public bucket for every data set that it reads.

    TFDS 4.9.9 asks no more; 4.9.3, the last for Python 3.9, waits minutes without a network.
    """
    from tensorflow_datasets.core.utils import gcs_utils

    gcs_utils._is_gcs_disabled = True


class FlccDataSource(seqio.TfdsDataSource):
    """A prepared data set, read through TFDS after its vocabulary was checked.

    Constructing one opens no file. The first look at the data raises `NotBuiltError` with the
    command that builds it, or `VocabularyMismatchError` if the vocabulary is not the one with which
    the data set was proved lossless.

    Attributes:
      dataset: What is read.
    """

    def __init__(self, dataset: prepared.PreparedDataset, vocabulary: TokenModelVocabulary) -> None:
        """Remembers what to read.

        Args:
          dataset: What to read.
          vocabulary: With which its text is going to be encoded.
        """
        _stay_offline()
        # The trainer sets its own flag as the override of every data directory; naming the same
        # directory here as well would make seqio warn about it.
        data_dir = None if prepared.trainer_data_dir() else dataset.data_dir
        super().__init__(
            f"{prepared.DATASET_NAME}/{dataset.name}:{dataset.version}", tfds_data_dir=data_dir
        )
        self.dataset = dataset
        self._version = dataset.version
        self._vocabulary = vocabulary

    def check(self) -> None:
        """Checks that the data set is there and that it fits the vocabulary.

        Raises:
          NotBuiltError: It is not there.
          ArtifactError: It is damaged, or another version than when this was constructed.
          VocabularyMismatchError: It was built with another vocabulary.
        """
        built = self.dataset.read_manifest()
        if self.dataset.version != self._version:
            raise errors.ArtifactError(
                f"the data set {self.dataset.name} has become version {self.dataset.version} since "
                f"its Task was registered for {self._version}; wanted the same; start the program "
                "again"
            )
        wanted, found = built["vocabulary_fingerprint"], self._vocabulary.fingerprint
        if wanted != found:
            raise errors.VocabularyMismatchError(
                f"the data set {self.dataset.name} was checked with the vocabulary {wanted}, but "
                f"{self.dataset.vocabulary_dir} is {found}; wanted the same; put that vocabulary "
                f"back, or build the data set again: {self.dataset.build_command} --overwrite"
            )

    @property
    def splits(self) -> Any:
        """Splits of the data set, as TFDS knows them."""
        self.check()
        return super().splits

    def get_dataset(self, *args: Any, **kwargs: Any) -> tf.data.Dataset:
        """Returns a split's examples; see `seqio.TfdsDataSource`."""
        self.check()
        return super().get_dataset(*args, **kwargs)

    def num_input_examples(self, split: str) -> int | None:
        """Returns the exact number of files in a split."""
        self.check()
        return super().num_input_examples(split)

    def list_shards(self, split: str) -> Any:
        """Returns the paths of a split's shards."""
        self.check()
        return super().list_shards(split)
