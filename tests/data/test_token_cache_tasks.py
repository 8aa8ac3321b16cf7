from __future__ import annotations

import pathlib
import shutil

import gin
import pytest
import seqio
import small_tokenizer

from code_t5 import errors
from code_t5.data import gin_mixtures, requested, tasks, token_cache_tasks
from code_t5.token_cache.provider import FastHfDatasetProvider

_LENGTHS = {"inputs": 32, "targets": 32}
_TEXTS = [f"def f{number}(x):\n    return x + {number}\n" for number in range(40)]


pytestmark = pytest.mark.usefixtures("own_registries")


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cache"
    FastHfDatasetProvider.from_documents(
        {"train": _TEXTS, "validation": _TEXTS[:4]},
        tokenizer=small_tokenizer.hugging_face_tokenizer(),
        cache_dir=folder,
        num_workers=1,
    )
    return folder


def _bind(cache_dir, name="toy"):
    gin.parse_config(f"{name}/token_cache.cache_dir = {str(cache_dir)!r}")


def _examples(name, *, num_examples=40, **options):
    dataset = seqio.get_mixture_or_task(name).get_dataset(_LENGTHS, "train", seed=1, **options)
    return list(dataset.take(num_examples).as_numpy_iterator())


def test_asking_for_the_name_registers_a_task_for_each_objective(cache_dir):
    _bind(cache_dir)
    assert gin_mixtures.mixture_name("toy_prefix_lm") == "toy_prefix_lm"
    assert {"toy", "toy_prefix_lm", "toy_span_corruption", "toy_causal_lm"} <= set(
        seqio.TaskRegistry.names()
    )
    # Whoever reads the operative configuration finds the cache in it.
    assert "toy/token_cache.cache_dir" in gin.operative_config_str()


def test_prefix_and_rest_are_a_piece_of_a_document(cache_dir):
    _bind(cache_dir)
    gin_mixtures.mixture_name("toy_prefix_lm")
    vocabulary = seqio.get_mixture_or_task("toy_prefix_lm").output_features["targets"].vocabulary
    examples = _examples("toy_prefix_lm")
    assert len(examples) == 40
    for example in examples:
        assert example["inputs"][-1] == example["targets"][-1] == 1
        assert max(len(example["inputs"]), len(example["targets"])) <= 32
        text = vocabulary.decode(example["inputs"]) + vocabulary.decode(example["targets"])
        assert any(text in whole for whole in _TEXTS), text


def test_spans_are_masked_with_the_vocabularys_sentinels(cache_dir):
    _bind(cache_dir)
    gin_mixtures.mixture_name("toy_span_corruption")
    vocabulary = seqio.get_mixture_or_task("toy").output_features["targets"].vocabulary
    top = vocabulary.vocab_size - 1
    for example in _examples("toy_span_corruption"):
        assert top in example["inputs"] and example["targets"][0] == top
        rest = vocabulary.decode(example["targets"]).split("<extra_id_")
        text = vocabulary.decode(example["inputs"])
        for part in rest[1:]:
            number, _, words = part.partition(">")
            text = text.replace(f"<extra_id_{number}>", words)
        assert any(text in whole for whole in _TEXTS), text


def test_causal_examples_have_targets_alone(cache_dir):
    _bind(cache_dir)
    gin_mixtures.mixture_name("toy_causal_lm")
    assert all(example["inputs"].tolist() == [1] for example in _examples("toy_causal_lm"))


def test_an_objective_that_looks_into_the_text_is_refused_in_one_line(cache_dir):
    _bind(cache_dir)
    gin_mixtures.mixture_name("toy_infilling")
    with pytest.raises(errors.InputError, match="^the objective looks into the text of each token"):
        _examples("toy_infilling")


def test_a_seed_decides_on_the_examples(cache_dir):
    _bind(cache_dir)
    gin_mixtures.mixture_name("toy_prefix_lm")
    first, again = ([e["targets"].tolist() for e in _examples("toy_prefix_lm")] for _ in range(2))
    assert first == again


def test_tasks_over_caches_are_members_of_mixtures(cache_dir):
    _bind(cache_dir)
    _bind(cache_dir, "other")
    gin.parse_config(
        "mix/mixture.members = ['toy_prefix_lm', 'other_causal_lm']\nmix/mixture.rate = 'tokens'"
    )
    gin_mixtures.mixture_name("mix")
    mixture = seqio.MixtureRegistry.get("mix")
    num_tokens = sum(map(len, _TEXTS))
    assert {task.name: mixture.get_rate(task) for task in mixture.tasks} == {
        "toy_prefix_lm": num_tokens,
        "other_causal_lm": num_tokens,
    }
    assert len(_examples("mix", num_epochs=None)) == 40
    gin.parse_config("mix/mixture.rate = 'examples'")
    gin_mixtures.mixture_name("mix")
    assert seqio.MixtureRegistry.get("mix").get_rate(mixture.tasks[0]) == 40


def test_unlike_tokenizers_are_not_mixed(cache_dir, small_data_dir, tmp_path):
    tasks.register_tasks(str(small_data_dir))
    _bind(cache_dir)
    gin.parse_config("mix/mixture.members = ['toy_prefix_lm', 'small_prefix_lm']")
    with pytest.raises(errors.VocabularyMismatchError, match="mixes unlike vocabularies"):
        gin_mixtures.mixture_name("mix")


def test_caches_of_two_tokenizers_are_not_mixed(cache_dir, tmp_path):
    FastHfDatasetProvider.from_documents(
        {"train": _TEXTS, "validation": _TEXTS[:4]},
        tokenizer=small_tokenizer.hugging_face_tokenizer(num_unused=1),
        cache_dir=tmp_path / "cache",
        num_workers=1,
    )
    _bind(cache_dir)
    _bind(tmp_path / "cache", "other")
    gin.parse_config("mix/mixture.members = ['toy_prefix_lm', 'other_prefix_lm']")
    with pytest.raises(errors.VocabularyMismatchError) as refused:
        gin_mixtures.register_gin_mixtures(["mix"])
    message = str(refused.value)
    assert message.startswith("the mixture mix mixes unlike vocabularies: toy_prefix_lm has ")
    assert str(cache_dir) in message
    assert str(tmp_path / "cache") in message
    assert "\n" not in message


def test_a_cache_of_a_data_set_holds_the_documents_of_its_own_task(small_data_dir, tmp_path):
    tasks.register_tasks(str(small_data_dir))
    FastHfDatasetProvider.from_flcc(
        small_data_dir, "small", cache_dir=tmp_path / "cache", num_workers=1
    )
    _bind(tmp_path / "cache")
    gin_mixtures.mixture_name("toy_line_completion")
    found = seqio.get_mixture_or_task("toy").source.get_dataset("train", shuffle=False)
    task = seqio.get_mixture_or_task("small")
    wanted = task.preprocess_precache(task.source.get_dataset("train", shuffle=False))
    rows = [
        [(e["targets"].tolist(), e["repository"], e["path"]) for e in one.as_numpy_iterator()]
        for one in (found, wanted)
    ]
    assert len(rows[0]) > 30
    assert rows[0] == rows[1]
    # The vocabulary's own: so objectives that look into the text have it.
    examples = _examples("toy_line_completion", num_examples=-1)
    assert len(examples) == len(_examples("small_line_completion", num_examples=-1)) > 30


def test_another_cache_under_the_same_name_takes_its_place(cache_dir, tmp_path):
    _bind(cache_dir)
    gin_mixtures.mixture_name("toy")
    copy = shutil.copytree(cache_dir, tmp_path / "copy")
    _bind(copy)
    gin_mixtures.mixture_name("toy")
    source = seqio.TaskRegistry.get("toy").source
    assert pathlib.Path(source.cache_dir) == copy
    assert source.num_input_examples("validation") == 4


def test_a_name_that_a_task_has_is_refused(cache_dir, small_data_dir):
    tasks.register_tasks(str(small_data_dir))
    _bind(cache_dir, "small")
    with pytest.raises(errors.InputError, match="a Task or Mixture small already"):
        gin_mixtures.mixture_name("small")


def test_a_cache_that_is_not_there_ends_in_one_line(tmp_path):
    _bind(tmp_path / "none")
    with pytest.raises(errors.NotBuiltError, match="^there is no token cache"):
        gin_mixtures.mixture_name("toy")


def test_a_cache_that_nobody_asks_for_need_not_be_there(cache_dir, tmp_path):
    _bind(tmp_path / "none", "missing")
    _bind(cache_dir)
    assert gin_mixtures.mixture_name("toy") == "toy"


def test_a_damaged_cache_ends_in_one_line(cache_dir, tmp_path):
    copy = shutil.copytree(cache_dir, tmp_path / "copy")
    with open(copy / "train.npy", "r+b") as file:
        file.truncate(200)
    _bind(copy)
    with pytest.raises(errors.ArtifactError, match="train.npy"):
        gin_mixtures.mixture_name("toy")


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("token_cache.cache_dir = 'somewhere'", "without a name before it"),
        ("toy/token_cache.cache_dir = 3", "has the token cache 3; wanted the directory"),
    ],
)
def test_a_definition_that_is_none_is_refused(binding, message):
    gin.parse_config(binding)
    with pytest.raises(errors.InputError, match=message):
        gin_mixtures.mixture_name("toy")


def test_a_misspelt_name_brings_the_near_one(cache_dir):
    _bind(cache_dir)
    with pytest.raises(errors.InputError, match="did you mean toy"):
        gin_mixtures.mixture_name("toyy")


def test_nothing_is_registered_where_gin_binds_nothing():
    assert token_cache_tasks.register_token_cache_tasks() == []
    assert requested.check_source is not None
    assert seqio.TaskRegistry.names() == {}.keys()
