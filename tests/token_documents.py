"""Documents of numbered tokens, and an objective that is as simple as can be."""

from __future__ import annotations

import numpy as np

from code_t5.data.objectives import CausalLm, Documents, PrefixLm
from code_t5.encoding import ragged

LENGTHS = {"inputs": 16, "targets": 16}


def documents_of(lengths, *, first_token=10):
    """Documents of these lengths whose tokens are all different."""
    offsets = ragged.offsets_of(np.array(lengths, dtype=np.int64))
    return Documents(
        tokens=np.arange(first_token, first_token + offsets[-1], dtype=np.uint16),
        offsets=offsets,
        sizes=np.array(lengths, dtype=np.int64) * 3,
        names=lambda index: ("org/repository", f"file_{index}.py"),
    )


def drawn_documents(seed, *, num_documents=60, longest=70, first_token=10):
    lengths = np.random.default_rng(seed).integers(0, longest, num_documents)
    return documents_of(lengths, first_token=first_token)


def prefix_lm(lengths=LENGTHS):
    return PrefixLm(lengths, model=None)


def causal_lm(lengths=LENGTHS):
    return CausalLm(lengths, model=None)
