"""The colours of the HTML report, once for light and once for dark.

Blue, orange and teal stay apart for every common form of colour blindness (after Okabe and Ito,
"Color Universal Design", 2008), and no meaning hangs on colour alone. Charts are drawn with a
stand-in per name, `MARKS`, which becomes a CSS variable, so that a chart follows the theme.
"""

from __future__ import annotations

# Name -> light, dark.
COLOURS = {
    "page": ("#fbfaf8", "#14171a"),
    "card": ("#ffffff", "#1c2024"),
    "sunken": ("#f3f1ed", "#23282d"),
    "line": ("#dedad3", "#363d44"),
    "text": ("#1d2126", "#e8eaec"),
    "soft": ("#59616b", "#a4adb7"),
    "accent": ("#0b63a8", "#6cb2f5"),
    "drop": ("#b4480b", "#f49a5c"),
    "third": ("#0b7a66", "#4fc3ab"),
    "pale": ("#a9b4bf", "#5b6670"),
    "left": ("#fdeade", "#40291b"),
    "left-mark": ("#f8c9a8", "#7a4521"),
    "right": ("#e2f0fb", "#1b3145"),
    "right-mark": ("#b5d8f5", "#245a87"),
    "good": ("#0b7a66", "#4fc3ab"),
    "bad": ("#b3261e", "#ff8f84"),
}

MARKS = {name: f"#0102{number:02x}" for number, name in enumerate(COLOURS, 16)}


def css_variables(*, dark: bool) -> str:
    """Returns the declarations of one theme.

    Args:
      dark: Which.

    Returns:
      `--name:#rrggbb;` for every colour.
    """
    return "".join(f"--{name}:{pair[dark]};" for name, pair in COLOURS.items())


def contrast(first: str, second: str) -> float:
    """Returns the contrast of two colours (WCAG 2.2, "contrast ratio"), 1 to 21.

    Args:
      first: As `#rrggbb`.
      second: Likewise.

    Returns:
      The ratio, the same in either order.

    >>> contrast("#000000", "#ffffff")
    21.0
    """
    lights = []
    for colour in (first, second):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)
