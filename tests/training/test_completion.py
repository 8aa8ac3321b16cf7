"""Asking a trained model for completions, with a stand-in for the trainer."""

from __future__ import annotations

import json
import re

import pytest
from training import tiny_task

from code_t5 import errors
from code_t5.training import completion


def test_completions_are_what_the_trainer_wrote(tmp_path, monkeypatch):
    (tmp_path / "operative_config.gin").write_text("")
    runs = []

    def run_trainer(config, **_):
        runs.append(config)
        paths = dict(re.findall(r"(\w+_path) = '([^']+)'", "\n".join(config.gin_params)))
        with open(paths["prompts_path"], encoding="ascii") as file:
            prompts = json.load(file)
        with open(paths["output_path"], "w", encoding="ascii") as file:
            json.dump([prompt.upper() for prompt in prompts], file)

    monkeypatch.setattr(completion.launch, "run_trainer", run_trainer)
    found = completion.complete(
        ["def é(\n", "x"], model_dir=tmp_path, mixture_or_task_name="dev", temperature=0.5
    )
    assert found == ["DEF É(\n", "X"]
    assert runs[0].gin_files == (str(tmp_path / "operative_config.gin"), "runs/complete.gin")
    assert "Bitransformer.decode.temperature = 0.5" in runs[0].gin_params


def test_untrained_directory_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="train first"):
        completion.complete(["x"], model_dir=tmp_path, mixture_or_task_name="dev")


def test_no_prompts_are_refused(tmp_path):
    (tmp_path / "operative_config.gin").write_text("")
    with pytest.raises(errors.InputError, match="0 prompts"):
        completion.complete([], model_dir=tmp_path, mixture_or_task_name="dev")


def test_prompts_are_beginnings_of_files_of_different_repositories():
    tiny_task.register()
    found = completion.prompt_examples(
        tiny_task.NAME, num_examples=3, prompt_tokens=6, continuation_tokens=5
    )
    # The first two files are of one repository, the next two of another, and so on.
    files = tiny_task.FILES["validation"]
    assert found == [
        completion.PromptExample(prompt=files[index][:6], continuation=files[index][6:11])
        for index in (0, 2, 4)
    ]


def test_more_prompts_than_repositories_come_from_their_other_files():
    tiny_task.register()
    found = completion.prompt_examples(
        tiny_task.NAME, num_examples=99, prompt_tokens=6, continuation_tokens=5
    )
    assert [example.prompt[5] for example in found] == ["0", "2", "4", "1", "3", "5"]


def test_files_too_short_for_a_prompt_are_left_out():
    tiny_task.register()
    assert completion.prompt_examples(tiny_task.NAME, prompt_tokens=1000) == []
