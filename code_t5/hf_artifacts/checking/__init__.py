"""Is what was fetched whole, and does it load with no network? Nothing here asks the Hub."""

from __future__ import annotations
