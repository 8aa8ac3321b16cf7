from __future__ import annotations

import pytest
from training.devices import stand_in_cuda

from code_t5 import errors
from code_t5.training.devices import cuda_libraries

CUDNN = "nvidia-cudnn-cu11"


def find(*folders):
    return cuda_libraries.find_installed(folders)


def test_versions_are_those_of_the_extra_in_setup(monkeypatch):
    import setuptools

    asked = {}
    monkeypatch.setattr(setuptools, "setup", lambda **given: asked.update(given))
    import importlib.util
    import pathlib

    path = pathlib.Path(__file__).resolve().parents[3] / "setup.py"
    spec = importlib.util.spec_from_file_location("setup_for_this_test", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    wanted = [f"{name}=={version}" for name, version in cuda_libraries.DISTRIBUTIONS.items()]
    assert sorted(asked["extras_require"]["gpu"]) == sorted(wanted)


def test_whole_installation_is_found_in_the_order_of_loading(tmp_path):
    found = find(stand_in_cuda.install(tmp_path))
    assert found.problems == ()
    assert found.missing == []
    assert found.versions == cuda_libraries.DISTRIBUTIONS
    path = tmp_path / "nvidia/cuda_runtime/lib/libcudart.so.11.0"
    assert found.paths["libcudart.so.11.0"] == path
    names = [library.name for library in cuda_libraries.LIBRARIES]
    # What needs another comes after it, by the NEEDED entries of NVIDIA's files.
    for later, earlier in [
        ("libcublas.so.11", "libcublasLt.so.11"),
        ("libcusolver.so.11", "libcublas.so.11"),
        ("libcudnn_ops_infer.so.8", "libcublas.so.11"),
        ("libcudnn_cnn_infer.so.8", "libcudnn_ops_infer.so.8"),
        ("libcudnn_cnn_train.so.8", "libcudnn_ops_train.so.8"),
        ("libcudnn_adv_train.so.8", "libcudnn_adv_infer.so.8"),
    ]:
        assert names.index(later) > names.index(earlier)


@pytest.mark.parametrize("version", ["8.9.7.29", "8.6.1.0"])
def test_later_version_of_the_same_number_will_do(tmp_path, version):
    found = find(stand_in_cuda.install(tmp_path, versions={CUDNN: version}))
    assert (found.problems, found.missing) == ((), [])


@pytest.mark.parametrize("version", ["8.5.0.96", "9.1.0.70", "7.6.5"])
def test_wrong_version_is_named_with_the_one_wanted_and_the_command(tmp_path, version):
    found = find(stand_in_cuda.install(tmp_path, versions={CUDNN: version}))
    (problem,) = found.problems
    assert problem.startswith(f"{CUDNN} is {version}; wanted 8.6.0.163")
    assert "pip install --upgrade --no-deps --target" in problem
    assert f"{CUDNN}==8.6.0.163" in problem
    assert "libcudnn.so.8" in found.missing


def test_library_that_another_distribution_wrote_over_is_not_taken(tmp_path):
    stand_in_cuda.install(tmp_path)
    path = tmp_path / "nvidia/cudnn/lib/libcudnn.so.8"
    path.write_bytes(path.read_bytes() + b"of CUDA 12")
    found = find(tmp_path)
    (problem,) = found.problems
    assert f"{path} has " in problem
    assert "another distribution wrote over it" in problem
    assert "libcudnn.so.8" not in found.paths


def test_library_that_was_removed_is_named(tmp_path):
    stand_in_cuda.install(tmp_path)
    (tmp_path / "nvidia/cublas/lib/libcublas.so.11").unlink()
    (problem,) = find(tmp_path).problems
    assert "nvidia/cublas/lib/libcublas.so.11 is missing, though nvidia-cublas-cu11" in problem


def test_first_folder_counts_and_the_others_fill_in(tmp_path):
    first = stand_in_cuda.install(tmp_path / "first", without=[CUDNN])
    second = stand_in_cuda.install(tmp_path / "second")
    found = find(first, second)
    assert found.paths["libcublas.so.11"].is_relative_to(first)
    assert found.paths["libcudnn.so.8"].is_relative_to(second)


def test_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="no folder is there; wanted the folder") as caught:
        cuda_libraries.search_folders({"CODE_T5_CUDA_DIR": str(tmp_path / "none")})
    assert "\n" not in str(caught.value)


def test_named_folder_comes_before_those_of_python(tmp_path):
    (tmp_path / "site/nvidia").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    named = tmp_path / "named"
    named.mkdir()
    path = [str(tmp_path / "site"), str(tmp_path / "other"), "", str(tmp_path / "site")]
    environ = {"CODE_T5_CUDA_DIR": str(named)}
    assert cuda_libraries.search_folders(environ, path=path) == [named, tmp_path / "site"]
    assert cuda_libraries.search_folders({}, path=path) == [tmp_path / "site"]
