"""Every gin file is read by the real gin with the trainer's modules loaded; unknown names fail."""

from __future__ import annotations

import copy
import pathlib
import re

import gin
import mesh_tensorflow.transformer
import pytest
import t5.models
from mesh_tensorflow.transformer import utils as mesh_utils
from t5.models import mesh_transformer

from code_t5 import errors

ROOT = pathlib.Path(__file__).resolve().parent.parent / "gin_configs"
T5_ROOT = pathlib.Path(t5.models.__file__).parent / "gin"
DEFAULTS = pathlib.Path(mesh_tensorflow.transformer.__file__).parent / "gin" / "defaults.gin"
FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.gin"))
COMPLETE = [name for name in FILES if name.startswith(("models/shared-", "runs/dev_"))]
# What the sizes are made of: layers, width, feed-forward width, heads, width of a head.
SIZES = {
    "dev": (2, 128, 256, 4, 32),
    "small": (6, 512, 2048, 8, 64),
    "base": (12, 768, 3072, 12, 64),
    "large": (24, 1024, 4096, 16, 64),
}


@pytest.fixture(autouse=True)
def search_path(monkeypatch):
    """The trainer's order: t5's own folder before ours; gin keeps it in a module variable."""
    monkeypatch.setattr(gin.config, "_LOCATION_PREFIXES", ["", str(T5_ROOT), str(ROOT)])
    yield
    with gin.unlock_config():
        gin.clear_config()


def parse(*names, bindings=()):
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config_file(str(DEFAULTS))
        gin.parse_config_files_and_bindings(names, bindings, finalize_config=False)


def value(name):
    # A copy is how gin itself turns references into values.
    return copy.deepcopy(gin.query_parameter(name))


def test_the_folders_hold_files_of_every_kind():
    folders = {name.split("/")[0] for name in FILES}
    assert folders == {"models", "objectives", "mixtures", "meshes", "runs", "learning_rates"}


@pytest.mark.parametrize("name", FILES)
def test_file_parses_with_unknown_names_as_errors(name):
    parse(name)


@pytest.mark.parametrize("name", FILES)
def test_file_is_short_and_says_what_a_user_must_know(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert 10 <= len(lines) <= 40
    assert max(len(line) for line in lines) <= 100
    head = "\n".join(line for line in lines if line.startswith("#"))
    for word in ("# Use:", "# Data:", "# Size:", "# Must set:", "# Override:"):
        assert word in head


@pytest.mark.parametrize("name", FILES)
def test_file_has_no_namesake_in_t5_which_looks_there_first(name):
    assert not (T5_ROOT / name).exists()


@pytest.mark.parametrize("name", FILES)
def test_files_named_in_a_file_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for found in re.findall(r"[\w-]+/[\w-]+\.gin", text):
        assert (ROOT / found).is_file() or (T5_ROOT / found).is_file(), found


def test_an_unknown_name_is_an_error():
    with pytest.raises(ValueError, match="no_such_parameter"):
        parse("models/shared-prefix_lm.gin", bindings=["run.no_such_parameter = 1"])


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_file_asks_for_the_data_only(name):
    parse(name)
    with pytest.raises(errors.InputError, match="set MIXTURE_NAME"):
        mesh_transformer.get_vocabulary()
    assert value("run.model_type") == "bitransformer"
    assert value("run.train_dataset_fn") is not None
    assert value("run.batch_size")
    assert set(value("run.sequence_length")) == {"inputs", "targets"}


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_file_saves_weights_unrounded(name):
    parse(name)
    assert mesh_utils.get_variable_dtype().master_dtype.name == "float32"


@pytest.mark.parametrize("size", SIZES)
def test_size_file_after_the_main_model_sets_the_size(size):
    parse("models/shared-prefix_lm.gin", f"models/shared_{size}.gin")
    names = ("num_layers", "d_model", "d_ff", "num_heads", "d_kv")
    assert tuple(gin.query_parameter(f"{name}/gin.macro.value") for name in names) == SIZES[size]


def test_base_is_the_main_models_size():
    parse("models/shared-prefix_lm.gin")
    assert gin.query_parameter("d_model/gin.macro.value") == SIZES["base"][1]
    # Encoder and decoder take their weights from one place.
    assert gin.query_parameter("make_bitransformer.encoder_name") == "decoder"


@pytest.mark.parametrize(
    "name, lengths",
    [
        ("models/shared-prefix_lm.gin", {"inputs": 512, "targets": 512}),
        # The lengths that T5 published for these rates.
        ("models/shared-span_corruption.gin", {"inputs": 512, "targets": 114}),
        ("runs/dev_prefix_lm.gin", {"inputs": 128, "targets": 128}),
        ("runs/dev_span_corruption.gin", {"inputs": 128, "targets": 29}),
    ],
)
def test_objective_sets_the_lengths(name, lengths):
    parse(name)
    assert value("run.sequence_length") == lengths


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("meshes/")])
def test_mesh_names_as_many_devices_as_it_has_places(name):
    parse("models/shared-prefix_lm.gin", name)
    places = 1
    for dimension in gin.query_parameter("run.mesh_shape").split(","):
        places *= int(dimension.split(":")[1])
    assert len(gin.query_parameter("run.mesh_devices")) == places


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("mixtures/fl_")])
def test_published_data_set_is_named_as_its_file(name):
    parse("models/shared-prefix_lm.gin", name)
    assert gin.query_parameter("MIXTURE_NAME/gin.macro.value") == pathlib.Path(name).stem


@pytest.mark.parametrize("name", [*COMPLETE, "runs/evaluate.gin", "runs/complete.gin"])
def test_run_looks_its_data_up_where_mixtures_of_gin_are_registered(name):
    parse(name)
    asked = gin.query_parameter("mesh_transformer.get_vocabulary.mixture_or_task_name")
    assert repr(asked) == "@mixture_name()"


@pytest.mark.parametrize("name", ["runs/evaluate.gin", "runs/complete.gin"])
def test_run_on_a_trained_model_keeps_the_mixture_that_it_was_trained_on(name):
    trained = "fl_py_2019_mix/mixture.members"
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config(f"import code_t5.data.gin_mixtures\n{trained} = {{'mine': 1.0}}")
        gin.parse_config_file(name)
    assert gin.query_parameter(trained) == {"mine": 1.0}


def test_evaluation_cuts_the_same_windows_every_time():
    parse("runs/evaluate.gin", bindings=["MIXTURE_NAME = 'x'"])
    assert gin.query_parameter("mesh_eval_dataset_fn.seed") == 0
    parse("models/shared-prefix_lm.gin", "perplexity_eval.gin")
    assert gin.query_parameter("mesh_eval_dataset_fn.seed") == 0


def test_learning_rate_does_not_depend_on_the_number_of_steps():
    parse("models/shared-prefix_lm.gin")
    rate = gin.query_parameter("learning_rate_schedule_noam.linear_decay_fraction")
    assert rate == 0.0
