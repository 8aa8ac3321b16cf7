"""Training with t5's own program: starting it, reading its figures, and using what it trained.

*Trainer* everywhere in this package is `python -m t5.models.mesh_transformer_main`, unmodified;
*model directory* is its `--model_dir`, which holds checkpoints, event files and
`operative_config.gin`. Importing the package alone imports nothing heavy.
"""
