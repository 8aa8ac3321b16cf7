"""Between checkpoints of the trainer and directories that `transformers` loads."""
