from __future__ import annotations

import dataclasses
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import small_token_source
from small_token_source import END, ListSource, ListUnit, small_source, store_words

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.token_cache import layout, parts, writer
from code_t5.token_cache.building import build, encode_units, part_jobs
from code_t5.token_cache.building.build import build_cache
from code_t5.token_cache.building.build_config import BuildConfig
from code_t5.token_cache.tokenizing import encoder_proof


@pytest.fixture(name="tokenizer")
def _tokenizer(tmp_path_factory):
    return store_words(tmp_path_factory.mktemp("words") / "tokenizer")


def _config(folder, **changes):
    return BuildConfig(
        **{"cache_dir": folder / "cache", "num_workers": 1, "encoder": "tokenizers", **changes}
    )


def _content(cache_dir):
    return {
        str(path.relative_to(cache_dir)): path.read_bytes()
        for path in cache_dir.rglob("*")
        if path.is_file()
    }


def _build(folder, tokenizer, *, source=None, **changes):
    return build_cache(
        source or small_source(), tokenizer=tokenizer, config=_config(folder, **changes)
    )


def test_cache_holds_each_document_with_its_end(tmp_path, tokenizer):
    cache = _build(tmp_path, tokenizer)
    train, validation = cache.split("train"), cache.split("validation")
    assert train.tokens.tolist() == [2, 3, 4, 1, 1, 5, 1, 2, 2, 2, 2, 2, 1, 3, 0, 5, 1, 4, 1]
    assert train.offsets.tolist() == [0, 4, 5, 7, 13, 17, 19]
    assert train.sizes.tolist() == [5, 0, 1, 9, 5, 1]
    assert [train.names(row) for row in (0, 5)] == [("", "0"), ("", "5")]
    assert validation.tokens.tolist() == [5, 5, 1, 4, 3, 2, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]


def test_without_ends_documents_are_bare(tmp_path, tokenizer):
    cache = _build(tmp_path, tokenizer, use_eos_token=False)
    assert cache.split("validation").tokens.tolist() == [5, 5, 4, 3, 2]
    assert json.loads((tmp_path / "cache/manifest.json").read_text())["end_of_text_id"] is None


def test_manifest_and_config_say_what_it_is(tmp_path, tokenizer):
    cache = _build(tmp_path, tokenizer)
    fields = json.loads((tmp_path / "cache/manifest.json").read_text())
    assert fields["end_of_text_id"] == END
    assert fields["dtype"] == "uint16"
    assert fields["splits"]["train"] == {
        "num_documents": 6,
        "num_tokens": 19,
        "num_bytes": 21,
        "largest_id": 5,
    }
    assert fields["tokenizer"]["files"] == tokenizer.files
    assert fields["encoder"]["engine"] == "tokenizers"
    assert fields["fingerprint_parts"] == {
        "format_version": 1,
        "tokenizer": tokenizer.identity,
        "data": small_source().fingerprint_parts,
        "options": {"use_eos_token": True},
    }
    assert json.loads((tmp_path / "cache/config.json").read_text()) == {
        "dataset_name": "small",
        "revision": "1",
        "use_eos_token": True,
    }
    assert layout.CONFIG_NAME in cache.sha256
    assert "tokenizer/tokenizer.json" in _content(tmp_path / "cache")


def test_number_of_workers_changes_no_byte(tmp_path, tokenizer):
    _build(tmp_path / "1", tokenizer, num_workers=1)
    _build(tmp_path / "2", tokenizer, num_workers=2)
    assert _content(tmp_path / "1/cache") == _content(tmp_path / "2/cache")


def test_cache_that_is_there_is_opened_and_not_written(tmp_path, tokenizer, monkeypatch):
    _build(tmp_path, tokenizer)
    monkeypatch.setattr(part_jobs, "write_part", None)
    monkeypatch.setattr(encoder_proof, "choose_engine", None)
    assert _build(tmp_path, tokenizer, encoder=None).splits["train"]["num_tokens"] == 19


def test_cache_that_another_process_finishes_first_is_opened(tmp_path, tokenizer, monkeypatch):
    staging_of = build.staging_of

    def late(cache_dir):
        monkeypatch.setattr(build, "staging_of", staging_of)
        _build(tmp_path, tokenizer)
        monkeypatch.setattr(part_jobs, "write_part", None)
        return staging_of(cache_dir)

    monkeypatch.setattr(build, "staging_of", late)
    assert _build(tmp_path, tokenizer).splits["train"]["num_tokens"] == 19
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]


def test_overwriting_gives_equal_bytes(tmp_path, tokenizer):
    _build(tmp_path, tokenizer)
    before = _content(tmp_path / "cache")
    os.remove(tmp_path / "cache/train.npy")
    with pytest.raises(errors.ArtifactError, match="train.npy is missing.*overwrite"):
        _build(tmp_path, tokenizer)
    _build(tmp_path, tokenizer, overwrite=True)
    assert _content(tmp_path / "cache") == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": small_source(revision="2")}, r"data\.revision is '1', wanted '2'"),
        ({"use_eos_token": False}, r"options\.use_eos_token is True, wanted False"),
    ],
)
def test_another_fingerprint_is_refused_by_name(tmp_path, tokenizer, changes, said):
    _build(tmp_path, tokenizer)
    before = _content(tmp_path / "cache")
    with pytest.raises(errors.ArtifactError, match=said) as caught:
        _build(tmp_path, tokenizer, **changes)
    assert "\n" not in str(caught.value) and "tokenizer." not in str(caught.value)
    assert _content(tmp_path / "cache") == before
    _build(tmp_path, tokenizer, overwrite=True, **changes)
    assert _content(tmp_path / "cache") != before


def test_another_tokenizer_is_refused_by_name(tmp_path, tokenizer):
    _build(tmp_path, tokenizer)
    other = store_words(tmp_path / "other", [*small_token_source.WORDS, "e"])
    with pytest.raises(errors.ArtifactError, match=r"its tokenizer\.tokenizer is '"):
        _build(tmp_path, other)


def test_folder_with_other_things_is_never_replaced(tmp_path, tokenizer):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/thesis.tex").write_text("years of work")
    with pytest.raises(errors.ArtifactError, match=r"has no manifest\.json"):
        _build(tmp_path, tokenizer)
    with pytest.raises(errors.InputError, match=r"holds 'thesis\.tex'"):
        _build(tmp_path, tokenizer, overwrite=True)
    assert (tmp_path / "cache/thesis.tex").read_text() == "years of work"


def test_file_in_the_way_is_one_line(tmp_path, tokenizer):
    (tmp_path / "cache").write_text("")
    for overwrite in (False, True):
        with pytest.raises(errors.InputError, match="which is a file"):
            _build(tmp_path, tokenizer, overwrite=overwrite)
    with pytest.raises(errors.InputError, match="cannot write beside"):
        _build(tmp_path / "cache", tokenizer)


def test_link_to_a_folder_stays_a_link(tmp_path, tokenizer):
    (tmp_path / "far").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "far")
    _build(tmp_path, tokenizer)
    assert (tmp_path / "cache").is_symlink()
    assert (tmp_path / "far/train.npy").is_file()


@pytest.mark.parametrize("knows_counts", [True, False])
def test_empty_split_is_one_line(tmp_path, tokenizer, knows_counts):
    source = ListSource({"train": ["a"], "test": []}, knows_counts=knows_counts)
    with pytest.raises(errors.InputError, match="the split 'test' has no documents"):
        _build(tmp_path, tokenizer, source=source)
    assert not (tmp_path / "cache").exists()
    # What was encoded before is kept, if anything was.
    assert (tmp_path / ".cache.building").exists() != knows_counts


def test_split_of_empty_texts_without_ends_has_no_tokens(tmp_path, tokenizer):
    source = ListSource({"train": ["", ""]})
    with pytest.raises(errors.InputError, match="the split 'train' has no tokens"):
        _build(tmp_path, tokenizer, source=source, use_eos_token=False)
    assert _build(tmp_path, tokenizer, source=source).split("train").tokens.tolist() == [1, 1]


def test_tokenizer_without_an_end_is_one_line(tmp_path, tokenizer):
    endless = dataclasses.replace(tokenizer, eos_id=None)
    with pytest.raises(errors.InputError, match="use_eos_token=False"):
        _build(tmp_path, endless)
    assert not (tmp_path / "cache").exists()
    assert _build(tmp_path, endless, use_eos_token=False).splits["train"]["num_tokens"] == 13


def test_id_beyond_the_vocabulary_is_one_line(tmp_path, tokenizer):
    said = "gives the id 5 for the document '2'; .* below its 5 tokens"
    with pytest.raises(errors.ArtifactError, match=said):
        _build(tmp_path, dataclasses.replace(tokenizer, vocab_size=5))
    assert not (tmp_path / "cache").exists()


def test_ids_above_16_bits_make_uint32(tmp_path):
    words = [*small_token_source.WORDS[:2], *(f"w{number}" for number in range(70_000))]
    large = store_words(tmp_path / "large", words)
    source = ListSource({"train": ["w69999 w0"], "test": ["w1"]})
    cache = _build(tmp_path, large, source=source)
    assert cache.split("train").tokens.dtype == np.uint32
    assert cache.split("train").tokens.tolist() == [70_001, 2, 1]
    assert cache.splits["test"]["largest_id"] == 3


class _FullDisk:
    """Writes as a full disk does."""

    def __init__(self, *arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("module", "name"), [(parts, "PartWriter"), (writer, "_ArrayFile")])
def test_full_disk_is_one_line_and_keeps_the_cache(tmp_path, tokenizer, monkeypatch, module, name):
    _build(tmp_path, tokenizer)
    before = _content(tmp_path / "cache")
    source = small_source(revision="2")
    with monkeypatch.context() as patched:
        patched.setattr(module, name, _FullDisk)
        said = r"no room on the disk.*wanted about \d.* MB.*it goes on"
        with pytest.raises(errors.CodeT5Error, match=said):
            _build(tmp_path, tokenizer, source=source, overwrite=True)
    assert _content(tmp_path / "cache") == before
    _build(tmp_path, tokenizer, source=source, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENAMETOOLONG])
def test_place_that_cannot_be_written_is_one_line(tmp_path, tokenizer, monkeypatch, code):
    def refuse(self, *arguments, **named):
        raise OSError(code, os.strerror(code), str(self))

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "mkdir", refuse)
        with pytest.raises(errors.InputError, match=f"cannot write beside.*{os.strerror(code)}"):
            _build(tmp_path, tokenizer)
        # A file system that becomes read-only meanwhile.
        patched.undo()
        patched.setattr(parts, "PartWriter", lambda path: refuse(path))
        with pytest.raises(errors.InputError, match=f"cannot be used.*{os.strerror(code)}"):
            _build(tmp_path, tokenizer)
    assert _build(tmp_path, tokenizer).splits["train"]["num_tokens"] == 19


def test_second_builder_is_told_that_another_is_busy(tmp_path, tokenizer):
    staging = tmp_path / ".cache.building"
    staging.mkdir()
    with atomic.lock(staging / "lock", purpose="test"):
        with pytest.raises(errors.BusyError, match="another process builds"):
            _build(tmp_path, tokenizer)
    _build(tmp_path, tokenizer)
    assert not staging.exists()


def _damage_part(staging):
    part = staging / "parts/train-000001"
    part.write_bytes(part.read_bytes()[:-1] + b"?")


def _take_another_part(staging):
    shutil.copy(staging / "parts/train-000000", staging / "parts/train-000001")


def _change_key(staging):
    marker = staging / "markers/train-000001.json"
    fields = json.loads(marker.read_text())
    marker.write_text(json.dumps({**fields, "key": "of another unit"}))


def _cut_marker(staging):
    marker = staging / "markers/train-000001.json"
    marker.write_text(marker.read_text()[:-5])


@pytest.mark.parametrize("spoil", [_damage_part, _take_another_part, _change_key, _cut_marker])
def test_finished_units_are_not_encoded_again(tmp_path, tokenizer, monkeypatch, spoil):
    def read(self):
        if self.documents[0][0] == "4":
            raise KeyboardInterrupt
        return ListUnit.read(self)

    class Stopped(ListUnit):
        pass

    monkeypatch.setattr(Stopped, "read", read)
    with pytest.raises(KeyboardInterrupt):
        _build(tmp_path, tokenizer, source=small_source(unit_class=Stopped))
    assert not (tmp_path / "cache").exists()

    class Counted(ListUnit):
        def read(self):
            was_read.append(self.documents[0][0])
            return ListUnit.read(self)

    was_read: list[str] = []
    spoil(tmp_path / ".cache.building")
    _build(tmp_path, tokenizer, source=small_source(unit_class=Counted))
    assert was_read == ["2", "4", "0"]
    _build(tmp_path / "whole", tokenizer)
    assert _content(tmp_path / "cache") == _content(tmp_path / "whole/cache")


class _Counted(ListUnit):
    """Writes down which units are read, in this process."""

    was_read: list[str] = []

    def read(self):
        self.was_read.append(self.documents[0][0])
        return ListUnit.read(self)


@pytest.mark.parametrize("begun_with", ["tokenizers", "splintr"])
def test_work_before_the_proof_is_kept_if_the_proof_agrees(
    tmp_path, tokenizer, monkeypatch, begun_with
):
    staging = tmp_path / ".cache.building"

    def interrupt(*arguments, **named):
        for name in ("train-000000", "train-000002", "validation-000000"):
            _wait_for(staging / f"markers/{name}.json")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(encoder_proof, "choose_engine", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _build(tmp_path, tokenizer, num_workers=2)
    plan = json.loads((staging / "plan.json").read_text())
    assert plan["encoder"] == {"likely": "tokenizers"}
    plan["encoder"]["likely"] = begun_with
    (staging / "plan.json").write_text(json.dumps(plan))
    (staging / "markers/train-000001.json").unlink(missing_ok=True)
    proofs = []
    choose_engine = encoder_proof.choose_engine
    monkeypatch.setattr(
        encoder_proof,
        "choose_engine",
        lambda *given, **named: proofs.append(1) or choose_engine(*given, **named),
    )
    _Counted.was_read.clear()
    _build(tmp_path, tokenizer, source=small_source(unit_class=_Counted))
    assert proofs == [1]
    everything = ["0", "2", "4", "0"]
    assert _Counted.was_read == (["2"] if begun_with == "tokenizers" else everything)
    _build(tmp_path / "whole", tokenizer)
    assert _content(tmp_path / "cache") == _content(tmp_path / "whole/cache")


def test_work_of_another_plan_is_thrown_away(tmp_path, tokenizer):
    folder = tmp_path / ".cache.building/parts"
    folder.mkdir(parents=True)
    (folder / "train-000000").write_bytes(b"of another")
    (folder.parent / "plan.json").write_text('{"plan": "another", "encoder": "nonsense"}')
    _build(tmp_path, tokenizer)
    _build(tmp_path / "whole", tokenizer)
    assert _content(tmp_path / "cache") == _content(tmp_path / "whole/cache")


_STOPPED = """
import sys
sys.path.insert(0, sys.argv[3])
import pathlib
import small_token_source
from code_t5 import command_line
from code_t5.token_cache.building.build import build_cache
from code_t5.token_cache.building.build_config import BuildConfig

source = small_token_source.small_source(unit_class=small_token_source.SlowUnit)
folder, num_workers = pathlib.Path(sys.argv[1]), int(sys.argv[4])
tokenizer = small_token_source.store_words(pathlib.Path(sys.argv[2]))
config = BuildConfig(folder / "cache", num_workers=num_workers, encoder="tokenizers")
sys.exit(command_line.guard(lambda: build_cache(source, tokenizer=tokenizer, config=config)))
"""


def _wait_for(path):
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.01)


@pytest.mark.parametrize(("stop", "num_workers"), [(signal.SIGKILL, 2), (signal.SIGINT, 2)])
def test_stopped_build_goes_on_with_equal_bytes(tmp_path, tokenizer, stop, num_workers):
    tests = os.path.dirname(small_token_source.__file__)
    arguments = [str(tmp_path), str(tmp_path / "t"), tests, str(num_workers)]
    staging = tmp_path / ".cache.building"
    markers = [staging / f"markers/train-00000{number}.json" for number in (0, 1)]
    go_on = tmp_path / "go_on"
    environment = {**os.environ, small_token_source.GO_ON: str(go_on)}
    command = [sys.executable, "-c", _STOPPED, *arguments]
    with subprocess.Popen(command, env=environment) as child:
        try:
            for path in (staging / "plan.json", *markers):
                _wait_for(path)
            with pytest.raises(errors.BusyError):
                _build(tmp_path, tokenizer)
        finally:
            child.send_signal(stop)
            # Whichever worker waits for it is not left behind.
            go_on.touch()
        assert child.wait() == {signal.SIGKILL: -9, signal.SIGINT: 130}[stop]
    assert not (tmp_path / "cache").exists()
    assert all(path.exists() for path in markers)
    _build(tmp_path, tokenizer)
    assert not staging.exists()
    _build(tmp_path / "whole", tokenizer)
    assert _content(tmp_path / "cache") == _content(tmp_path / "whole/cache")


def test_quickest_equal_engine_is_found_by_the_sample(tmp_path, tokenizer):
    chosen = encoder_proof.choose_engine(tokenizer, sample=encode_units.read_sample(small_source()))
    _build(tmp_path, tokenizer, encoder=None)
    fields = json.loads((tmp_path / "cache/manifest.json").read_text())
    assert fields["encoder"]["engine"] == chosen.engine


class RawUnit(ListUnit):
    """Gives bytes that are no text."""

    def read(self):
        for batch in ListUnit.read(self):
            yield batch._replace(texts=[text + b"\xff" for text in batch.texts])


def test_document_that_is_no_text_is_named(tmp_path, tokenizer):
    source = small_source(unit_class=RawUnit)
    with pytest.raises(errors.InputError, match="the document '0' is not UTF-8 at byte 5"):
        _build(tmp_path, tokenizer, source=source)
