"""Which files of a model's repository its loading takes.

Weights often lie there several times, for other frameworks too. Of each folder one set is taken:
safetensors, or where there are none PyTorch's. A *variant* is one more set in another precision
(`model.fp16.safetensors`); it is not taken beside the plain one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Settings, tokenizers, chat templates.
_SETTINGS = re.compile(
    r".*\.(json|txt|model|jinja|spm|bpe|vocab|tiktoken)|README\.md", re.IGNORECASE
)
_PART = r"(-\d{5}-of-\d{5})?"
_WEIGHTS = (
    re.compile(rf"(model|pytorch_model|adapter_model|diffusion_pytorch_model){_PART}\.safetensors"),
    # consolidated.safetensors are the same weights in their makers' own layout.
    re.compile(r"(?!consolidated).*\.safetensors"),
    re.compile(rf"(pytorch_model|adapter_model|diffusion_pytorch_model){_PART}\.bin"),
    re.compile(r"(?!(training_args|optimizer|scheduler|scaler|rng_state)).*\.bin"),
)
_INDEX = re.compile(r".*\.(safetensors|bin|msgpack|h5)\.index(\..*)?\.json")
_TRAINING = re.compile(r"(trainer_state|all_results|train_results|eval_results)\.json")
# sentence-transformers' modules, and templates beside the first.
_MODULE_FOLDER = re.compile(r"\d+_\w+|additional_chat_templates")
_OTHER_FRAMEWORKS = {"onnx", "openvino", "coreml", "tflite", "gguf", "original", "runs"}


def choose_model_files(paths: Iterable[str]) -> set[str]:
    """Returns the files of a model that its configuration, tokenizer and weights are read from.

    Args:
      paths: Every file of the repository.

    >>> sorted(choose_model_files(["config.json", "model.safetensors", "pytorch_model.bin"]))
    ['config.json', 'model.safetensors']
    """
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    is_pipeline = "model_index.json" in folders.get("", set())
    chosen = set[str]()
    for folder, names in folders.items():
        if _is_read(folder, is_pipeline=is_pipeline):
            prefix = f"{folder}/" if folder else ""
            chosen |= {prefix + name for name in _choose_in_folder(names)}
    return chosen


def _is_read(folder: str, *, is_pipeline: bool) -> bool:
    if not folder or _MODULE_FOLDER.fullmatch(folder):
        return True
    return is_pipeline and "/" not in folder and folder not in _OTHER_FRAMEWORKS


def _choose_in_folder(names: set[str]) -> set[str]:
    settings = {
        name
        for name in names
        if _SETTINGS.fullmatch(name) and not _INDEX.fullmatch(name) and not _TRAINING.match(name)
    }
    for pattern in _WEIGHTS:
        weights = {name for name in names if pattern.fullmatch(name)}
        if weights:
            suffix = next(iter(weights)).rpartition(".")[2]
            indexes = {name for name in names if _is_index_of(name, weights, suffix)}
            return settings | weights | indexes
    return settings


def _is_index_of(name: str, weights: set[str], suffix: str) -> bool:
    if not _INDEX.fullmatch(name) or f".{suffix}.index" not in name:
        return False
    stem = name.partition(f".{suffix}.index")[0]
    return any(weight.startswith(stem) for weight in weights)
