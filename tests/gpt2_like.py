"""A byte-level BPE tokenizer that cuts texts as GPT-2 does, trained on a little Python."""

from __future__ import annotations

import functools
from typing import Any

END_OF_TEXT = "<|endoftext|>"
CODE = (
    "def encode(self, texts: list[str]) -> list[int]:\n"
    "    # doesn't say what it's for\n"
    "    return [self.table[text] for text in texts if text not in self.skipped]\n\n\n"
    "class Reader:\n    def __init__(self, path=None, *, size_bytes=1024):\n"
    "        self.path = path\n        self.size_bytes = size_bytes * 2\n"
)


@functools.lru_cache(maxsize=1)
def _trained() -> str:
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, trainers

    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([CODE] * 3, trainer)
    return tokenizer.to_str()


def backend() -> Any:
    """Returns a new `tokenizers.Tokenizer`: `<|endoftext|>` is 0, 330 pieces in all."""
    import tokenizers

    return tokenizers.Tokenizer.from_str(_trained())


def hugging_face_tokenizer(**changes: Any) -> Any:
    """Returns a new fast tokenizer, with these arguments of its class besides."""
    import transformers

    names = dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT)
    return transformers.GPT2TokenizerFast(**{"tokenizer_object": backend(), **names, **changes})
