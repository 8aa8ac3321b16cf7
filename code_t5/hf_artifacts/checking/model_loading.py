"""Loads a model as a program does, by its name: config, tokenizer or processor, weights.

Code out of a repository is never run (`trust_remote_code=False`), and pickled weights are read as
tensors alone (`weights_only`).
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
import pickle
import tarfile
from collections.abc import Collection, Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts.checking.load_target import LoadTarget
from code_t5.hf_artifacts.checking.verdicts import NothingToLoadError, Verdicts

_TOKENIZER_FILES = {
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "merges.txt"),
    *("spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "bpe.codes"),
}
_PREPROCESSOR_FILE = "preprocessor_config.json"
_PROCESSOR_FILES = {_PREPROCESSOR_FILE, "processor_config.json"}
# Where there is no tokenizer to be joined with.
_PROCESSORS = {
    "image_processor_type": "AutoImageProcessor",
    "feature_extractor_type": "AutoFeatureExtractor",
}
_WEIGHTS = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
_MODULES_FILE = "modules.json"
# Modules of sentence-transformers that have settings of their own.
_MODULES_WITH_CONFIG = ("Pooling", "Dense", "WordEmbeddings", "CNN", "LSTM")
_MAX_JSON_BYTES = 16 << 20
_NONE_HERE = "there is none here"


def check_model(target: LoadTarget, files: Mapping[str, pathlib.Path]) -> Verdicts:
    """Loads each part of a model.

    Args:
      target: Which.
      files: Where each of its files lies, by its path in the repository.
    """
    verdicts = Verdicts()
    parts = _ModelParts(target, files)
    verdicts.try_part("config", parts.load_config)
    verdicts.try_part("tokenizer", parts.load_tokenizer)
    if _PROCESSOR_FILES & set(files):
        verdicts.try_part("processor", parts.load_processor)
    verdicts.try_part("weights", parts.load_weights)
    if _MODULES_FILE in files:
        verdicts.try_part("modules", parts.check_modules)
    return verdicts


class _ModelParts:
    """The parts of one model, each loaded by the plain library."""

    def __init__(self, target: LoadTarget, files: Mapping[str, pathlib.Path]) -> None:
        self._name = target.request.name
        self._is_recorded = target.is_recorded
        self._revision = target.request.revision or "main"
        self._files = files
        self._config: Any = None

    def _arguments(self) -> dict[str, Any]:
        return {"revision": self._revision, "trust_remote_code": False}

    def load_config(self) -> str | None:
        """Loads the config.

        Raises:
          NothingToLoadError: It has none.
          InputError: It needs code out of the repository.
        """
        if "config.json" not in self._files:
            raise NothingToLoadError(_NONE_HERE)
        import transformers

        try:
            found = transformers.AutoConfig.from_pretrained(self._name, **self._arguments())
        except ValueError as error:
            if "trust_remote_code" not in str(error):
                raise
            raise errors.InputError(
                "its class is code in the repository, which is never run here; wanted a class of "
                "transformers; leave it out of the cache, or check it by hand"
            ) from error
        self._config = found
        return None

    def load_tokenizer(self) -> str | None:
        """Loads the tokenizer, encodes a word, and fills the chat template if there is one.

        Raises:
          NothingToLoadError: It has none.
        """
        if not _TOKENIZER_FILES & set(self._files):
            # What prepares images or sound stands in its place.
            raise NothingToLoadError("" if _PROCESSOR_FILES & set(self._files) else _NONE_HERE)
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(self._name, **self._arguments())
        tokenizer("Hello")
        if not getattr(tokenizer, "chat_template", None):
            return None
        template = tokenizer.chat_template
        named = sorted(template) if isinstance(template, dict) else []
        given = (
            {} if not named else {"chat_template": "default" if "default" in named else named[0]}
        )
        messages = [{"role": "user", "content": "Hello"}]
        tokenizer.apply_chat_template(messages, tokenize=False, **given)
        return "with its chat template"

    def load_processor(self) -> str | None:
        """Loads what prepares images or sound."""
        import transformers

        settings = self._read_json(_PREPROCESSOR_FILE) if _PREPROCESSOR_FILE in self._files else {}
        kind = "AutoProcessor"
        if "processor_class" not in settings and "processor_config.json" not in self._files:
            named = [name for key, name in _PROCESSORS.items() if key in settings]
            kind = (named or [kind])[0]
        getattr(transformers, kind).from_pretrained(self._name, **self._arguments())
        return None

    def _read_json(self, name: str) -> Any:
        """Returns what a small file holds.

        Raises:
          InputError: It is large.
        """
        path = self._files[name]
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise errors.InputError(f"{name} is over 16 MB; wanted settings; leave it out")
        return json.loads(path.read_bytes())

    def load_weights(self) -> str | None:
        """Loads the weights, by the class that the config names.

        Raises:
          NothingToLoadError: It has none.
          InputError: Likewise, and nobody left them out on purpose.
        """
        main = [name for name in _WEIGHTS if name in self._files]
        loadable = [name for name in self._files if name.endswith((".safetensors", ".bin"))]
        for name in loadable:
            _refuse_tar(self._files[name])
        if not loadable:
            self._refuse_half_a_model()
            raise NothingToLoadError("there are none here")
        if self._config is None and "config.json" in self._files:
            raise NothingToLoadError("not loaded, as its config is not")
        has_class = self._config is not None and bool(main)
        others = [name for name in loadable if "/" in name or not has_class]
        for name in others:
            _read_tensors(name, self._files[name])
        if has_class:
            return self._load_by_class(main)
        return "each file opened; nothing says which class they are for"

    def _refuse_half_a_model(self) -> None:
        """Refuses a config without weights, as half of a download leaves it.

        Raises:
          InputError: It is one, and no record says that these are all the files that were wanted.
        """
        if "config.json" in self._files and not self._is_recorded:
            raise errors.InputError(
                "no weights are here; wanted those that config.json belongs to; fetch it with "
                "precache, which records what it fetches"
            )

    def _load_by_class(self, main: Collection[str]) -> str | None:
        shards = self._weight_files(main)
        if _lacks_torch():
            for name, path in shards.items():
                _read_tensors(name, path)
            return "each file opened; torch is not installed, which the model is made with"
        needed = sum(path.stat().st_size for path in shards.values())
        free = _free_memory()
        # The model as it is made, and the tensors that are put into it.
        if free is not None and 2 * needed > free:
            for name, path in shards.items():
                _read_tensors(name, path)
            return f"each file opened; {needed >> 20} MB twice do not fit into the memory"
        import transformers

        named = (getattr(self._config, "architectures", None) or [""])[0]
        model_class = getattr(transformers, str(named), None)
        if not hasattr(model_class, "from_pretrained"):
            model_class = transformers.AutoModel
        arguments = {**self._arguments(), "torch_dtype": "auto", "weights_only": True}
        model, told = model_class.from_pretrained(self._name, output_loading_info=True, **arguments)
        del model
        missing = sorted(told["missing_keys"])
        if missing:
            return f"{len(missing)} tensors are not in the files, as {missing[0]}"
        return None

    def _weight_files(self, main: Collection[str]) -> dict[str, pathlib.Path]:
        suffix = ".safetensors" if any(".safetensors" in name for name in main) else ".bin"
        return {name: path for name, path in self._files.items() if name.endswith(suffix)}

    def check_modules(self) -> str | None:
        """Loads a pipeline of sentence-transformers, or looks whether its settings are there.

        Raises:
          InputError: They are not.
        """
        try:
            import sentence_transformers
        except ImportError:
            return self._look_at_modules()
        revision = self._revision
        sentence_transformers.SentenceTransformer(
            self._name, revision=revision, device="cpu", trust_remote_code=False
        )
        return None

    def _look_at_modules(self) -> str:
        """Looks whether each module has its settings.

        Raises:
          InputError: One has not.
        """
        for module in self._read_json(_MODULES_FILE):
            folder, kind = str(module["path"]), str(module["type"]).rsplit(".", maxsplit=1)[-1]
            wanted = f"{folder}/config.json"
            if kind in _MODULES_WITH_CONFIG and wanted not in self._files:
                raise errors.InputError(
                    f"{wanted} is not there; {_MODULES_FILE} names it; fetch it with precache"
                )
        return "its settings are there (sentence-transformers is not installed)"


def _refuse_tar(path: pathlib.Path) -> None:
    """Refuses an archive that no library writes weights as.

    Raises:
      InputError: It is one.
    """
    # Older torch reads such archives without heeding weights_only (CVE-2025-32434).
    if tarfile.is_tarfile(path):
        raise errors.InputError(
            "a tar archive in place of weights; wanted safetensors, or what torch.save writes now; "
            "do not load it"
        )


def _read_tensors(name: str, path: pathlib.Path) -> None:
    """Opens a file of tensors and looks at each, without holding them all.

    Raises:
      InputError: It holds something else, or there is nothing that reads it.
    """
    if name.endswith(".safetensors"):
        import safetensors

        with safetensors.safe_open(path, framework="np") as tensors:
            for tensor in tensors.keys():  # noqa: SIM118 - not a mapping
                tensors.get_slice(tensor).get_shape()
        return
    if _lacks_torch():
        raise errors.InputError(
            f"{name} is read by torch, which is not installed; wanted it, or safetensors in place "
            "of this file; install torch"
        )
    import torch

    with open(path, "rb") as file:
        is_zip = file.read(2) == b"PK"
    try:
        torch.load(str(path), map_location="cpu", weights_only=True, mmap=is_zip or None)
    except pickle.UnpicklingError as error:
        # torch's own words advise to run what is in it.
        raise errors.InputError(
            f"{name} holds something else than tensors; wanted weights alone; do not load it"
        ) from error


def _lacks_torch() -> bool:
    return importlib.util.find_spec("torch") is None


def _free_memory() -> int | None:
    """Returns the bytes that may be asked for; None where nobody says."""
    found = []
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    found.append(int(line.split()[1]) << 10)
    except (OSError, ValueError):
        pass
    limit = _read_number("/sys/fs/cgroup/memory.max")
    used = _read_number("/sys/fs/cgroup/memory.current")
    if limit is not None and used is not None:
        found.append(max(0, limit - used))
    return min(found) if found else None


def _read_number(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
