"""Text to ids without a framework: the vocabularies of data sets, and their quick encoder."""
