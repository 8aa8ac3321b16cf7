"""Finds and opens exports to Hugging Face; needs neither TensorFlow nor torch.

An *export* is a directory that `transformers.T5ForConditionalGeneration.from_pretrained` loads:

    <model_dir>/hugging_face/step_<N>/  config.json  generation_config.json  model.safetensors
        tokenizer_config.json  special_tokens_map.json  tokenizer.json or spiece.model
        vocabulary/  manifest.json  COMPLETED

Its manifest says of which checkpoint it is. It is *current* while that checkpoint and the
configuration of the model directory are what they were.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import time
from typing import Any

from code_t5 import errors, parallel, progress
from code_t5.storage import fingerprints, manifest
from code_t5.training import listed_files
from code_t5.training.checkpoints import reading
from code_t5.training.hugging_face import architecture as architectures
from code_t5.training.hugging_face import reading_settings, trained_task

FORMAT_NAME = "code_t5_hugging_face"
FORMAT_VERSION = 1
FOLDER = "hugging_face"
VOCABULARY_FOLDER = "vocabulary"
WEIGHTS_NAME = "model.safetensors"
_WAIT_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class HuggingFaceExport:
    """An export, opened.

    Attributes:
      directory: Where it is.
      step: Training steps of its checkpoint.
      task: Name of the Task or Mixture that the model was trained on.
      objective: Name of its objective; None if it is one of t5's own, or several.
      sequence_length: Tokens of `inputs` and `targets` in training.
      add_eos: Whether inputs end with the end of text.
      vocabulary_dir: Its copy of the vocabulary.
      checkpoint_sha256: Of the checkpoint's index, which holds checksums of all its numbers.
      fingerprint: Of the whole export: its manifest's hash.
    """

    directory: pathlib.Path
    step: int
    task: str
    objective: str | None
    sequence_length: dict[str, int]
    add_eos: bool
    vocabulary_dir: pathlib.Path
    checkpoint_sha256: str
    fingerprint: str


def default_dir(model_dir: str | os.PathLike[str], step: int) -> pathlib.Path:
    """Returns where the export of a step is by default."""
    return pathlib.Path(model_dir, FOLDER, f"step_{step}")


def source_identity(model_dir: str | os.PathLike[str], step: int) -> dict[str, str]:
    """Returns the hashes of what an export is made from, the vocabulary left out.

    Args:
      model_dir: The model directory.
      step: Of the checkpoint.

    Returns:
      Fields of the manifest.

    Raises:
      InputError: There is no such checkpoint, or its model cannot be exported.
      ArtifactError: Checkpoint or configuration are damaged.
    """
    prefix = reading.checkpoint_path(model_dir, step)
    settings = architectures.find_settings(model_dir)
    task = dataclasses.asdict(trained_task.read_task(settings))
    described = dataclasses.asdict(reading_settings.read_architecture(settings))
    return {
        "checkpoint_sha256": fingerprints.hash_file(f"{prefix}.index"),
        "configuration_sha256": fingerprints.hash_json({"task": task, "architecture": described}),
    }


def _damaged(folder: pathlib.Path, *, found: str, wanted: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"the export {folder} {found}; wanted {wanted}; remove it and export again with "
        "scripts/export.py"
    )


def open_export(directory: str | os.PathLike[str]) -> HuggingFaceExport:
    """Opens an export and compares its files with what its manifest says.

    Args:
      directory: The export.

    Returns:
      What it is; its files are there as they were written (of those over 256 MiB the size is
      compared, of others the hash).

    Raises:
      InputError: There is no such directory.
      ArtifactError: It is half-written, damaged or something else.
    """
    folder = pathlib.Path(directory)
    if not folder.is_dir():
        raise errors.InputError(
            f"found no directory {folder}; wanted an export to Hugging Face; make it with "
            "scripts/export.py MODEL_DIR --format=hugging_face"
        )
    fields = manifest.read_manifest(folder, format_name=FORMAT_NAME, format_version=FORMAT_VERSION)
    manifest.check_manifest(folder)
    _check_fields(folder, fields)
    _check_files(folder, fields["files"])
    return HuggingFaceExport(
        directory=folder,
        step=fields["step"],
        task=fields["task"],
        objective=fields["objective"],
        sequence_length={key: fields["sequence_length"][key] for key in trained_task.FEATURES},
        add_eos=fields["add_eos"],
        vocabulary_dir=folder / VOCABULARY_FOLDER,
        checkpoint_sha256=fields["checkpoint_sha256"],
        fingerprint=fingerprints.hash_file(folder / manifest.MANIFEST_NAME),
    )


def _check_fields(folder: pathlib.Path, fields: dict[str, Any]) -> None:
    """Compares the kinds of the manifest's fields.

    Raises:
      ArtifactError: One is of another kind, or missing.
    """
    kinds: dict[str, Any] = {
        **{"step": int, "task": str, "objective": (str, type(None)), "add_eos": bool},
        **{"sequence_length": dict, "files": dict, "checkpoint_sha256": str},
        "configuration_sha256": str,
    }
    wrong = [name for name, kind in kinds.items() if not isinstance(fields.get(name, 0.5), kind)]
    if not wrong:
        lengths = fields["sequence_length"]
        is_usable = all(isinstance(lengths.get(key), int) for key in trained_task.FEATURES)
        wrong = [] if is_usable else ["sequence_length"]
    if wrong:
        raise _damaged(
            folder, found=f"has a manifest without a usable {', '.join(wrong)}", wanted="them all"
        )


def _check_files(folder: pathlib.Path, files: dict[str, Any]) -> None:
    """Compares the files of an export with its manifest.

    Raises:
      ArtifactError: A file is missing or is not the one that was written.
    """
    if WEIGHTS_NAME not in files:
        raise _damaged(folder, found=f"lists no {WEIGHTS_NAME}", wanted="the model's weights")
    found = listed_files.find_damage(folder, files)
    if found:
        raise _damaged(folder, found=found, wanted="every file as it was written")


def is_current(directory: pathlib.Path, identity: dict[str, str]) -> bool:
    """Says whether an export is whole and made from what is there now.

    Args:
      directory: Where it would be.
      identity: As `source_identity` returns it.
    """
    try:
        open_export(directory)
        fields = manifest.read_manifest(
            directory, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
        )
    except errors.CodeT5Error:
        return False
    return all(fields.get(key) == value for key, value in identity.items())


def latest_export(
    model_dir: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    step: int | None = None,
) -> HuggingFaceExport:
    """Opens the export of a model's checkpoint; where there is none that is current, makes it.

    It is made in a child process, so that this one does not load TensorFlow, which torch does not
    get along with. Of two that ask at once, one makes it and the other waits.

    Args:
      model_dir: The model directory.
      data_dir: Where its data set was built; None for the environment's default. It is looked at
        only if there is no export yet.
      step: Of the checkpoint; None for the newest.

    Returns:
      The export.

    Raises:
      InputError: There is no such checkpoint, or its model cannot be exported.
      NotBuiltError: The model's vocabulary is not found.
      ArtifactError: Checkpoint, configuration or vocabulary are damaged.
      CodeT5Error: The child process died.
    """
    wanted = reading.newest_step(model_dir) if step is None else step
    target = default_dir(model_dir, wanted)
    if not is_current(target, source_identity(model_dir, wanted)):
        export_in_child(model_dir, step=wanted, data_dir=data_dir)
    return open_export(target)


def export_in_child(
    model_dir: str | os.PathLike[str],
    *,
    output_dir: str | os.PathLike[str] | None = None,
    step: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> pathlib.Path:
    """Does what `export_hugging_face` does in a child process, with a progress bar.

    Args:
      model_dir: Where the trainer has trained.
      output_dir: Gets the export; None for `<model_dir>/hugging_face/step_<N>`.
      step: Of the checkpoint; None for the newest.
      data_dir: Where the model's data set was built; None for the environment's default.

    Returns:
      The export's directory.

    Raises:
      InputError: There is no such checkpoint, or its model cannot be exported.
      NotBuiltError: The model's vocabulary is not found.
      ArtifactError: Checkpoint, configuration or vocabulary are damaged.
      CodeT5Error: The child process died.
    """
    wanted = reading.newest_step(model_dir) if step is None else step
    work = functools.partial(
        make_export,
        os.fspath(model_dir),
        output_dir=None if output_dir is None else os.fspath(output_dir),
        step=wanted,
        data_dir=None if data_dir is None else os.fspath(data_dir),
    )
    with progress.progress_bar(description=f"exporting step {wanted}", unit="s") as bar:
        return pathlib.Path(parallel.run_in_child(work, tick_fn=bar.update))


def make_export(
    model_dir: str, *, step: int, data_dir: str | None, output_dir: str | None = None
) -> str:
    """Makes an export unless somebody else has meanwhile; loads TensorFlow.

    Args:
      model_dir: The model directory.
      step: Of the checkpoint.
      data_dir: Where its data set was built; None for the environment's default.
      output_dir: Gets the export; None for the default.

    Returns:
      Its directory.

    Raises:
      InputError: The model cannot be exported.
      NotBuiltError: The model's vocabulary is not found.
      ArtifactError: Checkpoint, configuration or vocabulary are damaged.
    """
    # TensorFlow's words on its start are for nobody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from code_t5.training.hugging_face import exporting

    while True:
        try:
            path = exporting.export_hugging_face(
                model_dir, output_dir=output_dir, step=step, data_dir=data_dir
            )
            return os.fspath(path)
        except errors.BusyError:
            time.sleep(_WAIT_SECONDS)


def lock_path(output_dir: pathlib.Path) -> pathlib.Path:
    """Returns the lock that whoever writes an export holds."""
    return output_dir.parent / f".{output_dir.name}.lock"


def check_replaceable(output_dir: pathlib.Path) -> None:
    """Refuses to write over what is no export.

    Args:
      output_dir: Where an export is to go.

    Raises:
      InputError: Something else is there.
    """
    if not os.path.lexists(output_dir):
        return
    is_folder = output_dir.is_dir() and not output_dir.is_symlink()
    try:
        manifest.read_manifest(output_dir, format_name=FORMAT_NAME, format_version=FORMAT_VERSION)
    except errors.CodeT5Error as error:
        if is_folder and not any(output_dir.iterdir()):
            return
        raise errors.InputError(
            f"{output_dir} is there and is no export to Hugging Face; wanted a new directory, or "
            "an export to replace; name another --output_dir, or remove it"
        ) from error
