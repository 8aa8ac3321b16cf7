"""Outputs of T5 teachers from the flags of the program: written, stopped, verified, refused."""

from __future__ import annotations

import dataclasses

import pytest
from absl import flags
from refusals import assert_refused, content
from small_t5_directory import write_t5

from code_t5.teacher_outputs.reader import open_outputs
from code_t5.training.teachers import generate_flags, opening, registry
from code_t5.training.teachers.t5_token_level import T5TokenTeacher


@pytest.fixture(name="run")
def _run(t5_settings, tmp_path, monkeypatch):
    """Runs the program's flags in this process, with one worker."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, config="t5_dev_top32", **settings):
        values = flags.FlagValues()
        generate_flags.define_flags(values)
        chosen = {**t5_settings, "num_workers": 1, **settings}
        if "--verify" in arguments:
            # As the cache says.
            for name in ("task", "inputs_length", "targets_length", "num_workers"):
                if name not in settings:
                    chosen.pop(name)
        given = [f"--{name}={value}" for name, value in chosen.items() if value is not None]
        values(["program", f"--config={config}", *arguments, *given])
        return generate_flags.run(values)

    return run


def test_what_is_written_is_verified_by_its_teacher(run):
    (line,) = run("--output=cached", "--num_samples=20", "--seed=3", "--batch_size=8")
    assert "20 train samples of t5_dev_top32, seed 3" in line
    lines = run("--output=cached", "--verify")
    assert "target tokens: " in "\n".join(lines) and "kept mass, mean of a sample: " in str(lines)
    assert lines[-3].startswith("share of samples with the same tokens 1 (16 samples, ")
    assert lines[-2].startswith("KL divergence from the live teacher, beyond ")
    assert lines[-1] == "same most likely token, share 1"
    assert open_outputs("cached").parts["options"]["batch_size"] == 8


@pytest.mark.parametrize("config", ["t5_dev_mass99", "t5_dev_nbest4"])
def test_a_file_of_torch_holds_the_validation_samples(config, run, monkeypatch):
    from code_t5.training.teachers import t5_inputs

    monkeypatch.setattr(t5_inputs, "MAX_VALIDATION_SAMPLES", 6)
    lengths = {"inputs_length": 16, "targets_length": 6}
    run("--output=val.pt", "--validation", config=config, **lengths)
    samples = opening.open_cache("val.pt", split="validation", name=config)
    assert len(samples) == 6
    lines = run("--output=val.pt", "--verify", config=config)
    assert f"6 validation samples of {config}, all as written" in lines[0]
    (line,) = run("--output=val.pt", "--validation", config=config, **lengths)
    assert "(0 generated now)" in line


def test_stopped_between_shards_it_goes_on_to_the_same_bytes(run, tmp_path, monkeypatch):
    asked = ("--num_samples=40", "--seed=3", "--batch_size=8")
    original = generate_flags.read_config

    def small_shards(values):
        return dataclasses.replace(original(values), samples_per_shard=8)

    monkeypatch.setattr(generate_flags, "read_config", small_shards)
    run("--output=once", *asked)
    whole, calls = T5TokenTeacher.run, []

    def stopped(self, inputs):
        calls.append(len(inputs))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, inputs)

    monkeypatch.setattr(T5TokenTeacher, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("--output=twice", *asked)
    (line,) = run("--output=twice", *asked)
    assert "(24 generated now)" in line and calls == [8] * 6
    assert content(tmp_path / "twice") == content(tmp_path / "once")


def test_another_batch_size_is_another_plan(run):
    run("--output=cached", "--num_samples=8", "--seed=3", "--batch_size=8")
    assert_refused(
        lambda: run("--output=cached", "--num_samples=8", "--seed=3", "--batch_size=4"),
        match="options.batch_size",
    )


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"inputs_length": 20}, "options.inputs_length is 24, wanted 20"),
        ({"k": 16}, "options.k is 32, wanted 16"),
        ({"temperature": 2.0}, "options.temperature is 1.0, wanted 2.0"),
    ],
)
def test_a_cache_of_other_settings_is_refused_by_name(settings, match, run):
    run("--output=cached", "--num_samples=4", "--seed=3")
    assert_refused(lambda: run("--output=cached", "--verify", **settings), match=match)


def test_a_cache_of_another_model_is_refused_by_name(run, small_data_dir, tmp_path):
    run("--output=cached", "--num_samples=4", "--seed=3")
    vocabulary_dir = small_data_dir / "vocabularies" / "default"
    other = write_t5(tmp_path / "other", vocabulary_dir=vocabulary_dir, seed=1)
    assert_refused(
        lambda: run("--output=cached", "--verify", hf_dir=str(other)),
        match="teacher.weights_sha256 is .*, wanted ",
    )
    assert_refused(
        lambda: run("--output=cached", "--verify", config="t5_dev_mass99"),
        match="teacher.name is .t5_dev_top32., wanted .t5_dev_mass99.",
    )


def test_a_cache_of_another_vocabulary_is_refused_by_name(run, t5_settings, monkeypatch):
    run("--output=cached", "--num_samples=4", "--seed=3")
    teacher = registry.open_teacher("t5_dev_top32", settings=t5_settings)
    changed = {**teacher.vocabulary_description, "fingerprint": "0" * 64}
    monkeypatch.setattr(T5TokenTeacher, "vocabulary_description", changed)
    assert_refused(
        lambda: run("--output=cached", "--verify"), match="vocabulary.fingerprint is .*, wanted "
    )


def test_an_estimate_says_how_many_bytes_a_sample_takes(run, tmp_path):
    lines = run("--output=cached", "--num_samples=1000", "--estimate")
    assert "1,000 samples: about " in lines[0] and "probe of 100" in lines[0]
    assert not list(tmp_path.iterdir())
