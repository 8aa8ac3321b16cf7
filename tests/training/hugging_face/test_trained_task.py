"""What a model was trained on, read from its configuration."""

from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.training.hugging_face import gin_settings, trained_task

_LENGTHS = "utils.run.sequence_length = {'inputs': 64, 'targets': 32}"


def _settings(tmp_path, *lines):
    path = tmp_path / "operative_config.gin"
    path.write_text("\n".join(lines), encoding="utf-8")
    return gin_settings.read_settings(path)


@pytest.mark.parametrize(
    ("lines", "objective"),
    [
        (["MIXTURE_NAME = 'small_line_completion'"], "line_completion"),
        (["MIXTURE_NAME = 'small'"], None),
        (
            ["MIXTURE_NAME = 'taught'", "taught/teacher_outputs.task = 'small_prefix_lm'"],
            "prefix_lm",
        ),
        (
            [
                "MIXTURE_NAME = 'small'",
                "preprocessors.unsupervised.preprocessors = [@code_t5.preprocessors.infilling]",
            ],
            "infilling",
        ),
        (
            [
                "MIXTURE_NAME = 'small'",
                "t5.data.preprocessors.unsupervised.preprocessors = [@preprocessors.denoise]",
            ],
            None,
        ),
    ],
)
def test_objective_is_that_of_the_name_or_of_gin(tmp_path, lines, objective):
    found = trained_task.read_task(_settings(tmp_path, _LENGTHS, *lines))
    assert found.objective == objective
    assert found.sequence_length == {"inputs": 64, "targets": 32}


@pytest.mark.parametrize(
    "lines",
    [
        [_LENGTHS],
        ["MIXTURE_NAME = 3", _LENGTHS],
        ["MIXTURE_NAME = 'small'"],
        ["MIXTURE_NAME = 'small'", "run.sequence_length = {'inputs': -1, 'targets': 4}"],
    ],
)
def test_configuration_without_task_or_lengths_is_refused(tmp_path, lines):
    with pytest.raises(errors.InputError, match="wanted a Task's name and the lengths"):
        trained_task.read_task(_settings(tmp_path, *lines))


def test_vocabulary_of_tasks_and_mixtures_is_found(tmp_path, small_data_dir):
    settings = _settings(
        tmp_path,
        "mix/code_t5.mixture.members = ['small', 'inner']",
        "outer/mixture.members = {'mix': 1.0}",
        "taught/code_t5.teacher_outputs.task = 'small_prefix_lm'",
    )
    wanted = small_data_dir / "vocabularies" / "default"
    for name in ("small", "small_prefix_lm", "mix", "outer", "outer_prefix_lm", "taught"):
        found = trained_task.find_vocabulary(name, settings=settings, data_dir=small_data_dir)
        assert found == wanted, name


def test_mixture_of_itself_ends(tmp_path, small_data_dir):
    settings = _settings(tmp_path, "a/mixture.members = ['b']", "b/mixture.members = ['a']")
    with pytest.raises(errors.NotBuiltError, match="has the Task a"):
        trained_task.find_vocabulary("a", settings=settings, data_dir=small_data_dir)


def test_unknown_task_is_named_with_what_to_do(tmp_path, small_data_dir):
    with pytest.raises(errors.NotBuiltError, match="the Task large.*--data_dir"):
        trained_task.find_vocabulary("large", settings=_settings(tmp_path), data_dir=small_data_dir)
