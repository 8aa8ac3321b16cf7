"""A vocabulary of a few words, with sentinels, as seqio's are seen from outside."""

from __future__ import annotations

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
