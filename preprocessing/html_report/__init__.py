"""The report of a build as one HTML file that needs no network.

`ledger_totals` reads the ledger, `samples` chooses texts to show, `side_by_side` compares two of
them, `charts` draws, `sections` puts report and totals into the order of the page, and `render`
makes the file out of the templates beside it.
"""

from __future__ import annotations
