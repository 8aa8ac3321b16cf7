"""What a repository says of itself: its configurations, their files, and what is in them.

The *card* is the YAML at the head of README.md, as `datasets` reads it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from code_t5 import library_errors
from code_t5.hf_artifacts.loading.tried import RefusedError

# Cards of hundreds of configurations have some hundred kilobytes.
_MAX_BYTES = 16 << 20


@dataclasses.dataclass(frozen=True)
class Card:
    """Configurations, as README.md has them.

    Attributes:
      configs: Parameters by configuration; empty if none is listed.
      default: The configuration that is meant where none is named; None if none is.
      infos: A `datasets.DatasetInfo` by configuration.
    """

    configs: Mapping[str, Mapping[str, Any]]
    default: str | None
    infos: Mapping[str, Any]

    def parameters(self, config: str | None) -> dict[str, Any]:
        """Returns the parameters of a configuration; empty if it is not listed."""
        return dict(self.configs.get(config or "", {}))


def read_card(snapshot: pathlib.Path) -> Card:
    """Reads the card of a snapshot.

    Args:
      snapshot: Its folder; without README.md it lists nothing.

    Raises:
      RefusedError: The card is too long, or none.
    """
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard, DatasetCardData

    try:
        readme, extra = snapshot / "README.md", snapshot / ".huggingface.yaml"
        is_there = _is_readable(readme)
        data = DatasetCard.load(os.fspath(readme)).data if is_there else DatasetCardData()
        if _is_readable(extra):
            data = DatasetCardData(**{**data.to_dict(), **_read_yaml(extra)})
        configs = MetadataConfigs.from_dataset_card_data(data)
        infos = dict(_legacy_infos(snapshot / "dataset_infos.json"))
        infos.update(DatasetInfosDict.from_dataset_card_data(data))
        default = configs.get_default_config_name()
    except RefusedError:
        raise
    except Exception as error:  # YAML, features and files fail in a dozen ways
        raise RefusedError(
            f"its README.md cannot be read ({library_errors.one_line(error)})"
        ) from error
    if default is None and len(infos) == 1:
        default = next(iter(infos))
    return Card(dict(configs), default, infos)


def _is_readable(path: pathlib.Path) -> bool:
    """Says whether a file is there.

    Raises:
      RefusedError: It is too long to be read.
    """
    if not path.is_file():
        if path.is_symlink():
            raise RefusedError(f"{path.name} is a link to nothing")
        return False
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise RefusedError(f"{path.name} has {size} bytes; wanted at most {_MAX_BYTES}")
    return True


def _read_yaml(path: pathlib.Path) -> dict[str, Any]:
    import yaml

    content = yaml.safe_load(path.read_bytes())
    return content if isinstance(content, dict) else {}


def _legacy_infos(path: pathlib.Path) -> dict[str, Any]:
    """Returns what old versions of `datasets` wrote beside the data.

    Raises:
      RefusedError: The file is too long to be read.
    """
    from datasets import DatasetInfo

    if not _is_readable(path):
        return {}
    content = json.loads(path.read_bytes())
    infos = {str(name): DatasetInfo.from_dict(fields) for name, fields in content.items()}
    # Its only configuration was named after the repository.
    return {"default": next(iter(infos.values()))} if len(infos) == 1 else infos
