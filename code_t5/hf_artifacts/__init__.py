"""Hugging Face models, data sets and metrics: fetched ahead, proved loadable, read offline."""

from __future__ import annotations
