"""Parquet files and READMEs as data sets of the Hub have them.

A *feature* is what `datasets` calls the type of a column, as it writes it down in JSON.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any


def parquet_bytes(columns: Mapping[str, Sequence[Any]], features: Mapping[str, Any]) -> bytes:
    """Returns a Parquet file as `push_to_hub` writes it: with the features in its schema.

    Args:
      columns: Values by name.
      features: As `datasets` writes features down in JSON.
    """
    import pyarrow
    import pyarrow.parquet

    arrays = {name: pyarrow.array(columns[name], _arrow_type(features[name])) for name in columns}
    table = pyarrow.table(arrays)
    told = json.dumps({"info": {"features": features}})
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata({"huggingface": told}), sink)
    return sink.getvalue()


def _arrow_type(feature: Any) -> Any:
    import pyarrow

    if feature["_type"] == "Sequence":
        return pyarrow.list_(_arrow_type(feature["feature"]))
    if feature["_type"] == "ClassLabel":
        return pyarrow.int64()
    if feature["_type"] == "Image":
        return pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    return pyarrow.type_for_alias(feature["dtype"])


def value(dtype: str) -> dict[str, Any]:
    """Returns the feature of numbers or texts."""
    return {"dtype": dtype, "_type": "Value"}


def labels(names: Sequence[str]) -> dict[str, Any]:
    """Returns the feature of numbers that stand for names."""
    return {"names": list(names), "_type": "ClassLabel"}


def list_of(feature: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the feature of lists."""
    return {"feature": feature, "_type": "Sequence"}


def _card_feature(name: str, feature: Mapping[str, Any]) -> dict[str, Any]:
    """Returns one feature as the YAML of a README has it."""

    def told(inner: Mapping[str, Any]) -> Any:
        if inner["_type"] == "ClassLabel":
            names = {str(place): label for place, label in enumerate(inner["names"])}
            return {"class_label": {"names": names}}
        return "image" if inner["_type"] == "Image" else inner["dtype"]

    if feature["_type"] == "Sequence":
        inner = told(feature["feature"])
        key = "class_label" if isinstance(inner, dict) else None
        return {"name": name, "sequence": {key: inner[key]} if key else inner}
    return {"name": name, "dtype": told(feature)}


def card(
    features: Mapping[str, Any],
    *,
    sizes: Mapping[str, Mapping[str, int]],
    patterns: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Returns a README: the features and rows of each configuration, and where its files lie."""
    import yaml

    listed = [_card_feature(name, feature) for name, feature in features.items()]
    infos = [
        {
            "config_name": config,
            "features": listed,
            "splits": [{"name": s, "num_bytes": 100 * n, "num_examples": n} for s, n in of.items()],
            "download_size": 1000,
            "dataset_size": 100 * sum(of.values()),
        }
        for config, of in sizes.items()
    ]
    told: dict[str, Any] = {
        "license": "other",
        "dataset_info": infos if len(infos) > 1 else infos[0],
    }
    if len(infos) == 1 and infos[0]["config_name"] == "default":
        del told["dataset_info"]["config_name"]
    if patterns:
        told["configs"] = [
            {
                "config_name": config,
                "data_files": [{"split": split, "path": path} for split, path in of.items()],
            }
            for config, of in patterns.items()
        ]
    return f"---\n{yaml.safe_dump(told, sort_keys=False)}---\n# A data set of a test\n"
