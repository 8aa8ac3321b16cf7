"""A Hugging Face tokenizer of bytes alone, whose ids are known without training."""

from __future__ import annotations

from typing import Any

END_OF_TEXT = "<end>"


def hugging_face_tokenizer(*, eos_token: str | None = END_OF_TEXT, num_unused: int = 0) -> Any:
    """Returns a fast tokenizer: `<end>` is 0, then the 256 bytes in GPT-2's order.

    Args:
      eos_token: None for a tokenizer without an end of text.
      num_unused: How many ids below those of the bytes stand for nothing in any text.
    """
    import tokenizers
    import transformers
    from tokenizers import decoders, models, pre_tokenizers

    words = [END_OF_TEXT, *(f"<unused{number}>" for number in range(num_unused))]
    words += sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = tokenizers.Tokenizer(
        models.BPE(vocab={word: place for place, word in enumerate(words)}, merges=[])
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos_token)
