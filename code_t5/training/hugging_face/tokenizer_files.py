"""Writes the files by which `transformers` turns text into the ids of a vocabulary of code_t5.

A byte-level BPE vocabulary becomes a `PreTrainedTokenizerFast`, with the same ids for every text. A
SentencePiece vocabulary becomes a `T5Tokenizer` (the slow one, `use_fast=False`), with the same ids
for every text without the two characters that code_t5 escapes (U+0010 and U+2581); for others
give it `code_t5.vocabulary_escapes.escape(text)`. That class also strips what it decodes: to get
texts back unchanged, decode with `code_t5.encoding.token_model.load_token_model`.

Both take special tokens that a text spells, `</s>` or `<extra_id_0>`, for what they are in source
code: text.
"""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

from code_t5.encoding import byte_bpe_model, piece_model, token_model
from code_t5.storage import manifest

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
    source = folder / VOCABULARY_FOLDER / _MODEL_NAMES[kind]
    config: dict[str, Any] = {
        **_SPECIAL_TOKENS,
        "additional_special_tokens": sentinel_names(),
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_tokens,
        "split_special_tokens": True,
    }
    if kind == token_model.BYTE_BPE:
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        _write_fast(source, folder / byte_bpe_model.MODEL_NAME, add_eos=add_eos)
    else:
        # legacy: SentencePiece gets the text as it is.
        config.update(tokenizer_class="T5Tokenizer", extra_ids=piece_model.EXTRA_IDS, legacy=True)
        config.update(add_prefix_space=False, sp_model_kwargs={})
        shutil.copyfile(source, folder / SENTENCEPIECE_NAME)
    write_json(folder / TOKENIZER_CONFIG_NAME, config)
    special = {**_SPECIAL_TOKENS, "additional_special_tokens": sentinel_names()}
    write_json(folder / SPECIAL_TOKENS_NAME, special)


def sentinel_names() -> list[str]:
    """Returns the names of the sentinels, `<extra_id_0>` first."""
    return [f"<extra_id_{number}>" for number in range(piece_model.EXTRA_IDS)]


def _write_fast(source: pathlib.Path, target: pathlib.Path, *, add_eos: bool) -> None:
    """Writes a tokenizer of `tokenizers` that ends what it encodes as the Task does."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_str(source.read_text(encoding="utf-8"))
    if add_eos:
        end = _SPECIAL_TOKENS["eos_token"]
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"$A {end}",
            pair=f"$A {end} $B {end}",
            special_tokens=[(end, piece_model.EOS_ID)],
        )
    target.write_text(tokenizer.to_str(pretty=True), encoding="utf-8")


def write_json(path: pathlib.Path, fields: dict[str, Any]) -> None:
    """Writes a file of settings, as `transformers` lays them out."""
    text = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=True)
    path.write_text(text + "\n", encoding="ascii")
