"""What a fake Hub serves to the tests of `hf_artifacts`: one repository of each kind.

`fill(hub)` puts all of them there; each has a function of its own that gives its files, made once
in a process. Names, layouts and revisions are those of the real repositories, contents are small.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping
from typing import Any

import hub_models
import hub_parquet
from fake_hub import FakeHub
from fake_hub_store import HubRepository

CONLL2003, WIKIANN, IMAGENET = "eriktks/conll2003", "unimelb-nlp/wikiann", "ILSVRC/imagenet-1k"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
T5, CHAT, REVIEWS, ACCURACY = (
    "acme/tiny-t5",
    "acme/tiny-chat",
    "acme/reviews",
    "evaluate-metric/accuracy",
)
# Of a user with access to what is gated, and of one without.
ACCESS_TOKEN = "hf_ThisOneMayReadWhatIsGated"
OTHER_TOKEN = "hf_ThisOneMayNotReadAnything"

CONLL2003_SIZES = {"train": 40, "validation": 12, "test": 8}
WIKIANN_SIZES = {
    "en": {"train": 200, "validation": 20, "test": 20},
    "de": {"train": 30, "validation": 10, "test": 10},
    "ace": {"train": 5, "validation": 5, "test": 5},
}
# Rows by split, in files of so many each.
IMAGENET_SHARDS = {"train": (12, 12, 12, 12, 5), "validation": (8, 8), "test": (6,)}
IMAGENET_LABELS = ("tench", "goldfish", "great white shark", "tiger shark", "hammerhead")
# Lines by file; the tag v1 holds the first two alone.
REVIEWS_SIZES = {"reviews-2024.jsonl": 9, "reviews-2025.jsonl": 6, "en/a.jsonl": 4, "de/a.jsonl": 3}
REVIEWS_CSV_SIZES = {"extra/a.csv": 5, "extra/b.csv": 2}

_NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
_CONLL_NER = (*_NER, "B-MISC", "I-MISC")
_CONLL_POS = ('"', "''", "NN", "NNP", "VB", ".")
_CONLL_CHUNK = ("O", "B-NP", "I-NP", "B-VP")
_PEOPLE, _PLACES = ("Ada Lovelace", "Grace Hopper", "Alan Turing"), ("Paris", "Aceh", "Leipzig")


def sentence(row: int, *, language: str = "en") -> tuple[list[str], list[int]]:
    """Returns the words of one row and what each of them names, as indices of `_NER`.

    No two rows of a language are equal.
    """
    first, last = _PEOPLE[row % 3].split()
    middle = {"en": "met them in", "de": "traf sie in", "ace": "meureumpok di"}[language].split()
    words = [first, last, *middle, _PLACES[row // 3 % 3], str(row), "."]
    return words, [1, 2, *(0 for _ in middle), 5, 0, 0]


# conll2003: a script on `main`, which datasets 4 runs no more, and Parquet on a branch of its own.

_CONLL_FEATURES = {
    "id": hub_parquet.value("string"),
    "tokens": hub_parquet.list_of(hub_parquet.value("string")),
    "pos_tags": hub_parquet.list_of(hub_parquet.labels(_CONLL_POS)),
    "chunk_tags": hub_parquet.list_of(hub_parquet.labels(_CONLL_CHUNK)),
    "ner_tags": hub_parquet.list_of(hub_parquet.labels(_CONLL_NER)),
}


def _conll_rows(num_rows: int) -> dict[str, list[Any]]:
    pairs = [sentence(row) for row in range(num_rows)]
    return {
        "id": [str(row) for row in range(num_rows)],
        "tokens": [words for words, _ in pairs],
        "pos_tags": [[3 if tag else 2 for tag in tags] for _, tags in pairs],
        "chunk_tags": [[1 if tag else 0 for tag in tags] for _, tags in pairs],
        "ner_tags": [tags for _, tags in pairs],
    }


@functools.cache
def conll2003() -> Mapping[str, bytes | str]:
    """Returns the files of conll2003's main branch."""
    script = 'import datasets\n\nraise RuntimeError("a script of the Hub was run")\n'
    readme = hub_parquet.card(_CONLL_FEATURES, sizes={"conll2003": CONLL2003_SIZES})
    return {"README.md": readme, "conll2003.py": script}


@functools.cache
def conll2003_parquet() -> Mapping[str, bytes | str]:
    """Returns the files of conll2003's branch `refs/convert/parquet`, which has no README."""
    return {
        f"conll2003/{split}/0000.parquet": hub_parquet.parquet_bytes(
            _conll_rows(size), _CONLL_FEATURES
        )
        for split, size in CONLL2003_SIZES.items()
    }


def _add_viewer(repository: HubRepository, features: Mapping[str, Any]) -> None:
    """Lets the data set viewer tell of conll2003 what it tells of data sets that it converted."""
    splits = {
        split: {"name": split, "num_bytes": 100 * size, "num_examples": size, "dataset_name": None}
        for split, size in CONLL2003_SIZES.items()
    }
    info = {
        "description": "", "citation": "", "homepage": "", "license": "", "features": features,
        "builder_name": "conll2003", "dataset_name": "conll2003", "config_name": "conll2003",
        "version": {"version_str": "1.0.0", "major": 1, "minor": 0, "patch": 0}, "splits": splits,
        "download_size": 1000, "dataset_size": 6000,
    }  # fmt: skip
    files = [
        {
            "dataset": repository.name, "config": "conll2003", "split": split,
            "filename": "0000.parquet", "size": file.size,
            "url": f"https://huggingface.co/datasets/{repository.name}/resolve/"
            f"refs%2Fconvert%2Fparquet/{path}",
        }
        for path, file in repository.find("refs/convert/parquet").files.items()
        for split in [path.split("/")[1]]
    ]  # fmt: skip
    done = {"pending": [], "failed": [], "partial": False}
    repository.viewed = repository.find("main").sha
    repository.viewer = {
        "info": {"dataset_info": {"conll2003": info}, **done},
        "parquet": {"parquet_files": files, **done},
    }


# wikiann: one configuration for each language, all of them of Parquet files on `main`.

_WIKIANN_FEATURES = {
    "tokens": hub_parquet.list_of(hub_parquet.value("string")),
    "ner_tags": hub_parquet.list_of(hub_parquet.labels(_NER)),
    "langs": hub_parquet.list_of(hub_parquet.value("string")),
    "spans": hub_parquet.list_of(hub_parquet.value("string")),
}


def wikiann_rows(language: str, split: str) -> dict[str, list[Any]]:
    """Returns the rows of one split, by column; no two splits have a row in common."""
    sizes = WIKIANN_SIZES[language]
    first = sum(sizes[name] for name in list(sizes)[: list(sizes).index(split)])
    pairs = [sentence(row, language=language) for row in range(first, first + sizes[split])]
    return {
        "tokens": [words for words, _ in pairs],
        "ner_tags": [tags for _, tags in pairs],
        "langs": [[language] * len(words) for words, _ in pairs],
        "spans": [[f"PER: {words[0]} {words[1]}"] for words, _ in pairs],
    }


@functools.cache
def wikiann() -> Mapping[str, bytes | str]:
    """Returns the files of wikiann: configurations en, de and ace."""
    patterns = {
        language: {split: f"{language}/{split}-*" for split in sizes}
        for language, sizes in WIKIANN_SIZES.items()
    }
    files = {
        f"{language}/{split}-00000-of-00001.parquet": hub_parquet.parquet_bytes(
            wikiann_rows(language, split), _WIKIANN_FEATURES
        )
        for language, sizes in WIKIANN_SIZES.items()
        for split in sizes
    }
    readme = hub_parquet.card(_WIKIANN_FEATURES, sizes=WIKIANN_SIZES, patterns=patterns)
    return {"README.md": readme, ".gitattributes": "*.parquet filter=lfs\n", **files}


# imagenet-1k: gated, many Parquet files in each split, images of different sizes and kinds.

_IMAGENET_FEATURES = {"image": {"_type": "Image"}, "label": hub_parquet.labels(IMAGENET_LABELS)}


def picture(row: int) -> tuple[bytes, str]:
    """Returns an image of one row, and its name: every third a PNG, some of them grey."""
    import PIL.Image

    size = (8 + row % 5 * 4, 6 + row % 7 * 3)
    mode = "L" if row % 4 == 3 else "RGB"
    shade = 40 + row * 37 % 200
    image = PIL.Image.new(mode, size, shade if mode == "L" else (shade, 255 - shade, row % 256))
    kind = "PNG" if row % 3 == 0 else "JPEG"
    sink = io.BytesIO()
    image.save(sink, kind)
    return sink.getvalue(), f"n{row:08d}.{kind}"


@functools.cache
def imagenet() -> Mapping[str, bytes | str]:
    """Returns the files of imagenet-1k; labels of `test` are -1, as the real ones."""
    files: dict[str, bytes | str] = {}
    row = 0
    for split, shards in IMAGENET_SHARDS.items():
        for number, size in enumerate(shards):
            rows = range(row, row + size)
            row += size
            images = [dict(zip(("bytes", "path"), picture(place))) for place in rows]
            labels = [-1 if split == "test" else place % len(IMAGENET_LABELS) for place in rows]
            columns = {"image": images, "label": labels}
            path = f"data/{split}-{number:05d}-of-{len(shards):05d}.parquet"
            files[path] = hub_parquet.parquet_bytes(columns, _IMAGENET_FEATURES)
    sizes = {"default": {split: sum(shards) for split, shards in IMAGENET_SHARDS.items()}}
    patterns = {"default": {split: f"data/{split}-*" for split in IMAGENET_SHARDS}}
    readme = hub_parquet.card(_IMAGENET_FEATURES, sizes=sizes, patterns=patterns)
    return {"README.md": readme, "classes.py": "IMAGENET2012_CLASSES = {}\n", **files}


# reviews: JSON lines and CSV, nothing said about configurations; which files are wanted is chosen.


def review(path: str, row: int) -> dict[str, Any]:
    """Returns one line of a file."""
    return {"text": f"{path} says {row}: quite good, n° {row}", "stars": 1 + row % 5}


@functools.cache
def reviews() -> Mapping[str, bytes | str]:
    """Returns the files of a data set of which the user chooses files and folders."""
    files = {
        path: "".join(json.dumps(review(path, row)) + "\n" for row in range(size))
        for path, size in REVIEWS_SIZES.items()
    }
    for path, size in REVIEWS_CSV_SIZES.items():
        rows = [review(path, row) for row in range(size)]
        lines = [f'"{row["text"]}",{row["stars"]}' for row in rows]
        files[path] = "\n".join(["text,stars", *lines]) + "\n"
    return {"README.md": "---\nlicense: other\n---\n# Reviews\n", **files}


# accuracy: a space with a script, as metrics are kept.

_ACCURACY = '''
"""The share of predictions that are right."""

import datasets
import evaluate


class Accuracy(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description="Share of predictions that are right.",
            citation="",
            inputs_description="Two lists of numbers.",
            features=datasets.Features(
                {"predictions": datasets.Value("int32"), "references": datasets.Value("int32")}
            ),
        )

    def _compute(self, predictions, references):
        right = sum(said == true for said, true in zip(predictions, references))
        return {"accuracy": right / len(references)}
'''


def accuracy() -> Mapping[str, bytes | str]:
    """Returns the files of a metric's space."""
    return {
        "README.md": "---\ntitle: Accuracy\nsdk: gradio\napp_file: app.py\n---\n# Accuracy\n",
        "accuracy.py": _ACCURACY.lstrip(),
        "app.py": "import evaluate\n",
        "requirements.txt": "evaluate\n",
    }


def add_conll2003(hub: FakeHub) -> HubRepository:
    """Puts conll2003 on a Hub, under its old name as well."""
    repository = hub.add("dataset", CONLL2003, conll2003(), aliases=("conll2003",))
    repository.commit(conll2003_parquet(), branch="refs/convert/parquet", is_orphan=True)
    _add_viewer(repository, _CONLL_FEATURES)
    return repository


def add_wikiann(hub: FakeHub) -> HubRepository:
    """Puts wikiann on a Hub, under its old name as well."""
    return hub.add("dataset", WIKIANN, wikiann(), aliases=("wikiann",))


def add_imagenet(hub: FakeHub) -> HubRepository:
    """Puts imagenet-1k on a Hub, gated; `OTHER_TOKEN` is known and has no access."""
    hub.admit(OTHER_TOKEN)
    return hub.add("dataset", IMAGENET, imagenet(), aliases=("imagenet-1k",), token=ACCESS_TOKEN)


def add_reviews(hub: FakeHub) -> HubRepository:
    """Puts reviews on a Hub: `v1` has less than `v2`, and `main` is `v2` with one more commit."""
    files = reviews()
    early = {path: files[path] for path in ("README.md", "reviews-2024.jsonl")}
    repository = hub.add("dataset", REVIEWS, early)
    repository.tag("v1")
    repository.commit({path: data for path, data in files.items() if path not in early})
    repository.tag("v2")
    repository.commit({"NOTES.md": "Nothing new.\n"})
    return repository


def fill(hub: FakeHub) -> None:
    """Puts all of them on a Hub."""
    add_conll2003(hub)
    add_wikiann(hub)
    add_imagenet(hub)
    add_reviews(hub)
    hub.add("model", MINILM, hub_models.minilm())
    hub.add("model", T5, hub_models.t5())
    hub.add("model", CHAT, hub_models.chat())
    hub.add("space", ACCURACY, accuracy())
