"""Tests of preprocessing.inputs.source."""

from __future__ import annotations

import os

import pytest

from code_t5 import errors
from code_t5.storage import atomic, manifest
from preprocessing.inputs import source, tally


class _OneFileSource(source.Source):
    """A source that writes one file and counts how often it was asked."""

    def __init__(self, text: str = "one", fails: BaseException | None = None):
        self.text, self.fails, self.num_calls = text, fails, 0

    def identity(self):
        return {"source": "test", "text": self.text}

    def describe(self):
        return f"the test {self.text}"

    def write_tree(self, root):
        self.num_calls += 1
        (root / "v3").mkdir()
        (root / "v3/file").write_text(self.text)
        if self.fails:
            raise self.fails
        counts = tally.Tally(num_repositories=1)
        counts.add_file(len(self.text))
        counts.skip(tally.SYMBOLIC_LINK)
        return counts


def test_tree_is_made_once(tmp_path):
    output, made = tmp_path / "sources/dev", _OneFileSource()
    fields, is_new = source.prepare_tree(made, output_dir=output)
    assert is_new and (output / "v3/file").read_text() == "one"
    assert fields["counts"]["num_files"] == 1
    assert tally.summary(fields["counts"]) == (
        "1 repositories, 1 files, 0.0 MB; skipped: symbolic link (1)"
    )

    again, is_new = source.prepare_tree(made, output_dir=output)
    assert (again, is_new, made.num_calls) == (fields, False, 1)


def test_overwrite_makes_it_again(tmp_path):
    made = _OneFileSource()
    source.prepare_tree(made, output_dir=tmp_path / "dev")
    (tmp_path / "dev/v3/file").write_text("stale")
    source.prepare_tree(made, output_dir=tmp_path / "dev", overwrite=True)
    assert made.num_calls == 2
    assert (tmp_path / "dev/v3/file").read_text() == "one"


def test_another_source_is_refused_by_both_names_and_may_overwrite(tmp_path):
    source.prepare_tree(_OneFileSource("one"), output_dir=tmp_path / "dev")
    with pytest.raises(errors.InputError, match="holds the test one; wanted the test two;") as info:
        source.prepare_tree(_OneFileSource("two"), output_dir=tmp_path / "dev")
    assert "\n" not in str(info.value)
    assert (tmp_path / "dev/v3/file").read_text() == "one"
    source.prepare_tree(_OneFileSource("two"), output_dir=tmp_path / "dev", overwrite=True)
    assert (tmp_path / "dev/v3/file").read_text() == "two"


@pytest.mark.parametrize("failure", [errors.InputError("no"), KeyboardInterrupt(), OSError(28, "")])
def test_failure_leaves_nothing_and_the_next_run_is_clean(tmp_path, failure):
    with pytest.raises(type(failure)):
        source.prepare_tree(_OneFileSource(fails=failure), output_dir=tmp_path / "dev")
    assert os.listdir(tmp_path) == [".dev.lock"]
    assert source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "dev")[1]


def test_failure_while_overwriting_keeps_the_old_tree(tmp_path):
    source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "dev")
    with pytest.raises(errors.InputError):
        source.prepare_tree(
            _OneFileSource(fails=errors.InputError("no")),
            output_dir=tmp_path / "dev",
            overwrite=True,
        )
    assert (tmp_path / "dev/v3/file").read_text() == "one"
    assert manifest.is_complete(tmp_path / "dev")


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    leftover = tmp_path / ".dev.0123456789ab.tmp"
    (leftover / "v3").mkdir(parents=True)
    source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "dev")
    assert not leftover.exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_of_someone_else_is_never_replaced(tmp_path, overwrite):
    precious = tmp_path / "home/thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    with pytest.raises(errors.InputError, match="not a source tree"):
        source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "home", overwrite=overwrite)
    assert precious.read_text() == "years of work"


def test_finished_artefact_of_another_kind_is_never_replaced(tmp_path):
    (tmp_path / "records").mkdir()
    manifest.write_manifest(tmp_path / "records", {"format_name": "records", "format_version": 1})
    with pytest.raises(errors.InputError, match="not a source tree"):
        source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "records", overwrite=True)
    assert manifest.is_complete(tmp_path / "records")


def test_link_in_the_place_of_the_tree_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "dev").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.InputError, match="not a source tree"):
        source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "dev")


def test_empty_folder_is_taken(tmp_path):
    (tmp_path / "dev").mkdir()
    assert source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "dev")[1]


def test_file_in_the_way_is_named(tmp_path):
    (tmp_path / "sources").write_text("")
    with pytest.raises(errors.InputError, match="part of that path is a file"):
        source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "sources/dev")


def test_second_writer_is_told_so(tmp_path):
    with atomic.lock(tmp_path / ".dev.lock", purpose="test"), pytest.raises(errors.BusyError):
        source.prepare_tree(_OneFileSource(), output_dir=tmp_path / "dev")
