"""Caches that the plain libraries filled, or that are made by hand: nobody recorded anything."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping

import fake_hub
import hub_artefacts
import hub_cache_files
import offline_children

from code_t5.hf_artifacts.cache_root import CacheRoot

_FILL = """
import datasets
from datasets import load_dataset

reviews = "acme/reviews"
load_dataset("wikiann", "en")
load_dataset("wikiann", "de")
load_dataset("conll2003", revision="refs/convert/parquet")
load_dataset(reviews, data_files="reviews-2024.jsonl", revision="v2")
load_dataset(reviews, data_files={"train": "reviews-2024.jsonl", "test": "reviews-*.jsonl"})
load_dataset(reviews, data_files={"train": "reviews-2024.jsonl", "test": "reviews-2025.jsonl"})
load_dataset(reviews, data_dir="en")
load_dataset(reviews, revision="v1")
load_dataset("acme/tables", "one", sep=";")
"""
TABLES = {
    "README.md": "---\nconfigs:\n- config_name: one\n  data_files: one.csv\n"
    "- config_name: two\n  data_files: two.csv\n---\n",
    "one.csv": "name;size\na;1\nb;2\n",
    "two.csv": "name;size\nc;3\n",
}


def fill(hub: fake_hub.FakeHub, home: pathlib.Path) -> pathlib.Path:
    """Loads data sets online by `datasets`, and returns its `HF_HOME`."""
    hub.add("dataset", "acme/tables", TABLES)
    done = offline_children.run_python(_FILL, environment=hub.environment(home))
    assert done.returncode == 0, done.stderr[-3000:]
    return home


def put_files(
    root: pathlib.Path,
    files: Mapping[str, str | bytes],
    *,
    name: str = "acme/rows",
    **options: object,
) -> pathlib.Path:
    """Puts a data set's repository into a cache by hand, and returns its snapshot."""
    folder = "datasets--" + name.replace("/", "--")
    contents = {
        path: data.encode() if isinstance(data, str) else data for path, data in files.items()
    }
    return hub_cache_files.put_repository(CacheRoot(root), folder, contents, **options)


def json_lines(*texts: str) -> str:
    """Returns rows with one column, `text`."""
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


def card(configs: Mapping[str, Mapping[str, str]]) -> str:
    """Returns a README.md that lists files by configuration and split."""
    listed = [
        {
            "config_name": name,
            "data_files": [{"split": split, "path": path} for split, path in files.items()],
        }
        for name, files in configs.items()
    ]
    return f"---\nconfigs: {json.dumps(listed)}\n---\n"


def tree(folder: pathlib.Path) -> list[str]:
    """Returns every path below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def serve() -> Iterator[fake_hub.FakeHub]:
    """Yields a Hub with the data sets of `hub_artefacts`."""
    with fake_hub.serve() as hub:
        hub_artefacts.add_conll2003(hub)
        hub_artefacts.add_wikiann(hub)
        hub_artefacts.add_reviews(hub)
        yield hub
