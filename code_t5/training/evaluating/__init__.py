"""Measuring trained models on held-out code, beside models that anyone can count.

*Cursor*, *question* and *answer* are those of `code_t5.data.line_metrics` and of the objective
`line_completion`; a *baseline* is a way to answer that needs no training but counting.
"""
