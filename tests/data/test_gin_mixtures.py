from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import gin
import pytest
import seqio
import t5.models
import tensorflow as tf

from code_t5 import errors
from code_t5.data import gin_mixtures, requested, tasks
from code_t5.storage import tfrecords

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_LENGTHS = {"inputs": 32, "targets": 32}


pytestmark = pytest.mark.usefixtures("own_registries")


@pytest.fixture
def copied_data_dir(small_data_dir, tmp_path):
    """A data directory that the test may damage."""
    return pathlib.Path(shutil.copytree(small_data_dir, tmp_path / "copy"))


def _add(name, *, num_examples=1, vocabulary=None, features=("targets",), splits=("train",)):
    """Registers a Task that gives its own name, over and over."""

    def dataset(split, shuffle_files, seed=None):
        del split, shuffle_files, seed
        rows = {key: [name] * (num_examples or 0) for key in features}
        return tf.data.Dataset.from_tensor_slices(rows)

    vocabulary = vocabulary or seqio.ByteVocabulary(extra_ids=0)
    return seqio.TaskRegistry.add(
        name,
        source=seqio.FunctionDataSource(
            dataset,
            splits=splits,
            num_input_examples=None if num_examples is None else {"train": num_examples},
        ),
        preprocessors=[seqio.preprocessors.tokenize],
        output_features={key: seqio.Feature(vocabulary, add_eos=False) for key in features},
        metric_fns=[],
    )


def _register(*bindings, names=None):
    gin.parse_config(list(bindings))
    return gin_mixtures.register_gin_mixtures(names)


def _rates(name):
    mixture = seqio.MixtureRegistry.get(name)
    return {task.name: mixture.get_rate(task) for task in mixture.tasks}


def _copy_dataset(data_dir: pathlib.Path, name: str) -> None:
    folder = data_dir / "flcc" / name
    shutil.copytree(data_dir / "flcc/small", folder)
    info = folder / "2.0.0/dataset_info.json"
    info.write_text(info.read_text().replace('"configName": "small"', f'"configName": "{name}"'))


def _num_texts(data_dir: pathlib.Path) -> int:
    paths = (data_dir / "flcc/small/2.0.0").glob("flcc-train.*")
    return sum(1 for path in paths for _ in tfrecords.read_records(path))


def test_fixed_rates_are_what_seqio_draws_by():
    for name in ("a", "b"):
        _add(name, num_examples=1000)
    assert _register("m/mixture.members = {'a': 3.0, 'b': 1.0}") == ["m"]
    assert _rates("m") == {"a": 3.0, "b": 1.0}
    dataset = seqio.get_mixture_or_task("m").get_dataset(split="train", shuffle=False, seed=0)
    drawn = [example["targets"].tolist()[0] for example in dataset.take(400).as_numpy_iterator()]
    first, second = (seqio.ByteVocabulary().encode(name)[0] for name in "ab")
    assert set(drawn) == {first, second}
    assert 260 < drawn.count(first) < 340


def test_rates_follow_the_number_of_examples():
    _add("a", num_examples=900)
    _add("b", num_examples=25)
    _register("m/mixture.members = ['a', 'b']")
    assert _rates("m") == {"a": 900.0, "b": 25.0}
    _register("m/mixture.temperature = 2.0", "m/mixture.maximum = 100")
    assert _rates("m") == {"a": 10.0, "b": 5.0}
    _register(
        "m/mixture.maximum = None", "m/mixture.temperature = None", "m/mixture.rate = 'equal'"
    )
    assert _rates("m") == {"a": 1.0, "b": 1.0}


def test_a_mixture_counts_as_all_that_is_in_it():
    for name, number in (("a", 60), ("b", 20), ("c", 40)):
        _add(name, num_examples=number)
    _register("m/mixture.members = ['n', 'c']", "n/mixture.members = {'a': 1.0, 'b': 3.0}")
    assert _rates("m") == {"a": 20.0, "b": 60.0, "c": 40.0}


def test_members_of_other_objectives_and_mixtures_of_python_can_be_mixed():
    for name in ("a", "a_x", "b"):
        _add(name, num_examples=10)
    seqio.MixtureRegistry.add("python_mix", [("a", 1.0), ("b", 1.0)])
    _register("m/mixture.members = {'a_x': 1.0, 'python_mix': 4.0}")
    assert _rates("m") == {"a": 2.0, "a_x": 1.0, "b": 2.0}


def test_only_what_is_asked_for_is_registered_and_again_what_gin_says_now():
    for name in ("a", "b"):
        _add(name)
    bindings = ["m/mixture.members = ['a']", "n/mixture.members = ['b']"]
    assert _register(*bindings, names=["m", "a", "unknown"]) == ["m"]
    assert list(seqio.MixtureRegistry.names()) == ["m"]
    assert _register("m/mixture.members = ['b']") == ["m", "n"]
    assert _rates("m") == {"b": 1.0}


@pytest.mark.parametrize(
    "bindings, message",
    [
        (["m/mixture.members = ['a', 'bb']"], "member bb, which is no Task or Mixture; did you"),
        (["m/mixture.members = ['a', 'qqqqqqqqq']"], "qqqqqqqqq, which is no Task or Mixture. W"),
        (["m/mixture.members = ['a', 'empty']"], "empty has no training examples; wanted at le"),
        (["m/mixture.members = {'a': 1.0, 'empty': 1.0}"], "empty has no training examples"),
        (["m/mixture.members = ['a', 'no_train']"], "no_train has no training examples"),
        (["m/mixture.members = ['a', 'n']", "n/mixture.members = ['empty']"], "mixture n has the"),
        (["m/mixture.members = ['unknown']"], "nobody knows how many unknown has; wanted a cached"),
        (["m/mixture.members = ['a', 'b']", "m/mixture.rate = 'tokens'"], "a is not cached, so"),
        (["m/mixture.members = ['a', 'two']"], "a with the features targets and two with inputs,"),
        (["m/mixture.members = {'a': 0.0}"], "rate of a 0.0; wanted a number above zero"),
        (
            ["b/mixture.members = ['a']"],
            "mixture b has the name of a Task or Mixture that is there",
        ),
        (
            ["p/mixture.members = ['a']"],
            "mixture p has the name of a Task or Mixture that is there",
        ),
    ],
)
def test_what_cannot_be_mixed_is_one_line(bindings, message):
    for name, number in (("a", 1), ("b", 1), ("empty", 0), ("unknown", None)):
        _add(name, num_examples=number)
    _add("no_train", splits=["validation"])
    _add("two", features=("inputs", "targets"))
    seqio.MixtureRegistry.add("p", [("a", 1.0)])
    with pytest.raises(errors.InputError, match=message) as caught:
        _register(*bindings)
    assert "\n" not in str(caught.value)
    assert list(seqio.MixtureRegistry.names()) == ["p"]


def test_unlike_vocabularies_are_refused_with_both(copied_data_dir):
    _add("bytes")
    _add("more_bytes", vocabulary=seqio.ByteVocabulary(extra_ids=7))
    with pytest.raises(errors.VocabularyMismatchError, match="bytes has <seqio.*more_bytes has <"):
        _register("m/mixture.members = ['bytes', 'more_bytes']")
    # A data set with the same pieces but another fingerprint in both of its manifests.
    _copy_dataset(copied_data_dir, "other")
    old = copied_data_dir / "vocabularies/default"
    new = pathlib.Path(shutil.copytree(old, copied_data_dir / "vocabularies/changed"))
    fields = json.loads((new / "manifest.json").read_text())
    found, fields["fingerprint"] = fields["fingerprint"], "0" * 64
    (new / "manifest.json").write_text(json.dumps(fields))
    path = copied_data_dir / "flcc/other/2.0.0/manifest.json"
    fields = json.loads(path.read_text())
    fields.update(vocabulary="changed", vocabulary_fingerprint="0" * 64)
    path.write_text(json.dumps(fields))
    tasks.register_tasks(str(copied_data_dir))
    with pytest.raises(errors.VocabularyMismatchError) as caught:
        _register("n/mixture.members = ['small_prefix_lm', 'other_prefix_lm']", names=["n"])
    for part in (found, "0" * 64, str(old), str(new), "small_prefix_lm has", "other_prefix_lm has"):
        assert part in str(caught.value)


def test_tokens_of_a_prepared_data_set_come_from_its_report_or_exactly_from_its_cache(
    copied_data_dir, tmp_path
):
    _copy_dataset(copied_data_dir, "other")
    tasks.register_tasks(str(copied_data_dir))
    report_path = copied_data_dir / "flcc/other/2.0.0/report.json"
    report = json.loads(report_path.read_text())
    report["splits"] = {"train": {"num_bytes": 300}, "test": {"num_bytes": 100}}
    report["vocabulary"]["num_tokens"] = 4000
    report_path.write_text(json.dumps(report))
    task = seqio.TaskRegistry.get("small_prefix_lm")
    seqio.TaskRegistry.remove(task.name)
    seqio.TaskRegistry.add_provider(task.name, _CachedTask(task, tmp_path / "cache"))
    _register(
        "m/mixture.members = ['small_prefix_lm', 'other_prefix_lm']", "m/mixture.rate = 'tokens'"
    )
    assert _rates("m") == {"small_prefix_lm": 777.0, "other_prefix_lm": 3000.0}
    assert gin_mixtures.num_examples(seqio.TaskRegistry.get("small_prefix_lm")) == 12
    report_path.write_text("{}")
    with pytest.raises(errors.ArtifactError, match="does not say how many tokens"):
        _register()
    task = _CachedTask(task, tmp_path / "cache")
    task.stats_path.unlink()
    wanted = "has no numbers of its split train .*wanted stats.train.json; write"
    with pytest.raises(errors.ArtifactError, match=wanted):
        gin_mixtures.num_tokens(task)


class _CachedTask(seqio.Task):
    """The same Task with a cache that holds numbers alone."""

    def __init__(self, task, folder):
        super().__init__(
            "small_prefix_lm",
            source=task.source,
            output_features=task.output_features,
            preprocessors=task.preprocessors,
        )
        self._folder = folder / "small_prefix_lm"
        if not self._folder.exists():
            self._folder.mkdir(parents=True)
            stats = {"examples": 12, "targets_tokens": 777, "targets_max_tokens": 99}
            self.stats_path.write_text(json.dumps(stats))

    @property
    def stats_path(self):
        return pathlib.Path(seqio.utils.get_cached_stats_path(str(self._folder), "train"))

    @property
    def cache_dir(self):
        return str(self._folder)


def _parse_files(*files, bindings=()):
    prefixes = [
        "",
        str(pathlib.Path(t5.models.__file__).parent / "gin"),
        str(_ROOT / "gin_configs"),
    ]
    saved, gin.config._LOCATION_PREFIXES = gin.config._LOCATION_PREFIXES, prefixes
    try:
        gin.parse_config_files_and_bindings(files, bindings, finalize_config=False)
    finally:
        gin.config._LOCATION_PREFIXES = saved


def test_the_published_mixture_is_defined_by_gin_for_every_objective(copied_data_dir, monkeypatch):
    for name in ("fl_py_50stars_2019", "fl_py_10stars_2019"):
        _copy_dataset(copied_data_dir, name)
    monkeypatch.setenv("CODE_T5_DATA_DIR", str(copied_data_dir))
    tasks.register_tasks(str(copied_data_dir))
    _parse_files("mixtures/fl_py_2019_mix.gin")
    vocabulary, _ = t5.models.mesh_transformer.get_vocabulary()
    assert vocabulary == seqio.TaskRegistry.get("small").output_features["targets"].vocabulary
    count = float(_num_texts(copied_data_dir))
    assert _rates("fl_py_2019_mix") == {"fl_py_10stars_2019": count, "fl_py_50stars_2019": count}
    _parse_files(bindings=["MIXTURE_NAME = 'fl_py_2019_mix_prefix_lm'"])
    t5.models.mesh_transformer.get_vocabulary()
    names = [f"fl_py_{part}_2019_prefix_lm" for part in ("10stars", "50stars")]
    assert _rates("fl_py_2019_mix_prefix_lm") == dict.fromkeys(names, count)
    dataset = seqio.get_mixture_or_task("fl_py_2019_mix_prefix_lm").get_dataset(
        _LENGTHS, split="train", shuffle=False
    )
    assert len(list(dataset.take(10))) == 10


def test_the_published_mixture_of_sets_that_are_not_built_says_how_to_build_them(small_data_dir):
    tasks.register_tasks(str(small_data_dir))
    _parse_files("mixtures/fl_py_2019_mix.gin")
    for name in ("fl_py_2019_mix", "fl_py_2019_mix_span_corruption"):
        with pytest.raises(errors.NotBuiltError, match="50stars_2019 .* is not built: there is no"):
            gin_mixtures.register_gin_mixtures([name])


def test_outside_of_the_trainer_the_name_is_refused_with_an_error_to_catch(
    small_data_dir, monkeypatch
):
    monkeypatch.setenv("CODE_T5_DATA_DIR", str(small_data_dir))
    tasks.register_tasks(str(small_data_dir))
    _parse_files("mixtures/from_name.gin", bindings=["MIXTURE_NAME = 'smal_prefix_lm'"])
    with pytest.raises(errors.InputError, match="did you mean small_prefix_lm"):
        t5.models.mesh_transformer.get_vocabulary()
    _parse_files(bindings=["MIXTURE_NAME = 'small_prefix_lm'"])
    assert t5.models.mesh_transformer.get_vocabulary()[0].vocab_size == 500
    _parse_files(bindings=["MIXTURE_NAME = None"])
    with pytest.raises(errors.InputError, match="MIXTURE_NAME is None, which is no Task"):
        t5.models.mesh_transformer.get_vocabulary()


def test_asking_for_an_unknown_name_lists_what_is_there(small_data_dir, monkeypatch):
    monkeypatch.setenv("CODE_T5_DATA_DIR", str(small_data_dir))
    tasks.register_tasks(str(small_data_dir))
    gin.parse_config("my_mixture/mixture.members = ['small']")
    requested.check_name("small_prefix_lm")
    with pytest.raises(errors.InputError) as caught:
        requested.check_name("smal_prefix_lm")
    message = str(caught.value)
    assert "did you mean small_prefix_lm" in message
    assert "are built: small; wanted" in message
    assert "\n" not in message
    with pytest.raises(errors.InputError, match="did you mean my_mixture?"):
        requested.check_name("my_mixtre")
    with pytest.raises(errors.InputError, match="no Task or Mixture. Under"):
        requested.check_name("qqqqqqqqqqqqqq")


def test_asking_for_what_is_not_built_is_refused(small_data_dir):
    tasks.register_tasks(str(small_data_dir))
    with pytest.raises(errors.NotBuiltError, match="is not built"):
        requested.check_name("fl_py_50stars_2019")


def _trainer(model_dir, data_dir, *flags):
    command = [
        sys.executable, "-m", "t5.models.mesh_transformer_main", "--module_import=code_t5",
        f"--model_dir={model_dir}", f"--t5_tfds_data_dir={data_dir}",
        "--gin_location_prefix=gin_configs/", *flags,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)


def test_the_trainer_ends_in_one_line_if_asked_for_what_is_not_there(small_data_dir, tmp_path):
    done = _trainer(
        tmp_path,
        small_data_dir,
        "--gin_file=runs/dev_prefix_lm.gin",
        "--gin_param=my_mix/mixture.members = ['small', 'smal_prefix_lm']",
        "--gin_param=MIXTURE_NAME = 'my_mix'",
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: the mixture my_mix has the member smal_prefix_lm, which is no")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_trainer_trains_and_evaluates_on_a_mixture_that_only_gin_defines(
    small_data_dir, tmp_path
):
    path = tmp_path / "mine.gin"
    path.write_text(
        "MIXTURE_NAME = 'my_mix'\n"
        "my_mix/mixture.members = ['small', 'inner']\n"
        "my_mix/mixture.rate = 'tokens'\n"
        "my_mix/mixture.temperature = 2.0\n"
        "inner/mixture.members = {'small_prefix_lm': 1.0, 'small_span_corruption': 3.0}\n"
    )
    model_dir = tmp_path / "model"
    done = _trainer(
        model_dir,
        small_data_dir,
        "--gin_file=runs/dev_prefix_lm.gin",
        f"--gin_file={path}",
        "--gin_param=run.train_steps = 2",
        "--gin_param=utils.run.batch_size = 2",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    os.remove(path)
    done = _trainer(
        model_dir,
        small_data_dir,
        f"--gin_file={model_dir}/operative_config.gin",
        "--gin_file=runs/evaluate.gin",
        "--gin_param=utils.run.perplexity_eval_steps = 1",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {path.name for path in model_dir.glob("eval_*")}
    for name in ("small", "small_prefix_lm", "small_span_corruption"):
        assert any(folder.startswith(f"eval_{name}_validation") for folder in found), found
