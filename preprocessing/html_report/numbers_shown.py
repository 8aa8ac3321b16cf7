"""How the HTML report writes numbers: counts, sizes, shares and the names of bins."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def count_shown(count: float) -> str:
    """Returns a count with separators between thousands.

    >>> count_shown(23742)
    '23,742'
    """
    return f"{count:,.0f}"


def size_shown(size_bytes: float) -> str:
    """Returns a size in decimal units.

    >>> size_shown(341_500_000), size_shown(12)
    ('341.5 MB', '12 B')
    """
    size, place = float(size_bytes), 0
    while size >= 999.95 and place < len(_UNITS) - 1:
        size, place = size / 1000, place + 1
    return f"{size:,.1f} {_UNITS[place]}" if place else f"{size:,.0f} B"


def share_shown(part: float, whole: float) -> str:
    """Returns a share in percent; what is little but not nothing does not read as nothing.

    >>> share_shown(1, 4), share_shown(1, 100_000), share_shown(0, 4), share_shown(99_999, 100_000)
    ('25.0 %', '< 0.1 %', '0 %', '> 99.9 %')
    """
    if not part or not whole:
        return "0 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "< 0.1 %"
    if percent == 100:
        return "100 %"
    return "> 99.9 %" if percent > 99.9 else f"{percent:.1f} %"


def width_of(part: float, whole: float) -> str:
    """Returns the width of a bar in percent; what is not nothing can be seen.

    >>> width_of(1, 3), width_of(1, 100_000), width_of(0, 3)
    ('33.33', '0.30', '0.00')
    """
    percent = 100 * part / whole if whole else 0.0
    return f"{min(max(percent, 0.3 if part else 0.0), 100.0):.2f}"


def ratio_shown(above: float, below: float) -> str | None:
    """Returns a quotient with two digits after the point, None where there is nothing to divide by.

    >>> ratio_shown(10, 4), ratio_shown(1, 0)
    ('2.50', None)
    """
    return f"{above / below:,.2f}" if below else None


def bin_label(place: int) -> str:
    """Returns the lower end of a bin of powers of two; K stands for 1,024.

    >>> bin_label(3), bin_label(10), bin_label(21)
    ('8', '1K', '2M')
    """
    value, letters = 1 << place, iter("KMGTPE")
    letter = ""
    while value >= 1024:
        value, letter = value // 1024, next(letters)
    return f"{value}{letter}"
