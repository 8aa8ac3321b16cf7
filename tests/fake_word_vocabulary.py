"""A vocabulary of a few words with sentinels, as seqio's are seen from outside; and rows of it."""

from __future__ import annotations

import numpy as np

from code_t5.data.preview import pieces

WORDS = ["alpha", " beta", "\n", "\x1b[31m", " delta"]
FIRST = 3


class WordVocabulary:
    """Ids 0 to 2 are special, words follow, 4 sentinels are on top."""

    pad_id, eos_id, unk_id, extra_ids = 0, 1, 2, 4
    vocab_size = FIRST + len(WORDS) + 4

    def decode(self, ids):
        text = ""
        for token_id in ids:
            if token_id >= FIRST + len(WORDS):
                text += f"<extra_id_{self.vocab_size - 1 - token_id}>"
            else:
                text += WORDS[token_id - FIRST]
        # As SentencePiece with a dummy prefix does.
        return text[1:] if text.startswith(" ") else text


def reader() -> pieces.TokenReader:
    return pieces.TokenReader.of_vocabulary(WordVocabulary())


def packed_arrays(**features):
    """Returns a row of 8 positions as the trainer packs it; features are lists of examples."""
    arrays = {}
    for name, examples in features.items():
        ids = [token for example in examples for token in example]
        numbers = [place for place, example in enumerate(examples, 1) for _ in example]
        padding = [0] * (8 - len(ids))
        arrays[name] = np.array(ids + padding)
        arrays[f"{name}_segmentation"] = np.array(numbers + padding)
    return arrays
