from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import small_token_cache
import sparse_token_cache
from small_token_source import small_source, store_words

from code_t5 import errors
from code_t5.storage import fingerprints
from code_t5.token_cache import verify
from code_t5.token_cache.building.build import build_cache
from code_t5.token_cache.building.build_config import BuildConfig


@pytest.fixture(name="cache_dir")
def _cache_dir(tmp_path):
    config = BuildConfig(tmp_path / "cache", num_workers=1, encoder="tokenizers")
    build_cache(small_source(), tokenizer=store_words(tmp_path / "tokenizer"), config=config)
    return tmp_path / "cache"


def _change_fields(cache_dir, change):
    path = cache_dir / "manifest.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def _change_array(cache_dir, name, place, value):
    """Changes an array and its checksum, as a writer with a fault would."""
    array = np.load(cache_dir / name)
    array[place] = value
    np.save(cache_dir / name, array)
    sha256 = fingerprints.hash_file(cache_dir / name)
    _change_fields(cache_dir, lambda fields: fields["sha256"].update({name: sha256}))


def test_whole_cache_shows_text_of_each_split(cache_dir):
    samples = verify.verify_cache(cache_dir)
    assert [(sample.split, sample.number, sample.name) for sample in samples] == [
        ("train", 3, ("", "3")),
        ("validation", 1, ("", "1")),
    ]
    assert samples[1].text == "c b a <end>"
    assert verify.describe(samples[1]) == "validation document 1 ('1'): 'c b a <end>'"


def test_cache_without_a_tokenizer_is_checked_too(tmp_path):
    assert verify.verify_cache(small_token_cache.write_cache(tmp_path)) == []


@pytest.mark.parametrize(
    "name", ["train.npy", "train.names.npy", "config.json", "tokenizer/tokenizer.json"]
)
def test_flipped_bit_is_found(cache_dir, name):
    data = bytearray((cache_dir / name).read_bytes())
    data[-2] ^= 1
    (cache_dir / name).write_bytes(data)
    with pytest.raises(errors.ArtifactError, match=name) as caught:
        verify.verify_cache(cache_dir)
    assert "\n" not in str(caught.value)


def test_documents_out_of_order_are_found(cache_dir):
    _change_array(cache_dir, "train.offsets.npy", 1, 6)
    with pytest.raises(errors.ArtifactError, match="falls from 6 to 5 at 2"):
        verify.verify_cache(cache_dir)


def test_document_without_its_end_is_found(cache_dir):
    _change_array(cache_dir, "train.npy", 6, 2)
    with pytest.raises(errors.ArtifactError, match="a document without its end: 2 of train"):
        verify.verify_cache(cache_dir)


@pytest.mark.parametrize("place", [6, 12])
def test_document_without_its_end_is_found_beyond_the_first_chunk(cache_dir, monkeypatch, place):
    ends = np.load(cache_dir / "train.offsets.npy")[1:]
    tokens = np.load(cache_dir / "train.npy")
    index = int(np.searchsorted(ends, place, side="right"))
    _change_array(cache_dir, "train.npy", int(ends[index]) - 1, int(tokens.max()) - 1)
    for chunk in (1, 2, 3):
        monkeypatch.setattr(verify, "_CHUNK_DOCUMENTS", chunk)
        with pytest.raises(errors.ArtifactError, match=f"without its end: {index} of train"):
            verify.verify_cache(cache_dir)


_CHANGES = {
    "vocab_size": lambda fields: fields["tokenizer"].update(vocab_size=99),
    "encoder": lambda fields: fields.update(encoder={"engine": "another"}),
    "identity": lambda fields: fields["tokenizer"].update(identity={"of": "another"}),
    "num_bytes": lambda fields: fields["splits"]["train"].update(num_bytes=1),
    "no end": lambda fields: fields.update(end_of_text_id=None),
}
_OLD = {
    "identity": "has a tokenizer that is not the one of its fingerprint",
    "num_bytes": "documents of [0-9]+ bytes in train, not 1;",
    "no end": "has None for its end of text where its options say [0-9]+",
}


@pytest.mark.parametrize("change", sorted(_CHANGES))
def test_manifest_that_was_changed_is_found(cache_dir, change):
    _change_fields(cache_dir, _CHANGES[change])
    with pytest.raises(errors.ArtifactError, match=_OLD.get(change, "manifest.json has SHA")):
        verify.verify_cache(cache_dir)


def test_older_cache_whose_marker_is_empty_is_checked_as_far_as_it_goes(cache_dir):
    (cache_dir / "COMPLETED").write_bytes(b"")
    assert len(verify.verify_cache(cache_dir)) == 2
    for change, match in _OLD.items():
        written = (cache_dir / "manifest.json").read_bytes()
        _change_fields(cache_dir, _CHANGES[change])
        with pytest.raises(errors.ArtifactError, match=match):
            verify.verify_cache(cache_dir)
        (cache_dir / "manifest.json").write_bytes(written)


# Prints by how many MB resident memory grows while a cache is verified.
_RESIDENT = """
    from code_t5.token_cache import memory_maps, verify

    def resident():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

    memory_maps.RESIDENT_BYTES = {limit}
    verify.verify_cache({small!r})
    before = resident()
    verify.verify_cache({folder!r})
    print((resident() - before) / 1000)
"""


def _write_ended(folder, *, num_tokens, num_documents):
    """Writes documents that end with 0, as all tokens are."""
    ends = np.linspace(0, num_tokens, num_documents + 1).astype(np.int64)[1:]
    sparse_token_cache.write_cache(folder, num_tokens=num_tokens, ends=ends.tolist(), pieces={})
    sha256 = {path.name: fingerprints.hash_file(path) for path in folder.glob("*.npy")}
    _change_fields(folder, lambda fields: fields.update(end_of_text_id=0, sha256=sha256))
    (folder / "COMPLETED").write_bytes(b"")
    return folder


def test_resident_memory_stays_flat(tmp_path):
    small = _write_ended(tmp_path / "small", num_tokens=1000, num_documents=10)
    folder = _write_ended(tmp_path / "large", num_tokens=100 * 10**6, num_documents=3000)
    grown = []
    for limit in (1 << 20, 1 << 40):
        program = textwrap.dedent(_RESIDENT)
        program = program.format(folder=str(folder), small=str(small), limit=limit)
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        grown.append(float(ran.stdout))
    # The second with everything mapped, to show that the figure can grow.
    assert grown[0] < 60 < 150 < grown[1]


def test_id_that_is_no_token_is_found(cache_dir):
    _change_array(cache_dir, "train.npy", 0, 6)
    with pytest.raises(errors.ArtifactError, match="6 for the largest id of train, not 5"):
        verify.verify_cache(cache_dir)
    _change_fields(cache_dir, lambda fields: fields["splits"]["train"].update(largest_id=6))
    with pytest.raises(errors.ArtifactError, match="id 6 in train, and 6 tokens to read it"):
        verify.verify_cache(cache_dir)


def test_terminal_is_not_commanded_by_a_name():
    sample = verify.DecodedSample("train", 0, ("a", "b\x1b[2J"), "\x1b[31m")
    assert "\x1b" not in verify.describe(sample)
