from __future__ import annotations

import subprocess
import sys

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


def test_what_is_missing_is_named_with_one_command_for_all(tmp_path):
    stand_in_cuda.install(tmp_path, without=[CUDNN, "nvidia-cufft-cu11"])
    (problem,) = cuda_libraries.whats_missing({"CODE_T5_CUDA_DIR": str(tmp_path)})
    assert "libcufft.so.10, libcudnn_ops_infer.so.8" in problem
    assert "libcublas.so.11" not in problem
    # pip would replace what an earlier call put into the folder `nvidia`.
    assert "nvidia-cublas-cu11==" in problem


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


def test_libraries_are_loaded_by_their_full_paths_without_a_search_path(tmp_path):
    stand_in_cuda.install(tmp_path)
    code = (
        "import os; from code_t5.training.devices import cuda_libraries as c\n"
        "before = c.is_mapped(c.RUNTIME); print(before, *c.load_installed())\n"
        "print(*sorted(line.split()[-1] for line in open('/proc/self/maps') if 'nvidia' in line))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"CODE_T5_CUDA_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded, paths = done.stdout.splitlines()
    assert loaded.split() == ["False", *(library.name for library in cuda_libraries.LIBRARIES)]
    for library in cuda_libraries.LIBRARIES:
        assert str(tmp_path / library.folder / library.name) in paths


def test_library_that_is_no_library_is_said_to_be_broken(tmp_path):
    stand_in_cuda.install(tmp_path)
    found = find(tmp_path)
    found.paths["libcublas.so.11"].write_bytes(b"half a file")
    with pytest.raises(
        errors.ArtifactError, match=r"libcublas\.so\.11 cannot be loaded \(.*\)"
    ) as e:
        cuda_libraries.load({"libcublas.so.11": found.paths["libcublas.so.11"]})
    assert "wanted that of nvidia-cublas-cu11; run: pip install" in str(e.value)


@pytest.mark.parametrize(
    "mapped, is_there",
    [
        (["libcudart.so.11.0"], True),
        (["libcudart.so.11.8.89"], True),
        (["libcudart.so.12"], False),
        (["libcudart.so.110"], False),
        ([], False),
    ],
)
def test_loaded_library_is_known_by_any_of_its_names(mapped, is_there):
    assert cuda_libraries.is_mapped("libcudart.so.11.0", mapped) is is_there


def test_libraries_of_this_process_are_listed():
    assert any(name.startswith("libc.so") for name in cuda_libraries.mapped_libraries())
