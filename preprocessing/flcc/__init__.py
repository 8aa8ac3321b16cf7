"""The TFDS builder `flcc`: one config per data set."""
