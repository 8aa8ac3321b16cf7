"""Deduplication: which copies are dropped. Decisions only; the build applies them."""
