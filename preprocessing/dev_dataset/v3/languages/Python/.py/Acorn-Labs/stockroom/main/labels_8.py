# -*- coding: latin-1 -*-
"""Prints shelf labels on the old thermal printer, which knows Latin-1 only."""

WIDTH = 32

# Titles that the printer's firmware has stored under a number.
STORED_TITLES = {
    1: "Schrauben, groß",
    2: "Écrous à oreilles",
    3: "Muñecas y tornillos",
    4: "Brännare för gas",
    5: "Kabelbånd, små",
}

DEGREE = "°"


def center(text, width=WIDTH):
    """Cuts or pads a text so that it fills one line of the label."""
    text = text[:width]
    left = (width - len(text)) // 2
    return " " * left + text + " " * (width - len(text) - left)


def label(article_number, title, shelf, max_temperature=None):
    lines = [center(article_number), center(title), center(str(shelf))]
    if max_temperature is not None:
        lines.append(center("max. %d %sC" % (max_temperature, DEGREE)))
    return "\n".join(lines)


def to_printer(text):
    """Bytes for the serial line; what the printer lacks becomes a question mark."""
    return b"\x1b@" + text.encode("latin-1", "replace") + b"\x0c"


def print_labels(port, labels):
    count = 0
    for text in labels:
        port.write(to_printer(text))
        count += 1
    port.flush()
    return count
