"""Writes the files by which `transformers` turns text into the ids of a vocabulary of code_t5.

Of either kind of vocabulary there is a `tokenizer.json`, which `transformers.AutoTokenizer` loads:
the same ids for every text, and every text comes back unchanged. A SentencePiece vocabulary becomes
`spiece.model` too, for the slow `T5Tokenizer`. That one gives the same ids for every text without
the two characters that code_t5 escapes (U+0010 and U+2581), for others if it is given
`code_t5.vocabulary_escapes.escape(text)`; and it strips what it decodes.

All take special tokens that a text spells, `</s>` or `<extra_id_0>`, for what they are in source
code: text.
"""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

from absl import logging

from code_t5.encoding import byte_bpe_model, piece_model, token_model
from code_t5.storage import manifest
from code_t5.training.hugging_face import fast_tokenizer

TOKENIZER_CONFIG_NAME = "tokenizer_config.json"
SPECIAL_TOKENS_NAME = "special_tokens_map.json"
SENTENCEPIECE_NAME = "spiece.model"
VOCABULARY_FOLDER = "vocabulary"
_MODEL_NAMES = {
    token_model.SENTENCEPIECE: piece_model.MODEL_NAME,
    token_model.BYTE_BPE: byte_bpe_model.MODEL_NAME,
}
_SPECIAL_TOKENS = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def copy_vocabulary(vocabulary_dir: pathlib.Path, folder: pathlib.Path) -> dict[str, Any]:
    """Copies a vocabulary, after loading it, and nothing that lies beside its files.

    Args:
      vocabulary_dir: The vocabulary.
      folder: Gets the directory `vocabulary`.

    Returns:
      The vocabulary's manifest.

    Raises:
      NotBuiltError: There is no vocabulary.
      ArtifactError: It is half-written, damaged or of another format.
    """
    token_model.load_token_model(vocabulary_dir)
    fields = piece_model.read_vocabulary_manifest(vocabulary_dir)
    target = folder / VOCABULARY_FOLDER
    target.mkdir()
    names = (_MODEL_NAMES[fields["kind"]], manifest.MANIFEST_NAME, manifest.COMPLETED_NAME)
    for name in names:
        shutil.copyfile(vocabulary_dir / name, target / name)
    return fields


def write_tokenizer(folder: pathlib.Path, *, kind: str, add_eos: bool, max_tokens: int) -> None:
    """Writes the tokenizer's files from the vocabulary copied to a directory.

    Args:
      folder: Of the export; `copy_vocabulary` has been there.
      kind: Of the vocabulary.
      add_eos: Whether inputs end with the end of text.
      max_tokens: Most tokens of inputs.
    """
    config: dict[str, Any] = {
        **_SPECIAL_TOKENS,
        "additional_special_tokens": sentinel_names(),
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_tokens,
        "split_special_tokens": True,
    }
    vocabulary_dir = folder / VOCABULARY_FOLDER
    if kind == token_model.BYTE_BPE:
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        tokenizer = _byte_bpe_tokenizer(vocabulary_dir, add_eos=add_eos)
    else:
        # legacy: SentencePiece gets the text as it is.
        config.update(tokenizer_class="T5Tokenizer", extra_ids=piece_model.EXTRA_IDS, legacy=True)
        shutil.copyfile(vocabulary_dir / piece_model.MODEL_NAME, folder / SENTENCEPIECE_NAME)
        tokenizer = _sentencepiece_tokenizer(vocabulary_dir, add_eos=add_eos)
    if tokenizer is not None:
        text = tokenizer.to_str(pretty=True)
        (folder / byte_bpe_model.MODEL_NAME).write_text(text, encoding="utf-8")
    write_json(folder / TOKENIZER_CONFIG_NAME, config)
    special = {**_SPECIAL_TOKENS, "additional_special_tokens": sentinel_names()}
    write_json(folder / SPECIAL_TOKENS_NAME, special)


def _byte_bpe_tokenizer(vocabulary_dir: pathlib.Path, *, add_eos: bool) -> Any:
    """Returns the tokenizer of `tokenizers` that the vocabulary is."""
    import tokenizers

    path = vocabulary_dir / byte_bpe_model.MODEL_NAME
    tokenizer = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    if add_eos:
        fast_tokenizer.end_with_eos(tokenizer)
    return tokenizer


def _sentencepiece_tokenizer(vocabulary_dir: pathlib.Path, *, add_eos: bool) -> Any:
    """Returns a tokenizer of `tokenizers` that gives a vocabulary's ids; None if there is none."""
    model = piece_model.load_piece_model(vocabulary_dir)
    model_type = piece_model.read_vocabulary_manifest(vocabulary_dir).get("model_type")
    difference: str | None = f"its model is of the type {model_type}"
    if model_type == "bpe":
        tokenizer = fast_tokenizer.build_fast_tokenizer(model, add_eos=add_eos)
        difference = fast_tokenizer.find_difference(tokenizer, model)
        if difference is None:
            return tokenizer
    logging.warning(
        "The vocabulary has no fast tokenizer that gives the same ids (%s): load the export's with "
        "transformers.T5Tokenizer",
        ascii(difference)[:100],
    )
    return None


def sentinel_names() -> list[str]:
    """Returns the names of the sentinels, `<extra_id_0>` first."""
    return [f"<extra_id_{number}>" for number in range(piece_model.EXTRA_IDS)]


def write_json(path: pathlib.Path, fields: dict[str, Any]) -> None:
    """Writes a file of settings, as `transformers` lays them out."""
    text = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=True)
    path.write_text(text + "\n", encoding="ascii")
