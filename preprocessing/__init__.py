"""Repositories of source code to TFDS records: read, decide, record, apply."""
