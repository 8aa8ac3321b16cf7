from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.storage import fingerprints

_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_file_with_the_hash_of_its_manifest_is_read(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"abc")
    assert fingerprints.read_checked_file(path, sha256=_SHA256, role="the model") == b"abc"


def test_file_with_another_hash_is_refused_and_the_line_names_both(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"abd")
    with pytest.raises(
        errors.ArtifactError,
        match=rf"\A{path} has SHA-256 a52d159f[^\n]*; wanted {_SHA256}[^\n]*; put the model back",
    ):
        fingerprints.read_checked_file(path, sha256=_SHA256, role="the model")


def test_file_that_is_not_there_is_refused_and_the_line_says_what_it_was(tmp_path):
    with pytest.raises(
        errors.ArtifactError, match=r"\Acannot read [^\n]*/model: No such file[^\n]*; wanted the m"
    ):
        fingerprints.read_checked_file(tmp_path / "model", sha256=_SHA256, role="the model")
