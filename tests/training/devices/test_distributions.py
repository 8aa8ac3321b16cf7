from __future__ import annotations

import sys

import pytest
from training.devices import stand_in_cuda

from code_t5.training.devices import distributions
from code_t5.training.devices.findings import NOTE, OK, PROBLEM

# As a whole installation has it: name -> version, what it asks for.
WHOLE = {
    "code_t5": (
        "0.1.0",
        [
            "numpy>=1.22",
            'tensorflow==2.12.1; extra == "train"',
            'tensorflow-text==2.12.1; extra == "train"',
            'setuptools<81; extra == "train"',
            'torch==2.1.2; extra == "train"',
            'tensorflow-datasets==4.9.9; extra == "train"',
            'tfds-nightly==4.9.9.dev1; extra == "train"',
            'starlette>=0.40; extra == "serve"',
            'other-system==1; sys_platform == "win32" and extra == "train"',
        ],
    ),
    "numpy": ("1.24.3", []),
    "tensorflow": ("2.12.1", ["keras<2.13,>=2.12.0", "protobuf<5", "typing-extensions<4.6"]),
    "tensorflow-text": ("2.12.1", []),
    "keras": ("2.12.0", []),
    "protobuf": ("4.25.8", []),
    "typing_extensions": ("4.5.0", []),
    "setuptools": ("80.9.0", []),
    "torch": ("2.1.2", ["typing-extensions"]),
    "tensorflow-datasets": ("4.9.9", []),
    "tfds-nightly": ("4.9.9.dev202510250044", []),
    "starlette": ("0.46.2", []),
}
WHOLE["code_t5"][1][6] = 'tfds-nightly==4.9.9.dev202510250044; extra == "train"'


def examine(folder, *, without=(), **versions):
    """Writes an installation, changed in some versions, and examines it."""
    for name, (version, requires) in WHOLE.items():
        key = name.replace("-", "_")
        if key not in without:
            version = versions.pop(key, version)
            stand_in_cuda.write_metadata(folder, name, version, requires=requires)
    for key, version in versions.items():
        stand_in_cuda.write_metadata(folder, key.replace("_", "-"), version)
    return distributions.examine(distributions.read_installed([str(folder)]))


def problems(findings):
    return {one.name: one for one in findings if one.state == PROBLEM}


def test_whole_installation_has_no_problem(tmp_path):
    found = examine(tmp_path)
    assert problems(found) == {}
    shown = {one.name: one.found for one in found if one.state == OK}
    assert shown["tensorflow"] == "2.12.1"
    assert shown["extra serve"] == "there (serving a model)"


@pytest.mark.parametrize(
    "name, version, said, command",
    [
        ("setuptools", "82.0.1", "82.0.1; code-t5 0.1.0 wants <81 (t5 and mesh-tensorflow import"
         " pkg_resources", "pip install 'setuptools<81'"),
        ("protobuf", "6.31.0", "tensorflow 2.12.1 wants <5", "pip install 'protobuf<5'"),
        ("typing_extensions", "4.12.2", "wants <4.6", "pip install 'typing-extensions<4.6'"),
        ("torch", "2.5.0", "wants ==2.1.2 (the next wants", "pip install 'torch==2.1.2'"),
        ("numpy", "1.20", "code-t5 0.1.0 wants >=1.22", "pip install 'numpy>=1.22'"),
    ],
)  # fmt: skip
def test_wrong_version_is_named_with_who_wants_which_and_the_command(
    tmp_path, name, version, said, command
):
    found = problems(examine(tmp_path, **{name: version}))
    assert list(found) == [name.replace("_", "-")]
    (finding,) = found.values()
    assert finding.found.startswith(version)
    assert said in finding.found
    assert finding.mend == command


def test_missing_distribution_of_another_is_found(tmp_path):
    found = problems(examine(tmp_path, without=["keras", "torch"]))
    assert found["keras"].found == "is missing; tensorflow 2.12.1 wants it"
    assert found["keras"].mend == "pip install 'keras<2.13,>=2.12.0'"
    assert found["torch"].mend == "pip install 'torch==2.1.2'"


def test_unlike_releases_of_the_two_that_install_tensorflow_datasets(tmp_path):
    found = problems(examine(tmp_path, tfds_nightly="4.9.2.dev202308090034"))
    both = found["tensorflow-datasets and tfds-nightly"]
    assert both.found.startswith("4.9.9 and 4.9.2.dev202308090034 are of unlike releases")
    assert both.mend.startswith("pip install --force-reinstall --no-deps tensorflow-datasets==")
    assert "wants ==4.9.9.dev202510250044" in found["tfds-nightly"].found


@pytest.mark.parametrize("name", ["tensorflow_text", "keras"])
def test_other_minor_version_than_tensorflows(tmp_path, name):
    found = problems(examine(tmp_path, **{name: "2.15.0"}))
    given = name.replace("_", "-")
    finding = found[f"{given} and tensorflow"]
    assert finding.found == f"2.15.0 and 2.12.1 have unlike minor versions; wanted {given} 2.12"
    assert finding.mend == f"pip install '{given}==2.12.*'"


@pytest.mark.parametrize(
    "other, wanted", [("seqio_nightly", "seqio"), ("tensorflow_cpu", "tensorflow")]
)
def test_distribution_that_installs_the_folder_of_another(tmp_path, other, wanted):
    found = problems(examine(tmp_path, **{other: "0.0.18"}))
    (finding,) = found.values()
    assert finding.found.startswith(f"0.0.18 installs the same folder as {wanted}")
    assert finding.mend.startswith(f"pip uninstall -y {other.replace('_', '-')} {wanted}; ")


def test_distribution_that_is_there_twice(tmp_path):
    stand_in_cuda.write_metadata(tmp_path, "torch", "2.0.0")
    found = problems(examine(tmp_path))
    assert found["torch"].mend.startswith("pip uninstall -y torch, until")


def test_torchs_libraries_that_cuda_11_wrote_over(tmp_path):
    examine(tmp_path)
    path = tmp_path / "nvidia/cudnn/lib/libcudnn.so.8"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"of CUDA 11")
    record = "nvidia/cudnn/lib/libcudnn.so.8,sha256=unchecked,10\n"
    stand_in_cuda.write_metadata(tmp_path, "nvidia-cudnn-cu12", "8.9.2.26", record=record)
    assert problems(examine(tmp_path)) == {}
    path.write_bytes(b"of CUDA 11.8")
    finding = problems(examine(tmp_path))["nvidia-cudnn-cu12"]
    assert "an nvidia-*-cu11 wrote over it" in finding.found
    assert finding.mend.startswith("pip install --force-reinstall --no-deps nvidia-cudnn-cu12==8")
    path.unlink()
    assert "nvidia-cudnn-cu12" in problems(examine(tmp_path))


def test_extra_that_is_not_there_is_a_note_with_its_purpose(tmp_path):
    found = examine(tmp_path, without=["starlette"])
    assert problems(found) == {}
    (finding,) = [one for one in found if one.name == "extra serve"]
    assert finding.state == NOTE
    assert finding.found == "not in full (serving a model): starlette missing"
    assert finding.mend == "pip install -e '.[serve]'"


def test_wrong_version_in_an_extra_that_is_there_is_a_problem(tmp_path):
    finding = problems(examine(tmp_path, starlette="0.30"))["starlette"]
    assert finding.mend == "pip install 'starlette>=0.40'"


def test_project_that_nobody_knows_is_a_problem(tmp_path):
    installed = distributions.read_installed([str(tmp_path)])
    (finding,) = distributions.examine(installed, setup_file=tmp_path / "setup.py")
    assert (finding.name, finding.state) == ("code_t5", PROBLEM)
    assert finding.mend.endswith("pip install -e '.[train]'")


def test_project_that_is_not_installed_needs_what_its_setup_file_says(tmp_path):
    setup_file = tmp_path / "setup.py"
    setup_file.write_text(
        'TRAIN = ["torch==2.0.0", "keras>2; python_version < \'3\'"]\n'
        'setup(name="code_t5", version="7", install_requires=["numpy>1"],\n'
        '      extras_require={"train": TRAIN, "serve": ["starlette>=1"]})\n'
    )
    examine(tmp_path, without=["code_t5", "numpy"])
    installed = distributions.read_installed([str(tmp_path)])
    found = distributions.examine(installed, setup_file=setup_file)
    assert (found[0].name, found[0].state) == ("code_t5", NOTE)
    assert found[0].found.startswith("is not installed and runs from its checkout")
    # The other Python's keras is not asked for.
    assert {name: one.found for name, one in problems(found).items()} == {
        "numpy": "is missing; code-t5 7 wants it",
        "torch": "2.1.2; code-t5 7 wants ==2.0.0 (the next wants a newer typing-extensions than "
        "TensorFlow)",
        "starlette": "0.46.2; code-t5 7 wants >=1",
    }


def test_this_checkout_is_known_whether_it_is_installed_or_not(tmp_path):
    found = distributions.examine(distributions.read_installed([str(tmp_path)]))
    names = {one.name for one in found if one.state == PROBLEM}
    assert {"tensorflow", "t5", "seqio", "mesh-tensorflow", "numpy"} <= names
    assert found[0].name == "code_t5"


def test_this_environment_is_read_without_importing_what_is_in_it():
    before = set(sys.modules)
    found = distributions.examine(distributions.read_installed())
    assert {"tensorflow", "t5", "seqio"} <= {one.name for one in found}
    assert not {"transformers", "datasets", "torchvision"} & (set(sys.modules) - before)


@pytest.mark.parametrize("version, state", [((3, 8), PROBLEM), ((3, 9), OK), ((3, 12), PROBLEM)])
def test_python_that_tensorflow_has_no_wheels_for(version, state):
    assert distributions.examine_python(version).state == state
