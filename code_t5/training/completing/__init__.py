"""Completing code quickly, with several candidates and their scores."""
