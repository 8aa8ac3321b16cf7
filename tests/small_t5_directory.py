"""Writes small T5s as `transformers` does, for tests of teachers."""

from __future__ import annotations

import os
import pathlib

from code_t5.training.hugging_face import tokenizer_files

SIZES = {"d_model": 128, "num_layers": 2, "d_ff": 64, "num_heads": 2, "d_kv": 16}


def write_t5(folder, *, vocabulary_dir, seed=0, **changes):
    """Writes a T5 as `transformers` does, with the tokenizer of a vocabulary."""
    os.environ.setdefault("USE_TF", "0")
    import torch
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings = {**SIZES, "vocab_size": 512, "decoder_start_token_id": 0, **changes}
        model = transformers.T5ForConditionalGeneration(transformers.T5Config(**settings))
        model.save_pretrained(folder)
    folder = pathlib.Path(folder)
    kind = tokenizer_files.copy_vocabulary(vocabulary_dir, folder)["kind"]
    tokenizer_files.write_tokenizer(folder, kind=kind, add_eos=True, max_tokens=64)
    return folder
