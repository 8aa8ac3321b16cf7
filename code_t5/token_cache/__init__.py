"""Contiguous, memory-mapped token ids: encoded once, read at any sequence length.

`layout` says what lies in a cache, `writer` writes one, `reader` reads it. Nothing here needs a
framework.
"""
