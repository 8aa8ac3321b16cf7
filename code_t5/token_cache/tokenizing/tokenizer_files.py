"""The tokenizer that a token cache was encoded with, as files beside the tokens.

    <cache>/tokenizer/   what `save_pretrained` writes, or the files of a code_t5 vocabulary

There are two *kinds*: `hugging_face` and `code_t5`. The *identity* of a tokenizer is JSON that
changes whenever the ids of a text may: of a *fast* one (`tokenizer.json`) the hash of that file
without padding and truncation, which only cut and fill; of a slow one, written in Python, the
hashes of its files and the versions of its libraries; of a vocabulary its fingerprint and the
version of its library. Nothing is pickled, and no code that comes with a tokenizer is run.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import shutil
from collections.abc import Iterable, Mapping
from typing import Any, Union

from code_t5 import errors
from code_t5.encoding import byte_bpe_model, piece_model, token_model
from code_t5.library_errors import one_line
from code_t5.storage import fingerprints, manifest
from code_t5.token_cache.tokenizing import hugging_face_files

PathLike = Union[str, "os.PathLike[str]"]

HUGGING_FACE = hugging_face_files.HUGGING_FACE
CODE_T5 = "code_t5"
KINDS = (HUGGING_FACE, CODE_T5)
# The one file that all of a fast tokenizer's ids follow from.
FAST_NAME = "tokenizer.json"
# Files that could run code when they are read.
_REFUSED_SUFFIXES = (".pkl", ".pickle", ".bin", ".pt", ".py")
_MEND = "build the cache again"
# A copy must give the ids of what it was made of on these; the proof of an engine asks for more.
_COPY_SAMPLE = (
    "def f(x):\n    return x + 1  # don't",
    " A\tb\r\n\u00e9\u4e2d\U0001f600 12345 <s>",
    "",
)


@dataclasses.dataclass(frozen=True)
class StoredTokenizer:
    """A tokenizer that lies in a folder; it is cheap, and pickles as what it says.

    Attributes:
      kind: One of `KINDS`.
      folder: Where its files are, and nothing else is.
      identity: JSON that changes whenever the ids of a text may.
      vocab_size: Above the largest id, added tokens included.
      eos_id: The end of text, or None if the tokenizer has none.
      files: SHA-256 of each file, by its path within the folder.
    """

    kind: str
    folder: str
    identity: dict[str, Any]
    vocab_size: int
    eos_id: int | None
    files: dict[str, str]

    @property
    def manifest_fields(self) -> dict[str, Any]:
        """What a cache's manifest says of its tokenizer: everything but the folder."""
        fields = dataclasses.asdict(self)
        del fields["folder"]
        return fields

    @property
    def is_fast(self) -> bool:
        """Whether `tokenizers` alone can encode and decode with it."""
        return self.kind == HUGGING_FACE and FAST_NAME in self.files

    @property
    def path(self) -> pathlib.Path:
        """The folder."""
        return pathlib.Path(self.folder)

    def require_eos_id(self) -> int:
        """Returns the end of text.

        Raises:
          InputError: The tokenizer has none.
        """
        if self.eos_id is None:
            raise errors.InputError(
                "the tokenizer has no end-of-text token (eos_token is None); wanted one to end "
                "each document with; set tokenizer.eos_token, or pass use_eos_token=False"
            )
        return self.eos_id

    def moved_to(self, folder: PathLike) -> StoredTokenizer:
        """Returns the same tokenizer in another folder, which must hold a copy of its files."""
        return dataclasses.replace(self, folder=os.fspath(folder))

    def copy_to(self, folder: PathLike) -> StoredTokenizer:
        """Copies the files.

        Args:
          folder: To make, or to fill.

        Returns:
          The tokenizer that lies there.
        """
        for name in self.files:
            target = pathlib.Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.path / name, target)
        return self.moved_to(folder)

    def read_file(self, name: str) -> bytes:
        """Reads one of the files.

        Args:
          name: One of `files`.

        Raises:
          ArtifactError: It cannot be read, or is not the one that was stored.
        """
        return fingerprints.read_checked_file(
            self.path / name, sha256=self.files[name], role="the cache's tokenizer"
        )

    def check_files(self) -> None:
        """Compares the files with their hashes.

        Raises:
          ArtifactError: One is missing, changed or not the tokenizer's.
        """
        found = set(hugging_face_files.list_files(self.path)) if self.path.is_dir() else set()
        for name in sorted(found.symmetric_difference(self.files)):
            what = "has no" if name in self.files else "has a foreign file"
            raise errors.ArtifactError(
                f"the tokenizer {self.folder} {what} {name}; wanted the files that the manifest "
                f"names and no other; {_MEND}"
            )
        for name in self.files:
            self.read_file(name)

    def load(self) -> Any:
        """Loads the tokenizer, without asking the network.

        Returns:
          The Hugging Face tokenizer, or the `TokenModel` of a code_t5 vocabulary.

        Raises:
          ArtifactError: A file is missing or changed, or the installed library cannot read it.
        """
        self.check_files()
        if self.kind == CODE_T5:
            return token_model.load_token_model(self.folder)
        return hugging_face_files.load_folder(self.folder, is_fast=self.is_fast)

    def decode(self, token_ids: Iterable[int]) -> str:
        """Returns the text of some ids, special tokens included.

        Args:
          token_ids: Below `vocab_size`; they may cross the border between documents.

        Returns:
          The text; half a character is U+FFFD.

        Raises:
          ArtifactError: A file is missing or changed, or the installed library cannot read it.
        """
        ids = [int(token_id) for token_id in token_ids]
        if self.kind == CODE_T5:
            return _decode_with_model(token_model.load_token_model(self.folder), ids)
        if self.is_fast:
            backend = load_backend(self.folder, self.files[FAST_NAME])
            return backend.decode(ids, skip_special_tokens=False)
        return self.load().decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )


def _decode_with_model(model: token_model.TokenModel, ids: list[int]) -> str:
    documents: list[list[int]] = [[]]
    for token_id in ids:
        if token_id == piece_model.EOS_ID:
            documents.append([])
        else:
            documents[-1].append(token_id)
    return "</s>".join(model.decode(document) for document in documents)


@functools.lru_cache(maxsize=2)
def load_backend(folder: str, sha256: str) -> Any:
    """Loads the `tokenizers.Tokenizer` of a fast tokenizer, without padding and truncation.

    Args:
      folder: Of the stored tokenizer.
      sha256: Of its `tokenizer.json`.

    Returns:
      The tokenizer, shared by everyone in the process who asked for it.

    Raises:
      ArtifactError: The file is missing or changed, or the installed library cannot read it.
    """
    import tokenizers

    path = pathlib.Path(folder, FAST_NAME)
    content = fingerprints.read_checked_file(path, sha256=sha256, role="the cache's tokenizer")
    try:
        backend = tokenizers.Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:  # The library's own are of no other class.
        found = one_line(error)
        raise errors.ArtifactError(
            f"tokenizers {tokenizers.__version__} cannot read {path}: {found}; wanted a file that "
            f"it knows; install the version that wrote it, or {_MEND}"
        ) from error
    backend.no_padding()
    backend.no_truncation()
    return backend


def store_tokenizer(
    tokenizer: Any,
    *,
    tokenizer_name: str | None = None,
    local_files_only: bool = False,
    folder: PathLike,
) -> StoredTokenizer:
    """Writes a Hugging Face tokenizer's own files, and proves that they give its ids.

    Args:
      tokenizer: The tokenizer, slow or fast; one of `tokenizers` itself; or None.
      tokenizer_name: Where there is none: its name on the Hub, or a folder.
      local_files_only: Whether not to ask the Hub, only what was fetched from it before.
      folder: To write to; made if missing, and must be empty.

    Returns:
      The stored tokenizer.

    Raises:
      InputError: There is no tokenizer, it cannot be loaded or saved, or its files give other ids.
    """
    if (tokenizer is None) == (tokenizer_name is None):
        found = "neither a tokenizer nor a name" if tokenizer is None else "a tokenizer and a name"
        raise errors.InputError(
            f"got {found} of one; wanted one of them; pass tokenizer or tokenizer_name"
        )
    if tokenizer is None:
        tokenizer = hugging_face_files.load_by_name(
            str(tokenizer_name), local_files_only=local_files_only
        )
    tokenizer = hugging_face_files.as_hugging_face(tokenizer)
    target = pathlib.Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    hugging_face_files.save(tokenizer, target)
    files = {
        name: fingerprints.hash_file(target / name)
        for name in hugging_face_files.list_files(target)
    }
    refused = [name for name in files if name.endswith(_REFUSED_SUFFIXES)]
    if refused:
        raise errors.InputError(
            f"the tokenizer {type(tokenizer).__name__} saves {refused[0]}, which could run code "
            "when it is read; wanted text files and a SentencePiece model; use a fast tokenizer"
        )
    largest_id = max(tokenizer.get_vocab().values(), default=-1)
    stored = StoredTokenizer(
        kind=HUGGING_FACE,
        folder=os.fspath(target),
        identity=hugging_face_files.identity(tokenizer, files),
        vocab_size=max(len(tokenizer), largest_id + 1),
        eos_id=tokenizer.eos_token_id,
        files=files,
    )
    _check_copy(tokenizer, stored)
    return stored


def store_vocabulary(vocabulary_dir: PathLike, folder: PathLike) -> StoredTokenizer:
    """Copies a code_t5 vocabulary.

    Args:
      vocabulary_dir: The vocabulary, of either kind.
      folder: To write to; made if missing.

    Returns:
      The stored tokenizer.

    Raises:
      NotBuiltError: There is no vocabulary.
      ArtifactError: It is half-written, damaged or of another format.
    """
    source = pathlib.Path(vocabulary_dir)
    fields = piece_model.read_vocabulary_manifest(source)
    model = token_model.load_token_model(source)
    is_pieces = fields["kind"] == token_model.SENTENCEPIECE
    model_name = piece_model.MODEL_NAME if is_pieces else byte_bpe_model.MODEL_NAME
    library = "sentencepiece" if is_pieces else "tokenizers"
    names = (model_name, manifest.MANIFEST_NAME, manifest.COMPLETED_NAME)
    stored = StoredTokenizer(
        kind=CODE_T5,
        folder=os.fspath(source),
        identity={
            "kind": CODE_T5,
            "vocabulary": fields["fingerprint"],
            "library": f"{library} {hugging_face_files.version_of(library)}",
            "eos_id": piece_model.EOS_ID,
        },
        vocab_size=model.vocab_size,
        eos_id=piece_model.EOS_ID,
        files={name: fingerprints.hash_file(source / name) for name in names},
    )
    return stored.copy_to(folder)


def open_stored(folder: PathLike, fields: Mapping[str, Any]) -> StoredTokenizer:
    """Opens the tokenizer of a cache.

    Args:
      folder: Where its files are.
      fields: What `StoredTokenizer.manifest_fields` gave.

    Returns:
      The stored tokenizer, its files checked.

    Raises:
      ArtifactError: The fields are not what was written, or a file is missing or changed.
    """
    eos_id, files = fields.get("eos_id"), fields.get("files")
    checks = {
        "kind": fields.get("kind") in KINDS,
        "identity": isinstance(fields.get("identity"), dict),
        "vocab_size": isinstance(fields.get("vocab_size"), int),
        "eos_id": eos_id is None or isinstance(eos_id, int),
        "files": isinstance(files, dict) and all(map(_is_file_field, files.items())),
    }
    wrong = [name for name, is_right in checks.items() if not is_right]
    if wrong:
        raise errors.ArtifactError(
            f"the manifest beside {folder} has no usable {', '.join(wrong)} of its tokenizer; "
            f"wanted what the writer of the cache wrote; {_MEND}"
        )
    stored = StoredTokenizer(folder=os.fspath(folder), **{name: fields[name] for name in checks})
    stored.check_files()
    return stored


def _is_file_field(item: tuple[Any, Any]) -> bool:
    """Says whether a name stays within the folder and has a hash."""
    name, sha256 = item
    path = pathlib.PurePosixPath(name)
    is_inside = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    return is_inside and isinstance(sha256, str)


def _check_copy(tokenizer: Any, stored: StoredTokenizer) -> None:
    copy = hugging_face_files.load_folder(stored.folder, is_fast=stored.is_fast)
    is_same = hugging_face_files.identity(copy, stored.files) == stored.identity and all(
        tokenizer.encode(text, add_special_tokens=False)
        == copy.encode(text, add_special_tokens=False)
        for text in _COPY_SAMPLE
    )
    if not is_same:
        raise errors.InputError(
            f"the files that the tokenizer {type(tokenizer).__name__} saves give other ids than it "
            "does; wanted one that save_pretrained keeps whole; load it from its own files"
        )
