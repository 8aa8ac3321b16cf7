"""From the Hub to the root: what there is, which files, fetching, preparing, links."""

from __future__ import annotations
