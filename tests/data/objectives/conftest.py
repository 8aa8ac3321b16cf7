from __future__ import annotations

import numpy as np
import pytest
import vocabulary_texts

from code_t5.data.objectives import Documents
from code_t5.encoding import token_model
from code_t5.encoding.ragged import Ragged
from preprocessing import vocabulary_training

CODE = '''\
import os


class Reader:
    """Reads a file, one line at a time; d\u00e9j\u00e0 vu is not \u65e5\u672c\u8a9e."""

    def __init__(self, path, size=4096):
        self.path = os.path.join("/data", path)
        self.size = size  # bytes

    def lines(self):
        with open(self.path) as stream:
            for number, line in enumerate(stream):
                if not line.strip():
                    continue
                yield number, line.rstrip("\\n")


def main(argv):
    reader = Reader(argv[1], size=int(argv[2]) if len(argv) > 2 else 4096)
    total = sum(len(line) for _, line in reader.lines())
    print(f"{total} characters in {reader.path!r}")
    return 0 if total else 1
'''


@pytest.fixture(scope="session")
def vocabulary_dirs(tmp_path_factory):
    """Two vocabularies of 430 and 520 pieces."""
    folders = []
    for size in (430, 520):
        folder = tmp_path_factory.mktemp("vocabularies") / f"size_{size}"
        vocabulary_training.train_vocabulary(
            vocabulary_texts.TRAINING_TEXTS, output_dir=folder, vocab_size=size
        )
        folders.append(folder)
    return folders


@pytest.fixture(scope="session")
def model(vocabulary_dirs):
    return token_model.load_token_model(vocabulary_dirs[0])


@pytest.fixture(scope="session")
def other_model(vocabulary_dirs):
    return token_model.load_token_model(vocabulary_dirs[1])


@pytest.fixture(scope="session")
def make_documents():
    """Encodes texts."""

    def make(model, texts):
        rows = Ragged.from_rows([model.encode(text) for text in texts])
        return Documents(
            tokens=rows.values.astype(np.uint16),
            offsets=rows.offsets,
            sizes=np.array([len(text.encode()) for text in texts], dtype=np.int64),
            names=lambda index: ("octocat/hello", f"src/file_{index}.py"),
        )

    return make


@pytest.fixture(scope="session")
def texts():
    """Files of all kinds: code, one that does not parse, odd texts, long lines, blank ones."""
    odd = [text for text in vocabulary_texts.NASTY_TEXTS if text]
    return [
        CODE,
        CODE.replace("(", "[", 3),
        "x = 1",
        "x",
        "\n",
        "  \n\t\n\n",
        "value = [" + ", ".join(map(str, range(400))) + "]\n",
        "\u65e5\u672c\u8a9e" * 200,
        "\r\n".join(CODE.split("\n")),
        "",
        CODE * 8,
        *odd,
    ]
