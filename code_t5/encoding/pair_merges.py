"""Byte-pair encoding of many units at once, by array operations.

A *merge* turns two neighbouring ids into one; its *rank* is its turn: of all merges that are
possible in a unit the one of lowest rank is made, the leftmost of several, until none is possible
(Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016, section 3.2).
That is what SentencePiece and Hugging Face's `tokenizers` do, unit by unit; here every unit makes
its next merge in the same step. So the ids are theirs, which `UnitEncoder` checks on the first few
thousand units.

The rules are read out of a vocabulary. Runs of spaces, tabs and line ends, units with a character
beyond ASCII, and the few that are longer than `MAX_BYTES` are left to the vocabulary's library.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from code_t5 import vocabulary_escapes
from code_t5.encoding import byte_bpe_model, number_table, piece_model
from code_t5.encoding.ragged import Ragged, offsets_of
from code_t5.encoding.token_model import TokenModel

MAX_BYTES = 30
# Units are laid out in rows of so many ids, and so many ids at a time.
_WIDTHS = (6, 10, 16, MAX_BYTES)
_BLOCK_IDS = 1 << 16
_PLACES_PER_RULE = 16
# The odd number nearest to 2^64 times the fraction of the square root of 2: keys stay different.
_KEY_MULTIPLIER = np.uint64(0x6A09E667F3BCC909)
_KEY_SHIFT = np.uint64(32)
# The rank of what cannot be merged, and the id of what is not there: padding, which nothing merges.
_NEVER = np.iinfo(np.int32).max
_NOTHING = piece_model.PAD_ID
_NUM_ASCII = 128


@dataclasses.dataclass(frozen=True)
class MergeRules:
    """What a vocabulary merges.

    Attributes:
      byte_ids: int32 `[256]`; the id that each byte begins as, 0 for one that is not done here.
      pairs: int64 `[num_rules, 2]`; what is merged.
      ranks: int64 `[num_rules]`; from 0 to `len(results) - 1`.
      results: int32; by rank, what comes of it.
    """

    byte_ids: np.ndarray
    pairs: np.ndarray
    ranks: np.ndarray
    results: np.ndarray


def read_rules(model: TokenModel) -> MergeRules | None:
    """Reads the rules of a vocabulary.

    Args:
      model: The vocabulary's.

    Returns:
      None if it does anything that is not done here.
    """
    if isinstance(model, piece_model.PieceModel):
        return _piece_rules(model)
    if isinstance(model, byte_bpe_model.ByteBpeModel):
        return _byte_rules(model)
    return None


def _piece_rules(model: piece_model.PieceModel) -> MergeRules | None:
    """SentencePiece merges any two neighbours that give a piece, those of the best score first."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=model.model_bytes)
    byte_ids = np.zeros(256, dtype=np.int32)
    ids: dict[str, int] = {}
    for token_id in range(piece_model.UNK_ID + 1, model.num_pieces):
        text = processor.id_to_piece(token_id).replace(vocabulary_escapes.SPACE_MARK, " ")
        if processor.is_byte(token_id):
            continue
        if processor.is_unused(token_id) or processor.is_control(token_id):
            return None
        is_run = not text.strip(" \t\n") and text != " "
        if is_run or vocabulary_escapes.ESCAPE_MARK in text:
            # Matched as they stand; none of them is part of a unit that is merged here.
            continue
        ids[text] = token_id
        if len(text) == 1 and text.isascii():
            byte_ids[ord(text)] = token_id
    ranked = sorted(ids, key=lambda text: -processor.get_score(ids[text]))
    if len({processor.get_score(token_id) for token_id in ids.values()}) < len(ids):
        return None
    rules = [
        (ids[text[:cut]], ids[text[cut:]], rank)
        for rank, text in enumerate(ranked)
        for cut in range(1, len(text))
        if text[:cut] in ids and text[cut:] in ids
    ]
    return _make_rules(byte_ids, rules, [ids[text] for text in ranked])


def _byte_rules(model: byte_bpe_model.ByteBpeModel) -> MergeRules | None:
    """Hugging Face's `tokenizers` merge the pairs of a list, those that stand first first."""
    fields = json.loads(model.tokenizer_json)["model"]
    plain = {"type": "BPE", "dropout": None, "byte_fallback": False, "ignore_merges": False}
    affixes = ("continuing_subword_prefix", "end_of_word_suffix")
    if any(fields.get(name, wanted) != wanted for name, wanted in plain.items()) or any(
        fields.get(name) for name in affixes
    ):
        return None
    ids: dict[str, int] = fields["vocab"]
    byte_ids = np.array([ids[letter] for letter in byte_bpe_model.byte_alphabet()], dtype=np.int32)
    byte_ids[_NUM_ASCII:] = 0
    byte_ids[list(b"\t\n")] = 0
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in fields["merges"]]
    rules = [(ids[left], ids[right], rank) for rank, (left, right) in enumerate(merges)]
    return _make_rules(byte_ids, rules, [ids[left + right] for left, right in merges])


def _make_rules(
    byte_ids: np.ndarray, rules: list[tuple[int, int, int]], results: list[int]
) -> MergeRules:
    table = np.array(rules, dtype=np.int64).reshape(-1, 3)
    return MergeRules(byte_ids, table[:, :2], table[:, 2], np.array(results, dtype=np.int32))


class PairMerger:
    """Merges the bytes of units to the ids of a vocabulary."""

    def __init__(self, rules: MergeRules) -> None:
        """Makes a table of the rules.

        Args:
          rules: Of the vocabulary.
        """
        self._byte_ids = rules.byte_ids
        self._results = rules.results
        self._space_id = rules.byte_ids[ord(" ")]
        self._table = number_table.NumberTable(places_per_key=_PLACES_PER_RULE)
        # Numbers are ranks less `_NEVER`: so never 0, and 0 for what is not there.
        self._table.insert(_pair_keys(rules.pairs[:, 0], rules.pairs[:, 1]), rules.ranks - _NEVER)

    def merge(
        self, data: np.ndarray, *, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[Ragged, np.ndarray]:
        """Merges those units that can be merged here.

        Args:
          data: uint8; the texts, readable for `MAX_BYTES` from every start.
          starts: int64 `[num_units]`; where each unit begins in `data`.
          ends: int64 `[num_units]`; where it ends.

        Returns:
          The ids, one row per unit that was merged, and int64 `[num_rows]`: which unit each is.
        """
        # Sorting bytes is quicker than sorting numbers.
        lengths = np.minimum(ends - starts, MAX_BYTES + 1).astype(np.uint8)
        order = np.argsort(lengths, kind="stable")
        stops = np.searchsorted(lengths[order], _WIDTHS, side="right").tolist()
        values = [np.zeros(0, dtype=np.int32)]
        counts = [np.zeros(0, dtype=np.int64)]
        units = [np.zeros(0, dtype=np.int64)]
        for width, first, stop in zip(_WIDTHS, [0, *stops], stops):
            step = _BLOCK_IDS // width
            for start in range(first, stop, step):
                chosen = order[start : min(start + step, stop)]
                rows = self._lay_out(data, starts[chosen], lengths=lengths[chosen], width=width)
                is_whole = np.count_nonzero(rows, axis=1) == lengths[chosen]
                # Of runs of spaces no byte-pair encoding is asked.
                is_whole &= (rows[:, 1] != self._space_id) | (rows[:, 2] != self._space_id)
                rows = rows[is_whole]
                self._merge_rows(rows)
                is_id = rows != _NOTHING
                values.append(rows[is_id].astype(np.int32))
                counts.append(np.count_nonzero(is_id, axis=1))
                units.append(chosen[is_whole])
        offsets = offsets_of(np.concatenate(counts))
        return Ragged(np.concatenate(values), offsets), np.concatenate(units)

    def _lay_out(
        self, data: np.ndarray, starts: np.ndarray, *, lengths: np.ndarray, width: int
    ) -> np.ndarray:
        """Returns the ids of single bytes, int64 `[num_units, width + 2]`, nothing around them."""
        columns = np.arange(width)
        ids = np.zeros((len(starts), width + 2), dtype=np.int64)
        ids[:, 1:-1] = self._byte_ids[data[starts[:, None] + columns]]
        ids[:, 1:-1][columns >= lengths[:, None]] = _NOTHING
        return ids

    def _ranks(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return self._table.find(_pair_keys(left, right)) + _NEVER

    def _merge_rows(self, rows: np.ndarray) -> None:
        """Merges in each row until nothing can be; what is merged away leaves a gap."""
        num_rows, width = rows.shape
        ids = rows.reshape(-1)
        ranks = np.full(len(ids), _NEVER, dtype=np.int64)
        ranks[:-1] = self._ranks(ids[:-1], ids[1:])
        ranks = ranks.reshape(num_rows, width)
        # The columns of what stands right and left of each id.
        after = np.tile(np.arange(1, width + 1), num_rows)
        before = np.tile(np.arange(-1, width - 1), num_rows)
        bases = np.arange(0, len(ids), width)
        while True:
            columns = ranks.argmin(axis=1)
            best = ranks.reshape(-1)[np.arange(0, ranks.size, width) + columns]
            (is_open,) = np.nonzero(best != _NEVER)
            if not len(is_open):
                return
            if len(is_open) < len(ranks):
                ranks, columns, best, bases = (a[is_open] for a in (ranks, columns, best, bases))
            results = self._results[best]
            left = bases + columns
            right_columns = after[left]
            right = bases + right_columns
            next_columns, last_columns = after[right], before[left]
            ids[left], ids[right] = results, _NOTHING
            after[left] = next_columns
            before[bases + next_columns] = columns
            found = self._ranks(
                np.concatenate([results, ids[bases + last_columns]]),
                np.concatenate([ids[bases + next_columns], results]),
            )
            flat, places = ranks.reshape(-1), np.arange(0, ranks.size, width)
            flat[places + right_columns] = _NEVER
            flat[places + columns] = found[: len(results)]
            flat[places + last_columns] = found[len(results) :]


def _pair_keys(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns a key for each pair of ids, uint64, all different."""
    pairs = left.astype(np.uint64) << _KEY_SHIFT | right.astype(np.uint64)
    return pairs * _KEY_MULTIPLIER
