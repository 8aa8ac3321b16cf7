"""What a fake Hub serves to tests: a data set as `glue` is, and a tokenizer as `gpt2` is.

Both are found under their old names as well (`glue`, `gpt2`), as on the real Hub.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

from fake_hub import FakeHub
from fake_hub_store import HubRepository

DATASET = "nyu-mll/glue"
TOKENIZER = "openai-community/gpt2"
END_OF_TEXT = "<|endoftext|>"
SIZES = {"train": 300, "validation": 40, "test": 20}
# As the issue has it: done is when this runs.
SNIPPET = """
from code_t5.token_cache import FastHfDatasetProvider

provider = FastHfDatasetProvider.from_hub(
    "glue", dataset_config_name="sst2", tokenizer_name="gpt2",
    mapping_column_name=["sentence"], use_shared_memory=False, cache_dir="cache/glue-sst2-gpt2")
train = provider.get_train_dataset(seq_len=512)      # a torch Dataset of (inputs, labels), labels shifted by one
val = provider.get_val_dataset(seq_len=512)
"""  # noqa: E501
_GOOD = "a warm , funny , quietly moving film about people who talk and listen to each other"
_BAD = "the plot is thin , the jokes are tired and nobody on the screen seems to be awake"
_README = """---
license: other
configs:
- config_name: cola
  data_files:
  - split: train
    path: cola/train-*
- config_name: sst2
  data_files:
  - split: train
    path: sst2/train-*
  - split: validation
    path: sst2/validation-*
  - split: test
    path: sst2/test-*
---
# A data set of a test
"""


def sentence(split: str, row: int) -> str:
    """Returns the text of one row: no two are equal, some are not ASCII."""
    words = (_GOOD if row % 2 else _BAD).split()
    turned = words[row % len(words) :] + words[: row % len(words)]
    return " ".join([*turned, f"({split} n° {row})"])


def sentences(split: str) -> list[str]:
    """Returns the texts of one split of `sst2`, in order."""
    return [sentence(split, row) for row in range(SIZES[split])]


def parquet_bytes(rows: Iterable[str], *, first: int = 0) -> bytes:
    """Returns a Parquet file with the columns of `sst2`."""
    import pyarrow
    import pyarrow.parquet

    texts = list(rows)
    numbers = range(first, first + len(texts))
    table = pyarrow.table(
        {
            "idx": pyarrow.array(numbers, pyarrow.int32()),
            "sentence": pyarrow.array(texts, pyarrow.string()),
            "label": pyarrow.array([number % 2 for number in numbers], pyarrow.int64()),
        }
    )
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def dataset_files() -> dict[str, bytes | str]:
    """Returns the files of `glue`: `cola`, and `sst2` with train in two files."""
    train, half = sentences("train"), SIZES["train"] // 2
    return {
        "README.md": _README,
        "cola/train-00000-of-00001.parquet": parquet_bytes(f"cola {row} ." for row in range(5)),
        "sst2/train-00000-of-00002.parquet": parquet_bytes(train[:half]),
        "sst2/train-00001-of-00002.parquet": parquet_bytes(train[half:], first=half),
        "sst2/validation-00000-of-00001.parquet": parquet_bytes(sentences("validation")),
        "sst2/test-00000-of-00001.parquet": parquet_bytes(sentences("test")),
    }


def tokenizer_files(*, vocab_size: int = 400, texts: Iterable[str] = ()) -> dict[str, str]:
    """Returns the files of a byte-level BPE tokenizer as `gpt2` has them, trained here.

    Args:
      vocab_size: Pieces, with the 256 bytes and the end of text.
      texts: To train on; by default the sentences of `sst2`.
    """
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts or sentences("train"), trainer)
    content = json.loads(tokenizer.to_str())
    merges = [m if isinstance(m, str) else " ".join(m) for m in content["model"]["merges"]]
    settings = {
        "add_prefix_space": False, "model_max_length": 1024, "tokenizer_class": "GPT2Tokenizer",
        "bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT,
    }  # fmt: skip
    return {
        "config.json": json.dumps({"model_type": "gpt2", "vocab_size": vocab_size}),
        "merges.txt": "\n".join(["#version: 0.2", *merges]) + "\n",
        "tokenizer.json": json.dumps(content, ensure_ascii=False),
        "tokenizer_config.json": json.dumps(settings),
        "vocab.json": json.dumps(content["model"]["vocab"], ensure_ascii=False),
    }


def fill(hub: FakeHub) -> tuple[HubRepository, HubRepository]:
    """Puts both repositories on a Hub: the data set and the tokenizer."""
    dataset = hub.add("dataset", DATASET, dataset_files(), aliases=("glue",))
    tokenizer = hub.add("model", TOKENIZER, tokenizer_files(), aliases=("gpt2",))
    return dataset, tokenizer
