"""A SentencePiece vocabulary of code_t5 as a tokenizer of `tokenizers`, escapes included.

What `transformers` makes of `spiece.model` by itself, when it is asked for a fast tokenizer, joins
runs of spaces, which code is full of. So an export brings its own: the same pieces, as byte-pair
merges. *Fixed pieces* are those that SentencePiece looks for before it merges: line ends, tabs,
runs of spaces and escapes.

Both libraries merge the pair that makes the piece with the best score, the leftmost first. Where a
piece can be made of several pairs, `tokenizers` prefers one of them and not the leftmost; so the
ids are compared on *proof texts*, and a tokenizer that differs is not written.
"""

from __future__ import annotations

import itertools
from typing import Any

from code_t5 import vocabulary_escapes
from code_t5.encoding import piece_model
from code_t5.token_cache.tokenizing import hostile_texts

_SPACE = vocabulary_escapes.SPACE_MARK
_SPECIAL = ("<pad>", "</s>", "<unk>")
_FIXED = ("\n", vocabulary_escapes.ESCAPED_ESCAPE_MARK, vocabulary_escapes.ESCAPED_SPACE_MARK)
_CODE = (
    "def main(argv):\n    return {key: value for key, value in argv.items()}  # </s>\n",
    "class A:\r\n\tx = [1, 2.5e-3, 0xFF]\n\n\n        y = '<extra_id_0>' if x else None\n",
    "# " + "=" * 77 + "\n" + "-" * 33 + "\n" + "aaa" * 40 + " ." * 20 + "\n",
    "a\x10b \x10e\x10\x10s \u2581 \u2581\u2581 x\u2581y \x10x<extra_id_1>",
)


def _is_fixed(piece: str) -> bool:
    letters = set(piece)
    is_run = letters == {"\t"} or (letters == {_SPACE} and len(piece) > 1)
    return piece in _FIXED or is_run


def _merges(scores: dict[str, float]) -> list[tuple[str, str]]:
    """Returns the pairs that make pieces, those of the best score first."""
    found = []
    for piece, score in scores.items():
        for cut in range(1, len(piece)):
            if piece[:cut] in scores and piece[cut:] in scores:
                found.append((score, piece[:cut], piece[cut:]))
    # Stable: pairs of one piece stay in the order of their cuts.
    found.sort(key=lambda entry: -entry[0])
    return [(left, right) for _, left, right in found]


def build_fast_tokenizer(model: piece_model.PieceModel, *, add_eos: bool) -> Any:
    """Makes the tokenizer of a SentencePiece model that was trained as byte-pair encoding.

    Args:
      model: The vocabulary's.
      add_eos: Whether what is encoded ends with the end of text.

    Returns:
      A `tokenizers.Tokenizer`.
    """
    import sentencepiece
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

    processor = sentencepiece.SentencePieceProcessor(model_proto=model.model_bytes)
    pieces = [processor.id_to_piece(token_id) for token_id in range(model.num_pieces)]
    normal = {
        piece: processor.get_score(token_id)
        for token_id, piece in enumerate(pieces)
        if token_id >= len(_SPECIAL) and not processor.is_byte(token_id) and not _is_fixed(piece)
    }
    tokenizer = tokenizers.Tokenizer(
        models.BPE(
            vocab={piece: token_id for token_id, piece in enumerate(pieces)},
            merges=_merges(normal),
            unk_token="<unk>",
            byte_fallback=True,
            # A fixed piece is one, though nothing merges to it.
            ignore_merges=True,
        )
    )
    steps = (*vocabulary_escapes.ESCAPE_STEPS, (" ", _SPACE))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(*step) for step in steps])
    fixed = sorted(filter(_is_fixed, pieces), key=len, reverse=True)
    # SentencePiece takes the longest at each place; so does an alternation with the longest first.
    pattern = tokenizers.Regex("|".join(map(_quoted, fixed)))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "isolated")
    back = [(_SPACE, " "), *vocabulary_escapes.UNESCAPE_STEPS]
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.ByteFallback(),
            decoders.Fuse(),
            *(decoders.Replace(*step) for step in back),
        ]
    )
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(name, normalized=False, special=True) for name in _SPECIAL]
    )
    names = [f"<extra_id_{number}>" for number in reversed(range(piece_model.EXTRA_IDS))]
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(name, normalized=False, special=True) for name in names]
    )
    if add_eos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="$A </s>",
            pair="$A </s> $B </s>",
            special_tokens=[("</s>", piece_model.EOS_ID)],
        )
    return tokenizer


def _quoted(piece: str) -> str:
    """Returns a pattern for exactly a piece."""
    return "".join(f"\\x{{{ord(letter):04x}}}" for letter in piece)


def find_difference(tokenizer: Any, model: piece_model.PieceModel) -> str | None:
    """Returns a proof text that gets other ids than from the vocabulary; None if there is none.

    Args:
      tokenizer: As `build_fast_tokenizer` returns it.
      model: The vocabulary's.
    """
    tokenizer.encode_special_tokens = True
    texts = itertools.chain(_CODE, hostile_texts.hostile_texts(_SPECIAL))
    for text in texts:
        if tokenizer.encode(text, add_special_tokens=False).ids != model.encode(text):
            return text
    return None
