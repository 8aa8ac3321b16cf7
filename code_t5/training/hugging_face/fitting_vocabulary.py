"""Compares the vocabulary of a Task with that of a Hugging Face model, and says what differs.

A model reads ids; trained on with another vocabulary, each of its embeddings would stand for
another token. What can be compared is compared: the number of ids, the fingerprint where the model
is an export of ours, else the ids of *probes*, short texts of source code.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

from code_t5 import errors, library_errors
from code_t5.encoding import piece_model, token_model
from code_t5.storage import manifest
from code_t5.training.hugging_face import opening, tokenizer_files, trained_task
from code_t5.training.hugging_face.gin_settings import GinSettings

_PROBES = (
    "def main(argv):\n    return {key: value for key, value in argv.items()}\n",
    "if x_1 != 0x2A and not y:\n\tprint(f'{x}: {y!r}', end=\"\")\n",
    "class A:\n        '''What it is for.'''\n",
    "a  b   c\t\td\r\n  # \u00e9\u4e2d\U0001f600 100%",
)
_TOKENIZER_NAMES = ("tokenizer.json", "spiece.model", "tokenizer_config.json")
_MEND = (
    "train with the vocabulary that the model was trained with, or take its other weights alone "
    "with --nocheck_vocabulary"
)


def _is_export(folder: pathlib.Path) -> bool:
    """Says whether a directory has the manifest of an export, whole or not."""
    if not (folder / manifest.MANIFEST_NAME).is_file():
        return False
    try:
        manifest.read_manifest(
            folder,
            format_name=opening.FORMAT_NAME,
            format_version=opening.FORMAT_VERSION,
        )
    except errors.ArtifactError:
        return False
    return True


def trained_on(folder: pathlib.Path) -> tuple[str, dict[str, int]] | None:
    """Returns the Task and the lengths that an export of ours was trained with.

    Args:
      folder: A Hugging Face model; None is returned unless it is an export.

    Raises:
      ArtifactError: The export is damaged.
    """
    if not _is_export(folder):
        return None
    export = opening.open_export(folder)
    return export.task, export.sequence_length


def check_vocabulary(
    folder: pathlib.Path,
    *,
    task: str,
    num_embeddings: int,
    data_dir: str | os.PathLike[str] | None = None,
    only_size: bool = False,
    mend: str = _MEND,
) -> None:
    """Compares a Task's vocabulary with that of a model.

    Args:
      folder: The Hugging Face model.
      task: Name of the Task.
      num_embeddings: Rows of the model's embeddings.
      data_dir: Where the Task's data set was built; None for the environment's default.
      only_size: Whether to compare the number of ids alone.
      mend: What to do where they differ, for messages.

    Raises:
      NotBuiltError: The Task or its vocabulary is not there.
      ArtifactError: The vocabulary is damaged.
      InputError: The model comes without a tokenizer.
      VocabularyMismatchError: They differ.
    """
    settings = GinSettings({}, path=folder)
    place = trained_task.find_vocabulary(task, settings=settings, data_dir=data_dir)
    ours = token_model.load_token_model(place)
    if ours.vocab_size > num_embeddings:
        raise errors.VocabularyMismatchError(
            f"the vocabulary {place} of the Task {task} has {ours.vocab_size} ids and the model "
            f"{folder} {num_embeddings} embeddings; wanted no more ids than embeddings; build the "
            "data set with the model's vocabulary, or a smaller one"
        )
    if only_size:
        return
    if _is_export(folder):
        found = piece_model.read_vocabulary_manifest(folder / tokenizer_files.VOCABULARY_FOLDER)
        wanted = piece_model.read_vocabulary_manifest(place)
        if found["fingerprint"] != wanted["fingerprint"]:
            raise errors.VocabularyMismatchError(
                f"the model {folder} was trained with a vocabulary of {found['vocab_size']} ids "
                f"({found['fingerprint']}), the Task {task} has {place} with "
                f"{wanted['vocab_size']} ({wanted['fingerprint']}); wanted the same; {mend}"
            )
        return
    _compare_ids(folder, ours=ours, place=place, mend=mend)


def _compare_ids(folder: pathlib.Path, *, ours: Any, place: pathlib.Path, mend: str) -> None:
    """Compares the ids that a model's tokenizer and a vocabulary give.

    Raises:
      InputError: The model comes without a tokenizer.
      VocabularyMismatchError: They differ.
    """
    tokenizer = _load_tokenizer(folder, mend=mend)
    for text in _PROBES:
        wanted = ours.encode(text)
        found = list(tokenizer.encode(text, add_special_tokens=False))
        if found != wanted:
            index = next((i for i, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]), 0)
            raise errors.VocabularyMismatchError(
                f"the tokenizer of {folder} writes {text!a} in {len(found)} ids and the vocabulary "
                f"{place} in {len(wanted)}, the first that differs is number {index}: "
                f"{found[index : index + 3]} and {wanted[index : index + 3]}; wanted the same ids; "
                f"{mend}"
            )
    special = {"<pad>": piece_model.PAD_ID, "</s>": piece_model.EOS_ID}
    special["<extra_id_0>"] = ours.vocab_size - 1
    for name, token_id in special.items():
        given = tokenizer.convert_tokens_to_ids(name)
        if given != token_id:
            raise errors.VocabularyMismatchError(
                f"the tokenizer of {folder} has {name} as {given!r} and the vocabulary {place} as "
                f"{token_id}; wanted the same; {mend}"
            )


def _load_tokenizer(folder: pathlib.Path, *, mend: str) -> Any:
    """Loads the tokenizer of a model, none of whose own code is run.

    Raises:
      InputError: There is none, or it cannot be read.
    """
    names = [name for name in _TOKENIZER_NAMES if (folder / name).is_file()]
    if not names:
        raise errors.InputError(
            f"found no tokenizer ({', '.join(_TOKENIZER_NAMES)}) in {folder}; wanted it, to "
            f"compare its ids with the Task's; save it there; or {mend}"
        )
    # transformers would import TensorFlow for nothing.
    os.environ.setdefault("USE_TF", "0")
    import transformers

    try:
        return transformers.AutoTokenizer.from_pretrained(
            folder,
            use_fast="tokenizer.json" in names,
            local_files_only=True,
            # Without a word transformers asks the user, in the middle of everything.
            trust_remote_code=False,
        )
    # transformers raises what it pleases on damaged files.
    except Exception as error:
        reason = library_errors.one_line(error)
        if "trust_remote_code" in reason:
            # Its advice is to run the code.
            reason = "it is code in that directory, and no code of a model is run"
        raise errors.InputError(
            f"the tokenizer of {folder} cannot be read: {reason}; wanted what save_pretrained "
            f"writes; save it there again; or {mend}"
        ) from error
