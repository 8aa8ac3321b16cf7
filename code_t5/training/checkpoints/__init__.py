"""Checkpoints of the trainer: which are whole, what they hold, whether they fit the model."""
