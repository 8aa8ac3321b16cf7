"""A gin file of somebody else's model directory is looked at before gin is given it."""

from __future__ import annotations

import gin
import pytest

from code_t5 import errors
from code_t5.training import completion, evaluation, gin_statements, operative_config
from code_t5.training.saved_model import export

_HOSTILE = {
    "import": "import trap_of_a_model",
    "alias": "import trap_of_a_model as mesh_tensorflow",
    "from": "from trap_of_a_model import t5",
    "like ours": "import t5x_trap",
    "below a known name": "from code_t5_trap import tasks",
    "any attribute": "from __gin__ import dynamic_registration",
    "after a comment": "a = 1  # nothing\n\n   # more\nimport trap_of_a_model",
    "in parts": "import \\\n  trap_of_a_model",
}


def write_config(tmp_path, text):
    (tmp_path / "operative_config.gin").write_bytes(text.encode("utf-8"))
    return tmp_path


@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE)
def test_import_that_nobody_has_asked_for_is_refused(tmp_path, text):
    write_config(tmp_path, text)
    with pytest.raises(errors.InputError, match="imports '.*would run its code") as caught:
        operative_config.find(tmp_path)
    assert "\n" not in str(caught.value)


def test_included_file_is_refused(tmp_path):
    write_config(tmp_path, "include '/tmp/else.gin'\n")
    with pytest.raises(errors.InputError, match="includes '/tmp/else.gin'"):
        operative_config.find(tmp_path)


@pytest.mark.parametrize("character", ["\r", "\x0c", "\x00", "\x1b"])
def test_line_end_that_not_every_reader_sees_is_refused(tmp_path, character):
    write_config(tmp_path, f"a = 1 # words{character}import trap_of_a_model\n")
    with pytest.raises(errors.ArtifactError, match="holds the character"):
        operative_config.find(tmp_path)


def test_configuration_of_the_trainer_passes(trained_small):
    found = operative_config.find(trained_small.model_dir)
    assert found == trained_small.model_dir / "operative_config.gin"
    names = {
        statement.module.split(".")[0]
        for statement in gin_statements.read_statements(found)
        if hasattr(statement, "module")
    }
    assert names == {"mesh_tensorflow", "t5", "code_t5"}


def test_lines_may_end_as_on_windows(tmp_path):
    write_config(tmp_path, "import t5.models\r\na = 1\r\n")
    assert operative_config.find(tmp_path).name == "operative_config.gin"


def test_module_that_the_user_names_is_taken(tmp_path):
    write_config(tmp_path, "import own.tasks\n")
    assert operative_config.find(tmp_path, module_imports=("own",))
    with pytest.raises(errors.InputError, match=r"'own\.tasks'"):
        operative_config.find(tmp_path, module_imports=("own.task",))


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A model directory whose configuration imports a module that is found and springs."""
    (tmp_path / "trap_of_a_model.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    lengths = "run.sequence_length = {'inputs': 9, 'targets': 9}\nMIXTURE_NAME = 'x'\n"
    write_config(tmp_path, f"import trap_of_a_model\n{lengths}")
    yield tmp_path
    assert not (tmp_path / "sprung").exists()


def _evaluate(model_dir):
    evaluation.evaluate(model_dir, name="x")


def _complete(model_dir):
    completion.complete(["x"], model_dir=model_dir, mixture_or_task_name="x")


def _export(model_dir):
    export.trainer_config(
        model_dir, config=export.ExportConfig(), output_dir=model_dir / "out", step=1
    )


def _export_imported(model_dir):
    (model_dir / "operative_config.gin").rename(model_dir / "hugging_face.gin")
    _export(model_dir)


@pytest.mark.parametrize(
    "work", [operative_config.parse, _evaluate, _complete, _export, _export_imported]
)
def test_nothing_gives_gin_a_file_that_imports_others(trap, work, monkeypatch):
    for module in (evaluation, completion, export):
        monkeypatch.setattr(module.launch, "run_trainer", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(errors.InputError, match="imports 'trap_of_a_model'"):
        work(trap)


def test_gin_itself_would_run_it(tmp_path, monkeypatch):
    """What the refusal is for; without it the test above could not fail."""
    (tmp_path / "trap_of_gin.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with gin.unlock_config():
        gin.parse_config("import trap_of_gin")
    assert (tmp_path / "sprung").exists()
