from __future__ import annotations

import collections

import gin
import numpy as np
import pytest
import seqio
import small_t5_outputs

from code_t5 import errors
from code_t5.data import gin_mixtures, nbest_source, requested, tasks

_LENGTHS = {"inputs": 16, "targets": 16}

pytestmark = pytest.mark.usefixtures("own_registries")


@pytest.fixture
def vocabulary(small_data_dir):
    tasks.register_tasks(str(small_data_dir))
    found = seqio.get_mixture_or_task("small_prefix_lm").output_features["targets"].vocabulary
    return {"fingerprint": found.fingerprint, "vocab_size": found.vocab_size}


@pytest.fixture
def outputs(vocabulary, tmp_path):
    return small_t5_outputs.write_nbest(tmp_path / "nbest", vocabulary=vocabulary)


def _bind(outputs, name="taught", **arguments):
    for argument, value in {"path": str(outputs.path), **arguments}.items():
        gin.parse_config(f"{name}/teacher_outputs.{argument} = {value!r}")


def _examples(name="taught", *, lengths=None, split="train", **options):
    task = seqio.get_mixture_or_task(gin_mixtures.mixture_name(name))
    options = {"seed": 1, "shuffle": False, **options}
    return list(task.get_dataset(lengths or _LENGTHS, split, **options).as_numpy_iterator())


def test_targets_are_the_best_hypothesis_and_inputs_what_the_teacher_read(outputs):
    _bind(outputs)
    examples = _examples()
    assert [example["targets"].tolist() for example in examples] == [
        [number + 10, 7, 1] for number in range(20)
    ]
    for number, example in enumerate(examples):
        wanted = small_t5_outputs.nbest_sample(number)["inputs"]
        assert example["inputs"].tolist() == wanted.tolist()
        assert example["inputs"].dtype == np.int32


def test_each_pass_has_an_order_of_its_own_and_every_sample_once(outputs):
    _bind(outputs)
    examples = _examples(shuffle=True, num_epochs=2)
    first = [int(example["targets"][0]) for example in examples]
    assert sorted(first) == sorted([*range(10, 30), *range(10, 30)])
    assert first[:20] != first[20:] and first != sorted(first)
    again = [int(example["targets"][0]) for example in _examples(shuffle=True, num_epochs=2)]
    assert again == first


def test_hypotheses_are_drawn_by_their_scores(outputs):
    _bind(outputs, hypothesis="drawn")
    found = collections.Counter(len(one["targets"]) for one in _examples(num_epochs=50))
    assert set(found) == {3, 4}
    # 0.75 of a thousand, within five standard deviations.
    assert abs(found[3] - 750) < 70
    drawn = [example["targets"].tolist() for example in _examples(num_epochs=2)]
    assert drawn == [example["targets"].tolist() for example in _examples(num_epochs=2)]
    assert drawn[:20] != drawn[20:]


def test_shares_are_disjoint_and_whole(outputs):
    _bind(outputs)
    shares = [
        _examples(shuffle=True, shard_info=seqio.ShardInfo(index, 3), num_epochs=1)
        for index in range(3)
    ]
    found = [int(example["targets"][0]) for share in shares for example in share]
    assert sorted(found) == list(range(10, 30))


def test_what_is_cut_keeps_the_end_of_the_inputs(outputs):
    _bind(outputs)
    examples = _examples(lengths={"inputs": 3, "targets": 2})
    for number, example in enumerate(examples):
        wanted = small_t5_outputs.nbest_sample(number)["inputs"].tolist()
        cut = wanted if len(wanted) <= 3 else [*wanted[:2], 1]
        assert example["inputs"].tolist() == cut
        assert example["targets"].tolist() == [number + 10, 7]


def test_validation_is_outputs_of_its_own(outputs, vocabulary, tmp_path):
    other = small_t5_outputs.write_nbest(
        tmp_path / "val", num_samples=5, vocabulary=vocabulary, split="validation"
    )
    _bind(outputs, validation_path=str(other.path))
    assert len(_examples(split="validation")) == 5
    assert list(seqio.get_mixture_or_task("taught").splits) == ["train", "validation"]


def test_it_may_be_a_member_of_a_mixture(outputs):
    _bind(outputs)
    gin.parse_config("mix/mixture.members = ['taught', 'small_prefix_lm']")
    gin_mixtures.mixture_name("mix")
    mixture = seqio.MixtureRegistry.get("mix")
    assert {task.name: mixture.get_rate(task) for task in mixture.tasks}["taught"] == 20
    gin.parse_config("alone/mixture.members = ['taught']")
    assert [len(example["targets"]) for example in _examples("alone", num_epochs=1)] == [3] * 20


def test_the_operative_configuration_names_the_outputs(outputs):
    _bind(outputs)
    gin_mixtures.mixture_name("taught")
    found = gin.operative_config_str()
    assert "taught/teacher_outputs.path = " in found and str(outputs.path) in found
    assert "taught/teacher_outputs.task = 'small_prefix_lm'" in found


def test_another_vocabulary_is_refused(vocabulary, tmp_path):
    other = {**vocabulary, "fingerprint": "f" * 64}
    _bind(small_t5_outputs.write_nbest(tmp_path / "nbest", vocabulary=other))
    with pytest.raises(errors.VocabularyMismatchError, match="have the vocabulary ffffffff"):
        gin_mixtures.mixture_name("taught")


def test_the_task_of_the_teacher_must_be_there(vocabulary, tmp_path):
    _bind(
        small_t5_outputs.write_nbest(tmp_path / "a", vocabulary=vocabulary, task="small_prefx_lm")
    )
    with pytest.raises(
        errors.InputError, match="^the teacher outputs of the Task taught are about"
    ):
        gin_mixtures.mixture_name("taught")


def test_outputs_of_two_teachers_are_refused(outputs, vocabulary, tmp_path):
    other = small_t5_outputs.write_nbest(
        tmp_path / "val", vocabulary=vocabulary, split="validation", teacher={"name": "other"}
    )
    _bind(outputs, validation_path=str(other.path))
    with pytest.raises(errors.ArtifactError, match="is of another teacher than"):
        gin_mixtures.mixture_name("taught")


def test_the_other_split_is_refused(vocabulary, tmp_path):
    other = small_t5_outputs.write_nbest(
        tmp_path / "val", vocabulary=vocabulary, split="validation"
    )
    _bind(other)
    with pytest.raises(errors.ArtifactError, match="is of the split 'validation'; wanted 'train'"):
        gin_mixtures.mixture_name("taught")


def test_outputs_of_another_kind_are_refused(tmp_path):
    import small_teacher_outputs

    _bind(small_teacher_outputs.write_small(tmp_path / "x"))
    with pytest.raises(errors.ArtifactError, match="wanted inputs, sequences"):
        gin_mixtures.mixture_name("taught")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("teacher_outputs.path = 'x'", "without a name before it"),
        ("taught/teacher_outputs.path = 3", "has the teacher outputs 3; wanted the directory"),
        ("taught/teacher_outputs.path = 'cached.pt'", "is a .pt file; wanted a directory"),
        ("small_prefix_lm/teacher_outputs.path = 'x'", "there is a Task or Mixture small_prefix"),
    ],
)
def test_definitions_that_are_none_are_refused(vocabulary, statement, message):
    gin.parse_config(statement)
    with pytest.raises(errors.InputError, match=message):
        gin_mixtures.register_gin_mixtures()


def test_missing_outputs_and_unknown_choices_are_refused(outputs, tmp_path):
    _bind(outputs, hypothesis="worst")
    with pytest.raises(errors.InputError, match="'worst'; wanted best or drawn"):
        gin_mixtures.mixture_name("taught")
    _bind(outputs, hypothesis="best", path=str(tmp_path / "none"))
    with pytest.raises(errors.NotBuiltError, match="--config t5_dev_nbest4"):
        gin_mixtures.mixture_name("taught")


def test_damage_is_found_when_the_name_is_asked_for(outputs):
    _bind(outputs)
    gin_mixtures.mixture_name("taught")
    shard = next(outputs.path.glob("*.safetensors"), None) or next(outputs.path.glob("shard*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(errors.ArtifactError):
        gin_mixtures.mixture_name("taught")


def test_a_copied_source_opens_the_outputs_itself(outputs):
    import copy

    source = nbest_source.NBestDataSource({"train": str(outputs.path)})
    source.check()
    copied = copy.deepcopy(source)
    assert "outputs" not in vars(copied)
    assert copied.num_input_examples("train") == 20
    _bind(outputs)
    requested.check_source(seqio.get_mixture_or_task(gin_mixtures.mixture_name("taught")))
