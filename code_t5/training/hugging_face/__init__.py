"""Between checkpoints of the trainer and directories that `transformers` loads."""

from __future__ import annotations

from code_t5.training.hugging_face.exporting import export_hugging_face
from code_t5.training.hugging_face.opening import HuggingFaceExport, latest_export, open_export

__all__ = ["HuggingFaceExport", "export_hugging_face", "latest_export", "open_export"]
