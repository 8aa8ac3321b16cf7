"""The preflight over the real gin files, with GPUs that are made up."""

from __future__ import annotations

import logging
import os
import pathlib
import subprocess
import sys
import types

import gin
import mesh_tensorflow.transformer
import pytest
import t5.models
import t5.models.mesh_transformer  # registers what the files name  # noqa: F401

from code_t5 import errors
from code_t5.data import trainer_errors
from code_t5.training.devices import cuda_libraries, cuda_loading, gpus, preflight, run_plan
from code_t5.training.devices.gpus import Driver, Gpu

ROOT = pathlib.Path(__file__).resolve().parents[3]
T5_GIN = pathlib.Path(t5.models.__file__).parent / "gin"
DEFAULTS = pathlib.Path(mesh_tensorflow.transformer.__file__).parent / "gin/defaults.gin"
MAIN = "models/shared-prefix_lm.gin"
VOCABULARY = types.SimpleNamespace(vocab_size=32100)
TWO_GPUS = Driver("nvml", "535.1", (12, 2), (Gpu(0, "A"), Gpu(1, "B")))


@pytest.fixture(autouse=True)
def trainer(monkeypatch):
    """A trainer's process on a machine without GPUs; its flags, to be changed."""
    values = {
        name: types.SimpleNamespace(value=value)
        for name, value in [
            *(("tpu", None), ("use_model_api", False), ("gin_file", None), ("gin_param", None)),
        ]
    }
    monkeypatch.setattr(trainer_errors, "trainer_flags", lambda: values)
    prefixes = ["", str(T5_GIN), str(ROOT / "gin_configs")]
    monkeypatch.setattr(gin.config, "_LOCATION_PREFIXES", prefixes)
    for name in (preflight.CPU_VARIABLE, gpus.VISIBLE_VARIABLE, cuda_libraries.DIR_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    set_machine(monkeypatch, Driver(), seen=0)
    yield values
    with gin.unlock_config():
        gin.clear_config()


def set_machine(monkeypatch, driver, *, seen, missing=(), wrong=()):
    """Gives the machine a driver, TensorFlow some GPUs, and takes CUDA libraries away."""
    monkeypatch.setattr(gpus, "read_driver", lambda: driver)
    monkeypatch.setattr(preflight, "num_tensorflow_gpus", lambda: seen)
    monkeypatch.setattr(cuda_loading, "whats_missing", lambda: list(missing))
    monkeypatch.setattr(cuda_loading, "wrong_versions", lambda: list(wrong))


def check(*gin_files, trainer=None, params=()):
    """Parses as the trainer does, and checks."""
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config_file(str(DEFAULTS))
        gin.parse_config_files_and_bindings(gin_files, list(params), finalize_config=False)
        gin.bind_parameter("run.vocabulary", (VOCABULARY, VOCABULARY))
    if trainer is not None:
        # As absl has them where none is given.
        trainer["gin_file"].value = list(gin_files) or None
        trainer["gin_param"].value = list(params) or None
    return preflight.check_before_run(gin.config._CONFIG)


def refusal(*gin_files, **given):
    """Returns the one line that the trainer ends with."""
    with pytest.raises(SystemExit) as caught:
        check(*gin_files, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["any_1", "cpu_1", "cpu_2", "cpu_2_model"])
def test_cpu_meshes_pass_without_a_word(name, caplog):
    assert check(MAIN, f"meshes/{name}.gin") is None
    assert [one for one in caplog.records if "devices" in one.pathname] == []


@pytest.mark.parametrize(
    "name", [path.stem for path in sorted((ROOT / "gin_configs/meshes").glob("gpu_*"))]
)
def test_gpu_meshes_pass_where_there_are_gpus_and_are_refused_where_not(name, monkeypatch):
    number = int(name.split("_")[1])
    files = (MAIN, "models/shared_large.gin", f"meshes/{name}.gin")
    said = refusal(*files)
    assert "names gpu:0" in said
    assert "TensorFlow sees no GPU: this machine has no NVIDIA driver" in said
    assert '--gin_file="meshes/cpu_1.gin"' in said
    set_machine(monkeypatch, TWO_GPUS, seen=number)
    assert check(*files) is None


def test_cpus_stand_in_if_gin_or_the_environment_says_so(monkeypatch, caplog):
    files = (MAIN, "meshes/gpu_2.gin")
    wanted = {"mesh_tensorflow.transformer.utils.run.mesh_devices": ["cpu:0", "cpu:1"]}
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert check(*files, params=["code_t5.preflight.cpu_for_gpu = True"]) == wanted
    assert "CPUs stand in for GPUs" in caplog.text
    monkeypatch.setenv("CODE_T5_CPU_FOR_GPU", "1")
    assert check(*files) == wanted
    # gin says no, and counts more.
    assert "sees no GPU" in refusal(*files, params=["code_t5.preflight.cpu_for_gpu = False"])
    # Where the GPUs are there they are taken.
    set_machine(monkeypatch, TWO_GPUS, seen=2)
    assert check(*files) is None


@pytest.mark.parametrize("value", ["perhaps", "2"])
def test_switch_that_says_neither_yes_nor_no_is_refused(monkeypatch, value):
    monkeypatch.setenv("CODE_T5_CPU_FOR_GPU", value)
    said = refusal(MAIN, "meshes/gpu_1.gin")
    assert said == f"error: CODE_T5_CPU_FOR_GPU is {value!r}; wanted 1 or 0; set one of them"
    params = [f"code_t5.preflight.cpu_for_gpu = {value!r}"]
    assert "wanted True or False" in refusal(MAIN, "meshes/gpu_1.gin", params=params)


def test_mesh_of_more_gpus_than_there_are(monkeypatch):
    set_machine(monkeypatch, TWO_GPUS, seen=2)
    said = refusal(MAIN, "meshes/gpu_4.gin")
    assert "names gpu:2, gpu:3 and TensorFlow sees only gpu:0 to gpu:1" in said
    assert "the machine has no more" in said


def test_gpu_hidden_by_the_environment_is_said_to_be(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    set_machine(monkeypatch, TWO_GPUS, seen=1)
    said = refusal(MAIN, "meshes/gpu_2.gin")
    assert "CUDA_VISIBLE_DEVICES='1' shows 1 of this machine's 2 GPUs; unset it" in said


def test_missing_library_is_why_a_gpu_is_not_seen(monkeypatch):
    problem = "libcublas.so.11 is missing; wanted it; run: pip install it"
    set_machine(monkeypatch, TWO_GPUS, seen=0, missing=[problem])
    assert problem in refusal(MAIN, "meshes/gpu_2.gin")


def test_library_of_the_wrong_version_is_an_error_where_gpus_are_seen(monkeypatch):
    problem = "nvidia-cudnn-cu11 is 8.5; wanted 8.6; run: pip install it"
    set_machine(monkeypatch, TWO_GPUS, seen=2, wrong=[problem])
    assert refusal(MAIN, "meshes/gpu_2.gin") == f"error: {problem}"
    # A run on the CPU loads none of them.
    assert check(MAIN, "meshes/cpu_1.gin") is None


def test_library_that_is_missing_is_a_warning_where_gpus_are_seen(monkeypatch, caplog):
    problem = "libcupti.so.11.8 is missing; wanted it; run: pip install it"
    set_machine(monkeypatch, TWO_GPUS, seen=2, missing=[problem])
    assert check(MAIN, "meshes/gpu_2.gin") is None
    assert problem in caplog.text


def test_libraries_that_came_too_late_are_said_to_have(monkeypatch):
    set_machine(monkeypatch, TWO_GPUS, seen=0)
    monkeypatch.setattr(cuda_loading, "is_mapped", lambda name: False)
    assert "not there when TensorFlow was imported" in refusal(MAIN, "meshes/gpu_1.gin")
    monkeypatch.setattr(cuda_loading, "is_mapped", lambda name: True)
    assert "look at what TensorFlow logged" in refusal(MAIN, "meshes/gpu_1.gin")


def test_gpu_that_lies_idle_under_the_default_mesh_is_warned_of(monkeypatch, caplog):
    set_machine(monkeypatch, TWO_GPUS, seen=0, missing=["no libcudart; wanted it; run: pip"])
    assert check(MAIN) is None
    assert "a GPU that TensorFlow does not see, so the run is on the CPU: no libcud" in caplog.text


@pytest.mark.parametrize(
    "params, said",
    [
        (["run.mesh_shape = 'model:1,batch:4'"], "has 4 places and mesh_devices names 1 device;"),
        (["run.mesh_shape = 'model 1'"], "utils.run.mesh_shape is not set, or to no mesh"),
        (["run.mesh_shape = @utils.tpu_mesh_shape()"], "utils.run.mesh_shape is not set"),
        (["run.mesh_shape = None"], "utils.run.mesh_shape is None"),
        (["run.layout_rules = 'batch'"], "utils.run.layout_rules cannot be read"),
        (["run.mesh_devices = 'cpu:0'"], "utils.run.mesh_devices is 'cpu:0'; wanted a list"),
        (
            ["run.mesh_shape = 'modle:2'", "run.mesh_devices = ['cpu:0', 'cpu:1']"],
            "nothing is split over the dimension 'modle'",
        ),
        (["run.batch_size = ('tokens_per_replica', 1000)"], "does not divide by the longest row"),
    ],
)
def test_fault_of_the_mesh_or_batch_ends_the_trainer_in_one_line(params, said):
    assert said in refusal(MAIN, params=params)


@pytest.mark.parametrize(
    "size, mesh, said",
    [
        ("base", "gpu_8_model", "heads of attention, 12, does not divide by the 8 parts"),
        ("dev", "gpu_8_model", "heads of attention, 4, does not divide by the 8 parts"),
        ("small", "gpu_8_model", None),
        ("dev", "gpu_4_model", None),
        ("base", "gpu_8_both", None),
    ],
)
def test_model_that_does_not_divide_by_its_parts_is_refused(monkeypatch, size, mesh, said):
    set_machine(monkeypatch, TWO_GPUS, seen=8)
    files = (MAIN, f"models/shared_{size}.gin", f"meshes/{mesh}.gin")
    if said is None:
        assert check(*files) is None
    else:
        assert said in refusal(*files)


def test_sizes_are_read_from_the_layers_and_the_vocabulary_is_padded():
    check(MAIN)
    assert run_plan.read_plan(gin.config._CONFIG).sizes == {
        "heads": (12,),
        "d_ff": (3072,),
        "vocab": (32128,),
    }


def test_several_faults_are_all_said_and_the_first_ends_it(caplog):
    params = ["run.mesh_shape = 'model:5,batch:2'", "run.batch_size = 7"]
    with caplog.at_level(logging.ERROR, logger="absl"):
        said = refusal(MAIN, params=params)
    assert said.startswith("error: the mesh model:5,batch:2 has 10 places")
    assert "7 rows does not divide by the 2 replicas" in caplog.text
    assert "heads of attention, 12, does not divide by the 5 parts" in caplog.text


@pytest.mark.parametrize("name", ["activation_dtype", "slice_dtype"])
def test_precision_that_the_trainer_replaces_is_refused_with_what_to_set(trainer, name):
    binding = f"utils.get_variable_dtype.{name} = 'bfloat16'"
    said = refusal(MAIN, trainer=trainer, params=[binding])
    assert f"--gin_param sets get_variable_dtype.{name} = 'bfloat16'" in said
    assert "code_t5.session_config.precision" in said
    params = [binding, f"utils.get_variable_dtype.{name} = 'float32'"]
    assert check(MAIN, trainer=trainer, params=params) is None


def test_precision_in_a_users_file_is_named_with_its_line(trainer, tmp_path):
    (tmp_path / "mine.gin").write_text("\nget_variable_dtype.activation_dtype = 'bfloat16'\n")
    path = str(tmp_path / "mine.gin")
    assert f"{path}:2 sets" in refusal(MAIN, path, trainer=trainer)
    # Nothing is lost but time where nothing is trained.
    assert check(MAIN, path, trainer=trainer, params=["run.mode = 'infer'"]) is None


def test_a_command_without_bindings_is_let_pass(trainer):
    check("runs/dev_prefix_lm.gin", trainer=trainer)


def test_precision_in_files_of_t5_was_asked_for_by_nobody(trainer):
    gin_text = (T5_GIN / "greedy_decode.gin").read_text()
    assert 'activation_dtype = "bfloat16"' in gin_text
    assert check(MAIN, "greedy_decode.gin", trainer=trainer) is None


def test_lengths_that_are_not_known_before_the_data_are_let_pass():
    params = ["run.sequence_length = None", "run.mode = 'eval'"]
    assert check(MAIN, params=params) is None


@pytest.mark.parametrize("flag", ["tpu", "use_model_api"])
def test_runs_that_place_operations_otherwise_are_not_looked_at(trainer, flag):
    trainer[flag].value = True
    assert check(MAIN, "meshes/gpu_8.gin") is None


def test_other_programs_that_use_gin_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(trainer_errors, "trainer_flags", lambda: None)
    assert check(MAIN, "meshes/gpu_8.gin") is None


def test_check_is_registered_once(monkeypatch):
    monkeypatch.setattr(gin.config, "_FINALIZE_HOOKS", [])
    preflight.register()
    preflight.register()
    assert gin.config._FINALIZE_HOOKS == [preflight.check_before_run]


def test_switch_has_no_place_in_what_a_model_was_trained_with():
    check(MAIN, params=["code_t5.preflight.cpu_for_gpu = False"])
    assert "preflight" not in gin.operative_config_str()
    assert preflight.preflight() is False


def test_errors_elsewhere_stay_errors(monkeypatch):
    with pytest.raises(errors.InputError, match="GPU"):
        preflight._refuse(["a GPU is missing"])


@pytest.mark.slow
def test_trainer_ends_in_one_line_before_it_reads_data_or_writes_checkpoints(tmp_path):
    command = [
        *(sys.executable, "-m", "t5.models.mesh_transformer_main", "--module_import=code_t5"),
        *("--module_import=training.tiny_task", f"--model_dir={tmp_path / 'model'}"),
        *(f"--t5_tfds_data_dir={tmp_path}", "--gin_location_prefix=gin_configs/"),
        *("--gin_file=runs/dev_prefix_lm.gin", "--gin_file=meshes/gpu_2.gin"),
        "--gin_param=MIXTURE_NAME = 'tiny_task'",
    ]
    environ = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environ.pop(preflight.CPU_VARIABLE, None)
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith("error: the mesh model:1,batch:2 names gpu:0, gpu:1")
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "model").glob("model.ckpt*"))
