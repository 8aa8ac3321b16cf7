"""What a model is worth: losses, full-line completion, baselines, figures over checkpoints."""
