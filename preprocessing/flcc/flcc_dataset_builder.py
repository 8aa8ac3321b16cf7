"""TFDS builder of FLCC data sets.

A data set that `python -m preprocessing.build` has built is read by its name, with or without this
module: `tfds.load("flcc/<name>", data_dir=DATA_DIR)`. With this module imported, TFDS can also
build one itself, through the same stages:

    config = FlccConfig(name="mine", input_dir="path/to/dataset")
    builder = tfds.builder("flcc", config=config, data_dir=DATA_DIR)
    builder.download_and_prepare()
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import dataset_builder
from tensorflow_datasets.core.utils import gcs_utils

from code_t5 import errors
from code_t5.storage import prepared
from preprocessing import build, build_config, records, splits

# TFDS 4.9.3, the last for Python 3.9, would ask its public bucket for every data set.
gcs_utils._is_gcs_disabled = True


@dataclasses.dataclass
class FlccConfig(tfds.core.BuilderConfig):
    """One data set.

    Attributes:
      input_dir: Folder in FLCC layout; empty for a data set that is only read.
      languages: Language folders to read, or `("all",)`.
      validation_fraction: Share of the repositories.
      test_fraction: Likewise.
    """

    input_dir: str = ""
    languages: tuple[str, ...] = ("Python",)
    validation_fraction: float = splits.SplitConfig.validation_fraction
    test_fraction: float = splits.SplitConfig.test_fraction


class Builder(dataset_builder.FileReaderBuilder):
    """Source files of repositories, filtered, deduplicated and split by repository."""

    VERSION = tfds.core.Version(prepared.VERSION)
    RELEASE_NOTES = records.RELEASE_NOTES
    BUILDER_CONFIGS = [
        FlccConfig(name=name, description=about) for name, about in prepared.PUBLISHED.items()
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        features: dict[str, Any] = {name: tfds.features.Text() for name in records.TEXT_FEATURES}
        for name in records.INT_FEATURES:
            features[name] = tfds.features.Scalar(dtype=np.int64)
        return tfds.core.DatasetInfo(
            builder=self,
            description=records.DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
        )

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Builds the data set if it is not there, by the stages of `preprocessing.build`.

        Args:
          **kwargs: TFDS's own; nothing is downloaded, so none of them matters here.

        Raises:
          NotBuiltError: The data set is not built and the config names no input.
          CodeT5Error: Whatever the build refuses.
        """
        if self.data_path.exists():
            super().download_and_prepare(**kwargs)
            return
        config = self.builder_config
        if not getattr(config, "input_dir", ""):
            raise errors.NotBuiltError(
                f"{self.data_path} is not built; wanted records to read; build it with: "
                f"{prepared.PreparedDataset(config.name, str(self._data_dir_root)).build_command}"
            )
        build.build_dataset(
            build_config.BuildConfig(
                input_dir=config.input_dir,
                data_dir=str(self._data_dir_root),
                name=config.name,
                languages=tuple(config.languages),
                splits=splits.SplitConfig(config.validation_fraction, config.test_fraction),
            ),
            clock=build.StageClock(),
        )
        self.info.read_from_directory(pathlib.Path(self.data_path))

    def _download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Never reached: the build publishes the whole folder itself, in one rename."""
        raise NotImplementedError
