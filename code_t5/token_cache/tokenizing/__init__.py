"""Tokenizers stored as their own files, and what turns text into their ids."""
