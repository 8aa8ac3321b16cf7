"""Prints what a byte-level BPE vocabulary costs and gives, and proves its ids on every file.

    python -m benchmarks.byte_bpe --corpus=FLCC_DIR

trains both kinds of vocabulary on the first `--max_sample_bytes` of a folder's Python files, in the
order of the hashes of their paths, then encodes every file: with `tokenizers` itself (the bare
library), with the table of units that a task cache uses, and with the same of SentencePiece. Each
file's ids from the table are compared with those of `tokenizers`, and decoded. One core each;
encoding is measured in CPU seconds, training by the clock.

`--peers_python=PATH` names an interpreter of another environment that has `gigatoken` and
`splintr-rs`: each is asked to load the same `tokenizer.json`, and then one that cuts texts as GPT-2
does, for which both have code of their own; their ids are compared with those that `tokenizers`
gives for that. MB are 10^6 bytes of UTF-8.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import numpy as np
from absl import flags

from code_t5 import command_line, errors
from code_t5.encoding import byte_bpe_model, ragged, token_model, unit_encoder
from preprocessing import vocabulary_training

_CORPUS = flags.DEFINE_string("corpus", None, "Folder of Python files.", required=True)
_VOCAB_SIZE = flags.DEFINE_integer("vocab_size", 32_000, "Pieces.")
_MAX_SAMPLE_BYTES = flags.DEFINE_integer("max_sample_bytes", 50_000_000, "Most to train on.")
_MAX_BYTES = flags.DEFINE_integer("max_bytes", 0, "Most to encode; 0 for everything.")
_PEERS = flags.DEFINE_string("peers_python", None, "Interpreter with gigatoken and splintr-rs.")
_BATCH_FILES = 256

# Runs under --peers_python: tokenizer, file of texts, file of their sizes, file for the ids.
_PEER_PROGRAM = """
import json, sys, time
import numpy
{imports} as load
tokenizer = load(sys.argv[1])
data = open(sys.argv[2], "rb").read()
ends = numpy.cumsum(numpy.load(sys.argv[3])).tolist()
texts = [{text} for start, end in zip([0, *ends], ends)]
start = time.process_time()
encoded = {encode}
seconds = time.process_time() - start
numpy.savez(sys.argv[4], offsets={offsets}, ids={ids})
print(json.dumps(seconds))
"""
_PEER_PROGRAMS = {
    "gigatoken": _PEER_PROGRAM.format(
        imports="from gigatoken import Tokenizer",
        text="data[start:end]",
        encode="tokenizer.encode_batch(texts, parallel=False)",
        offsets="encoded.layout.offsets.data",
        ids="encoded.layout.content.data",
    ),
    "splintr": _PEER_PROGRAM.format(
        imports="from splintr import from_json",
        text="data[start:end].decode()",
        encode="tokenizer.encode_batch_flat(texts)",
        offsets="numpy.frombuffer(encoded[1], '<u8')",
        ids="numpy.frombuffer(encoded[0], '<u4')",
    ),
}


@dataclasses.dataclass
class Engine:
    """One way to encode, and the time that it took.

    Attributes:
      name: For the table.
      encode: Given texts, returns the ids of each.
      seconds: So far.
      num_tokens: So far.
    """

    name: str
    encode: Callable[[Sequence[bytes]], list[np.ndarray]]
    seconds: float = 0.0
    num_tokens: int = 0

    def run(self, contents: Sequence[bytes]) -> list[np.ndarray]:
        """Encodes texts and counts.

        Args:
          contents: UTF-8.

        Returns:
          The ids of each.
        """
        start = time.process_time()
        rows = self.encode(contents)
        self.seconds += time.process_time() - start
        self.num_tokens += sum(map(len, rows))
        return rows


def read_corpus(corpus: pathlib.Path, *, max_bytes: int) -> list[bytes]:
    """Reads the files that are UTF-8, in the order of the hashes of their paths.

    Args:
      corpus: Folder.
      max_bytes: Most to read; 0 for everything.

    Returns:
      Their contents.

    Raises:
      InputError: There is none.
    """
    paths = {str(path.relative_to(corpus)): path for path in corpus.rglob("*.py")}
    contents, left = [], max_bytes or 1 << 62
    for name in sorted(paths, key=lambda name: hashlib.sha256(os.fsencode(name)).digest()):
        if left <= 0 or not paths[name].is_file():
            continue
        content = paths[name].read_bytes()
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            continue
        contents.append(content)
        left -= len(content)
    if not contents:
        raise errors.InputError(
            f"{corpus} holds no Python file; wanted some; give another --corpus"
        )
    return contents


def _by_tokenizers(tokenizer_json: str) -> Callable[[Sequence[bytes]], list[np.ndarray]]:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json)

    def encode(contents: Sequence[bytes]) -> list[np.ndarray]:
        texts = [content.decode("utf-8") for content in contents]
        encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(each.ids, dtype=np.int32) for each in encoded]

    return encode


def _by_units(model: token_model.TokenModel) -> Callable[[Sequence[bytes]], list[np.ndarray]]:
    encoder = unit_encoder.UnitEncoder(model)

    def encode(contents: Sequence[bytes]) -> list[np.ndarray]:
        rows = encoder.encode(contents)
        return np.split(rows.values, rows.offsets[1:-1])

    return encode


def _decode(ids: np.ndarray, *, token_bytes: ragged.Ragged) -> bytes:
    starts, lengths = token_bytes.offsets[:-1][ids], token_bytes.lengths[ids]
    return ragged.gather_ranges(token_bytes.values, starts=starts, lengths=lengths).values.tobytes()


def _batches(contents: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for first in range(0, len(contents), _BATCH_FILES):
        yield contents[first : first + _BATCH_FILES]


def _print_engine(engine: Engine, *, num_bytes: int, note: str = "") -> None:
    print(
        f"{engine.name:32} {num_bytes / 1e6 / max(1e-9, engine.seconds):8.1f} MB/s "
        f"{engine.num_tokens:12,} tokens {note}",
        flush=True,
    )


def compare_with_tokenizers(contents: Sequence[bytes], *, folders: dict[str, pathlib.Path]) -> None:
    """Encodes every file in every way, compares and prints.

    Args:
      contents: The files.
      folders: A vocabulary of each kind.
    """
    models = {kind: token_model.load_token_model(folder) for kind, folder in folders.items()}
    tokenizer_json = (folders[token_model.BYTE_BPE] / byte_bpe_model.MODEL_NAME).read_text()
    peer = Engine("tokenizers", _by_tokenizers(tokenizer_json))
    table = Engine("byte_bpe, table of units", _by_units(models[token_model.BYTE_BPE]))
    pieces = Engine("sentencepiece, table of units", _by_units(models[token_model.SENTENCEPIECE]))
    token_bytes = models[token_model.BYTE_BPE].token_bytes
    other_ids = other_texts = 0
    for batch in _batches(contents):
        wanted, found = peer.run(batch), table.run(batch)
        pieces.run(batch)
        other_ids += sum(not np.array_equal(a, b) for a, b in zip(wanted, found))
        other_texts += sum(_decode(a, token_bytes=token_bytes) != b for a, b in zip(found, batch))
    num_bytes = sum(map(len, contents))
    _print_engine(peer, num_bytes=num_bytes)
    _print_engine(table, num_bytes=num_bytes, note=f"{other_ids} files with other ids than that,")
    print(f"{'':32} {other_texts} of {len(contents):,} files decoded to something else")
    _print_engine(pieces, num_bytes=num_bytes)


def compare_with_peers(
    contents: Sequence[bytes], *, tokenizer_path: pathlib.Path, folder: pathlib.Path
) -> None:
    """Encodes with each peer in a process of another environment, compares and prints.

    Args:
      contents: The files.
      tokenizer_path: The vocabulary's tokenizer.
      folder: For what passes between the two.
    """
    import tokenizers

    (folder / "texts").write_bytes(b"".join(contents))
    np.save(folder / "sizes.npy", np.array([len(content) for content in contents]))
    other_path = folder / "like_gpt2.json"
    like_gpt2 = tokenizers.Tokenizer.from_file(str(tokenizer_path))
    like_gpt2.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    like_gpt2.save(str(other_path))
    for cut, path in (("", tokenizer_path), (", cut as GPT-2", other_path)):
        for peer, program in _PEER_PROGRAMS.items():
            done = _run_peer(program, path, folder)
            if done.returncode:
                lines = [line for line in done.stderr.splitlines() if "Error" in line]
                print(f"{peer + cut:32} refuses: {(lines or ['?'])[-1][:160]}", flush=True)
                continue
            ids = np.load(folder / "ids.npz")
            seconds = json.loads(done.stdout)
            engine = Engine(peer + cut, lambda _: [], seconds, num_tokens=len(ids["ids"]))
            same = _count_same(contents, ids=ids, encode=_by_tokenizers(path.read_text()))
            note = f"{len(contents) - same} files with other ids than tokenizers"
            _print_engine(engine, num_bytes=sum(map(len, contents)), note=note)


def _run_peer(
    program: str, path: pathlib.Path, folder: pathlib.Path
) -> subprocess.CompletedProcess[str]:
    files = [path, *(folder / name for name in ("texts", "sizes.npy", "ids.npz"))]
    command = [_PEERS.value, "-c", program, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _count_same(
    contents: Sequence[bytes], *, ids: Any, encode: Callable[[Sequence[bytes]], list[np.ndarray]]
) -> int:
    found = np.split(ids["ids"], ids["offsets"][1:-1])
    same = first = 0
    for batch in _batches(contents):
        rows = encode(batch)
        same += sum(map(np.array_equal, rows, found[first : first + len(batch)]))
        first += len(batch)
    return same


def main(argv: Sequence[str]) -> None:
    """Trains, encodes, compares and prints.

    Args:
      argv: Ignored.
    """
    del argv
    # Read when the library starts its threads.
    os.environ["RAYON_NUM_THREADS"] = "1"
    contents = read_corpus(pathlib.Path(_CORPUS.value), max_bytes=_MAX_BYTES.value)
    print(f"{len(contents):,} files, {sum(map(len, contents)) / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory() as temporary:
        folders = {kind: pathlib.Path(temporary, kind) for kind in token_model.KINDS}
        for kind, folder in folders.items():
            start = time.perf_counter()
            fields = vocabulary_training.train_vocabulary(
                (content.decode("utf-8") for content in contents),
                output_dir=folder,
                vocab_size=_VOCAB_SIZE.value,
                max_sample_bytes=_MAX_SAMPLE_BYTES.value,
                kind=kind,
            )
            print(
                f"{kind}: {fields['num_pieces']:,} pieces trained in "
                f"{time.perf_counter() - start:.1f} s, {fields['characters_per_token']} "
                f"characters per token of the sample, encoder {fields.get('encoder', '-')}",
                flush=True,
            )
        compare_with_tokenizers(contents, folders=folders)
        if _PEERS.value:
            tokenizer_path = folders[token_model.BYTE_BPE] / byte_bpe_model.MODEL_NAME
            compare_with_peers(
                contents, tokenizer_path=tokenizer_path, folder=pathlib.Path(temporary)
            )


if __name__ == "__main__":
    command_line.run(main)
