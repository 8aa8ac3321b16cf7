from __future__ import annotations

import subprocess
import sys

import pytest
from training.devices import stand_in_cuda

from code_t5 import errors
from code_t5.training.devices import cuda_libraries, cuda_loading

CUDNN = "nvidia-cudnn-cu11"


def test_what_is_missing_is_named_with_one_command_for_all(tmp_path, monkeypatch):
    # torch, which other tests load, brings some of them from another CUDA.
    monkeypatch.setattr(cuda_loading, "mapped_libraries", set)
    monkeypatch.setattr(cuda_loading, "loadable_by_name", lambda names: [])
    stand_in_cuda.install(tmp_path, without=[CUDNN, "nvidia-cufft-cu11"])
    (problem,) = cuda_loading.whats_missing({"CODE_T5_CUDA_DIR": str(tmp_path)})
    named = "libcufft.so.10, libcudnn_ops_infer.so.8, libcudnn_ops_train.so.8 and 5 more"
    assert f"TensorFlow's CUDA libraries {named} are missing" in problem
    assert "libcublas.so.11" not in problem
    # pip would replace what an earlier call put into the folder `nvidia`.
    assert "nvidia-cublas-cu11==" in problem


def test_libraries_are_loaded_by_their_full_paths_without_a_search_path(tmp_path):
    stand_in_cuda.install(tmp_path)
    code = (
        "import os; from code_t5.training.devices import cuda_libraries, cuda_loading as c\n"
        "before = c.is_mapped(cuda_libraries.RUNTIME); print(before, *c.load_installed())\n"
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
    found = cuda_libraries.find_installed([tmp_path])
    found.paths["libcublas.so.11"].write_bytes(b"half a file")
    with pytest.raises(
        errors.ArtifactError, match=r"libcublas\.so\.11 cannot be loaded \(.*\)"
    ) as e:
        cuda_loading.load({"libcublas.so.11": found.paths["libcublas.so.11"]})
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
    assert cuda_loading.is_mapped("libcudart.so.11.0", mapped) is is_there


def test_libraries_of_this_process_are_listed():
    assert any(name.startswith("libc.so") for name in cuda_loading.mapped_libraries())


def test_libraries_of_the_machine_will_do_if_their_cudnn_is_of_the_right_version(monkeypatch):
    monkeypatch.setattr(cuda_libraries, "search_folders", lambda environ: [])
    monkeypatch.setattr(cuda_loading, "mapped_libraries", set)
    monkeypatch.setattr(cuda_loading, "loadable_by_name", list)
    monkeypatch.setattr(cuda_loading, "cudnn_version", lambda: (8, 6))
    assert cuda_loading.whats_missing() == []
    monkeypatch.setattr(cuda_loading, "cudnn_version", lambda: (8, 4))
    (problem,) = cuda_loading.whats_missing()
    assert problem.startswith("cuDNN is 8.4; wanted 8.6 or a later 8; run: pip install")


@pytest.mark.parametrize(
    "mapped, is_wrong",
    [
        ([], True),
        (["{folder}/nvidia/cublas/lib/libcublas.so.11"], True),
        # That of a toolkit of the machine's, which was taken in its place.
        (["/usr/local/cuda/lib64/libcublas.so.11.11.3.6", "/usr/lib/libc.so.6"], False),
    ],
)
def test_wrong_version_counts_unless_another_library_was_taken(
    tmp_path, monkeypatch, mapped, is_wrong
):
    stand_in_cuda.install(tmp_path, versions={"nvidia-cublas-cu11": "11.10.3.66"})
    paths = {path.format(folder=tmp_path) for path in mapped}
    monkeypatch.setattr(cuda_loading, "mapped_paths", lambda: paths)
    found = cuda_loading.wrong_versions({"CODE_T5_CUDA_DIR": str(tmp_path)})
    wanted = ["nvidia-cublas-cu11 is 11.10.3.66; wanted 11.11.3.6, which TensorFlow 2.12 was made"]
    assert [problem.partition(" with; run")[0] for problem in found] == wanted * is_wrong


def test_old_cudnn_of_the_machine_is_of_the_wrong_version(monkeypatch):
    monkeypatch.setattr(cuda_libraries, "search_folders", lambda environ: [])
    monkeypatch.setattr(cuda_loading, "cudnn_version", lambda: (8, 4))
    (problem,) = cuda_loading.wrong_versions()
    assert problem.startswith("cuDNN is 8.4; wanted 8.6")
    monkeypatch.setattr(cuda_loading, "cudnn_version", lambda: (8, 9))
    assert cuda_loading.wrong_versions() == []
