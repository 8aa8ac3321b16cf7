"""A trained model as a SavedModel: written by the trainer, run in a process of its own."""
