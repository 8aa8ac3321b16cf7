"""Reading what a gin file binds, without running what it names."""

from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.training.hugging_face import gin_settings

_TEXT = """
import code_that_nobody_has
include 'a/file/that/is/not/there.gin'
width = 32
size = %width
my.module.Layer.width = %size
encoder/Layer.width = 8
Stack.parts = [('a', @other.module.Part), @scope/Part(), {'n': %width}]
"""


def _read(tmp_path, text):
    path = tmp_path / "a.gin"
    path.write_text(text, encoding="utf-8")
    return gin_settings.read_settings(path)


def test_scopes_macros_and_references_are_resolved(tmp_path):
    settings = _read(tmp_path, _TEXT)
    assert settings.macro("size") == 32
    assert settings.get("Layer.width") == 32
    assert settings.get("Layer.width", scope="encoder") == 8
    assert settings.get("Layer.width", scope="decoder") == 32
    assert settings.get("Layer.depth", default=3) == 3
    named, called, table = settings.get("Stack.parts")
    assert named == ("a", gin_settings.Reference("Part", "other.module.Part"))
    assert called.name == "Part"
    assert table == {"n": 32}


def test_last_binding_counts(tmp_path):
    settings = _read(tmp_path, "a.Layer.width = 1\nb.Layer.width = 2\n")
    assert settings.get("Layer.width") == 2


def test_nothing_that_a_file_names_is_imported(tmp_path, monkeypatch):
    (tmp_path / "trap_of_w4.py").write_text("raise SystemExit('caught')")
    monkeypatch.syspath_prepend(tmp_path)
    settings = _read(tmp_path, "import trap_of_w4\nx = @trap_of_w4.run()\n")
    assert settings.macro("x").full_name == "trap_of_w4.run"


@pytest.mark.parametrize(
    "text", ["a = = 3", "x = __import__('os')", "a = [1, 2", "\x00", "f(" * 2000]
)
def test_what_is_no_gin_file_is_refused_in_one_line(tmp_path, text):
    with pytest.raises(errors.ArtifactError, match="is no gin file") as caught:
        _read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.gin").write_bytes(b"a = '\xff'")
    with pytest.raises(errors.ArtifactError, match="is no gin file"):
        gin_settings.read_settings(tmp_path / "a.gin")


def test_too_large_a_file_is_not_read(tmp_path):
    (tmp_path / "a.gin").write_bytes(b"#" * ((4 << 20) + 1))
    with pytest.raises(errors.ArtifactError, match="more than 4194304 bytes"):
        gin_settings.read_settings(tmp_path / "a.gin")


@pytest.mark.parametrize(("text", "words"), [("a = %b", "uses %b"), ("a = %a", "for itself")])
def test_macros_without_a_value_are_refused(tmp_path, text, words):
    settings = _read(tmp_path, text)
    with pytest.raises(errors.ArtifactError, match=words):
        settings.macro("a")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(errors.InputError, match="trainer has trained in"):
        gin_settings.read_settings(tmp_path / "gone.gin")
