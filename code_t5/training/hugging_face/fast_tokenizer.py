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

from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import vocabulary_escapes
from code_t5.encoding import byte_bpe_model, piece_model
from code_t5.token_cache.tokenizing import hostile_texts

_SPECIAL = ("<pad>", "</s>", "<unk>")
_BLANKS = (" ", "\t")
# Escapes, and what of a text they stand for: here texts are not escaped.
_UNESCAPED = {
    vocabulary_escapes.ESCAPED_ESCAPE_MARK: vocabulary_escapes.ESCAPE_MARK,
    vocabulary_escapes.ESCAPED_SPACE_MARK: vocabulary_escapes.SPACE_MARK,
}
_CODE = (
    "def main(argv):\n    return {key: value for key, value in argv.items()}  # </s>\n",
    "class A:\r\n\tx = [1, 2.5e-3, 0xFF]\n\n\n        y = '<extra_id_0>' if x else None\n",
    "# " + "=" * 77 + "\n" + "-" * 33 + "\n" + "aaa" * 40 + " ." * 20 + "\n",
    "a\x10b \x10e\x10\x10s \u2581 \u2581\u2581 x\u2581y \x10x<extra_id_1>",
)


def _text_of(piece: str) -> str:
    """Returns the text that a piece stands for."""
    return _UNESCAPED.get(piece) or piece.replace(vocabulary_escapes.SPACE_MARK, " ")


def _is_fixed(text: str) -> bool:
    letters = set(text)
    is_run = letters == {"\t"} or (letters == {" "} and len(text) > 1)
    return is_run or text == "\n" or text in _UNESCAPED.values()


def _merges(scores: Mapping[str, float]) -> list[tuple[str, str]]:
    """Returns the pairs that make pieces, those of the best score first."""
    found = []
    for piece, score in scores.items():
        for cut in range(1, len(piece)):
            if piece[:cut] in scores and piece[cut:] in scores:
                found.append((score, piece[:cut], piece[cut:]))
    # Stable: pairs of one piece stay in the order of their cuts.
    found.sort(key=lambda entry: -entry[0])
    return [(left, right) for _, left, right in found]


def _run_merges(blank: str, *, longest: int) -> list[tuple[str, str]]:
    """Returns the pairs by which a run of one character becomes one piece, whatever its length.

    Halves are joined first, so that a run of 13 becomes 8, 4 and 1; then each rest to what stands
    before it, the longest rests first.

    >>> _run_merges("-", longest=3)
    [('-', '-'), ('--', '-')]
    """
    powers = [1 << bit for bit in range(longest.bit_length())]
    found = [(half, half) for half in powers if 2 * half <= longest]
    for rest in reversed(powers):
        starts = range(2 * rest, longest - rest + 1, 2 * rest)
        found += [(start, rest) for start in starts if start + rest <= longest]
    return [(blank * left, blank * right) for left, right in dict.fromkeys(found)]


def _byte_pair_model(pieces: Sequence[str], scores: Mapping[str, float]) -> Any:
    """Returns the model of `tokenizers`.

    Args:
      pieces: Texts by id.
      scores: Of the pieces that are merged.
    """
    from tokenizers import models

    merges = _merges(scores)
    for blank in _BLANKS:
        longest = max((len(piece) for piece in pieces if set(piece) == {blank}), default=0)
        merges += _run_merges(blank, longest=longest)
    return models.BPE(
        vocab={piece: token_id for token_id, piece in enumerate(pieces)},
        merges=merges,
        unk_token="<unk>",
        byte_fallback=True,
    )


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
    from tokenizers import decoders, pre_tokenizers

    processor = sentencepiece.SentencePieceProcessor(model_proto=model.model_bytes)
    ids = range(model.num_pieces)
    pieces = [_text_of(processor.id_to_piece(token_id)) for token_id in ids]
    kept = [token_id for token_id in ids[len(_SPECIAL) :] if not processor.is_byte(token_id)]
    fixed = {pieces[token_id] for token_id in kept if _is_fixed(pieces[token_id])}
    scores = {
        pieces[token_id]: processor.get_score(token_id)
        for token_id in kept
        if pieces[token_id] not in fixed
    }
    tokenizer = tokenizers.Tokenizer(_byte_pair_model(pieces, scores))
    # SentencePiece takes the longest at each place; so does an alternation with the longest first.
    pattern = "|".join(map(_quoted, sorted(fixed, key=len, reverse=True)))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    names = [*_SPECIAL, *byte_bpe_model.sentinel_names()]
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(name, normalized=False, special=True) for name in names]
    )
    if add_eos:
        end_with_eos(tokenizer)
    return tokenizer


def end_with_eos(tokenizer: Any) -> None:
    """Has a tokenizer end what it encodes with the end of text.

    Args:
      tokenizer: A `tokenizers.Tokenizer`.
    """
    from tokenizers import processors

    end = _SPECIAL[piece_model.EOS_ID]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end}",
        pair=f"$A {end} $B {end}",
        special_tokens=[(end, piece_model.EOS_ID)],
    )


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
    hostile = (text.decode("utf-8") for text in hostile_texts.hostile_texts(_SPECIAL))
    for text in (*_CODE, *hostile):
        if tokenizer.encode(text, add_special_tokens=False).ids != model.encode(text):
            return text
    return None
