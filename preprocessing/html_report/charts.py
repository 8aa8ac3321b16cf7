"""Charts as pieces of SVG to stand in the HTML report, drawn by matplotlib.

The same numbers give the same bytes: identifiers come from a fixed salt, and neither a date nor the
settings of the user's matplotlib have a say. Text stays text, colours become CSS variables, and
every bar and point says its value in a `<title>`. Labels never come from the data set's files.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from preprocessing.html_report import palette

if TYPE_CHECKING:
    from matplotlib import axes, figure

# In points, which a browser scales to the width of the column.
_WIDTH, _HEIGHT = 340, 205
_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "code_t5 report 1",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": palette.MARKS["pale"],
    "axes.labelcolor": palette.MARKS["soft"],
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": palette.MARKS["line"],
    "grid.linewidth": 0.8,
    "xtick.color": palette.MARKS["pale"],
    "xtick.labelcolor": palette.MARKS["soft"],
    "ytick.color": palette.MARKS["pale"],
    "ytick.labelcolor": palette.MARKS["soft"],
    "ytick.left": False,
    "text.color": palette.MARKS["text"],
}
_LINE_STYLES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)))
_MARKERS = ("o", "s", "^")
COLOURS = ("accent", "drop", "third")


@dataclasses.dataclass(frozen=True)
class Series:
    """Numbers of one kind.

    Attributes:
      name: What the legend calls it.
      values: One per label or position.
      colour: Name of the palette.
    """

    name: str
    values: Sequence[float]
    colour: str


@dataclasses.dataclass(frozen=True)
class Words:
    """What a chart says in words.

    Attributes:
      key: Short and unique on the page; letters only.
      title: What the chart shows.
      summary: The same for who cannot see it.
      x_label: Below the axis.
      y_label: Unit of the values.
    """

    key: str
    title: str
    summary: str
    x_label: str
    y_label: str


def _new_figure() -> tuple[figure.Figure, axes.Axes]:
    # Says at level INFO that it found the fonts.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.WARNING)
    from matplotlib import figure

    made = figure.Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72, layout="constrained")
    return made, made.add_subplot()


def _tip(artist: Any, *, tips: list[str], text: str) -> None:
    artist.set_gid(f"tip-{len(tips)}")
    tips.append(text)


def _short_number(value: float, _: object = None) -> str:
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def _finish(drawn: figure.Figure, *, words: Words, tips: list[str]) -> Markup:
    """Writes the figure as SVG without anything that leads out of the page or into its styles."""
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None, "Type": None, "Format": None}
    drawn.savefig(buffer, format="svg", metadata=metadata, transparent=True)
    root = ElementTree.fromstring(buffer.getvalue())
    prefix = f"{words.key}-"
    for parent in list(root.iter()):
        parent.tag = parent.tag.split("}")[-1]
        for child in list(parent):
            if child.tag.split("}")[-1] == "metadata" or child.find("{*}style") is not None:
                parent.remove(child)
        _rename(parent, prefix)
        tip = re.fullmatch(rf"{prefix}tip-(\d+)", parent.get("id", ""))
        if tip:
            title = ElementTree.Element("title")
            title.text = tips[int(tip.group(1))]
            parent.insert(0, title)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib.update({"class": "chart", "role": "img"})
    root.attrib["aria-labelledby"] = f"{prefix}title {prefix}desc"
    for place, (tag, text) in enumerate((("title", words.title), ("desc", words.summary))):
        element = ElementTree.Element(tag, {"id": prefix + tag})
        element.text = text
        root.insert(place, element)
    svg = ElementTree.tostring(root, encoding="unicode")
    for name, mark in palette.MARKS.items():
        svg = svg.replace(mark, f"var(--{name})")
    return Markup(svg)


def _rename(element: ElementTree.Element, prefix: str) -> None:
    """Makes identifiers unique on the page, and takes namespaces off attributes."""
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        name = name.split("}")[-1]
        if name == "id":
            value = prefix + value
        elif name == "href":
            value = value.replace("#", f"#{prefix}", 1)
        else:
            value = value.replace("url(#", f"url(#{prefix}")
        element.set(name, value)


def _label(ax: axes.Axes, words: Words) -> None:
    ax.set_xlabel(words.x_label)
    ax.set_ylabel(words.y_label)
    ax.tick_params(axis="x", length=3)


def draw_bars(words: Words, *, labels: Sequence[str], series: Sequence[Series]) -> Markup:
    """Draws bars, those of later series in front of those of earlier ones.

    Args:
      words: What it says.
      labels: One per bar; where there are many, only some are written.
      series: At least one.

    Returns:
      An `<svg>` element.
    """
    import matplotlib as mpl
    from matplotlib import ticker

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        drawn, ax = _new_figure()
        tips: list[str] = []
        for number, one in enumerate(series):
            colour = palette.MARKS[one.colour]
            width = 0.86 - 0.26 * number
            bars = ax.bar(range(len(labels)), one.values, width, color=colour, label=one.name)
            for bar, label, value in zip(bars, labels, one.values):
                _tip(bar, tips=tips, text=f"{label}: {value:,.0f} {one.name}")
        step = max(1, -(-len(labels) // 7))
        ax.set_xticks(range(0, len(labels), step), labels[::step])
        ax.yaxis.set_major_formatter(_short_number)
        ax.yaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
        _label(ax, words)
        if len(series) > 1:
            drawn.legend(loc="outside upper left", ncols=len(series), frameon=False)
        return _finish(drawn, words=words, tips=tips)


def draw_shares(words: Words, *, labels: Sequence[str], series: Sequence[Series]) -> Markup:
    """Draws lines of shares in percent, told apart by colour, dashes and markers.

    Args:
      words: What it says.
      labels: One per position.
      series: At most three; values from 0 to 1.

    Returns:
      An `<svg>` element.
    """
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        drawn, ax = _new_figure()
        tips: list[str] = []
        for one, dashes, marker in zip(series, _LINE_STYLES, _MARKERS):
            colour, percent = palette.MARKS[one.colour], [100 * value for value in one.values]
            places = range(len(labels))
            ax.plot(places, percent, color=colour, linestyle=dashes, linewidth=2)
            ax.plot([], [], color=colour, linestyle=dashes, marker=marker, label=one.name)
            for place, label, value in zip(places, labels, percent):
                point = ax.plot([place], [value], color=colour, marker=marker, markersize=5)[0]
                _tip(point, tips=tips, text=f"{one.name}, {label}: {value:.1f} %")
        step = max(1, -(-len(labels) // 7))
        ax.set_xticks(range(0, len(labels), step), labels[::step])
        ax.set_ylim(bottom=0)
        _label(ax, words)
        if len(series) > 1:
            drawn.legend(loc="outside upper left", ncols=len(series), frameon=False)
        return _finish(drawn, words=words, tips=tips)


def draw_curve(words: Words, *, ranks: Sequence[int], shares: Sequence[float]) -> Markup:
    """Draws how a share grows with the rank, the rank on a logarithmic axis.

    Args:
      words: What it says.
      ranks: Ascending, from 1.
      shares: As many, from 0 to 1.

    Returns:
      An `<svg>` element.
    """
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        drawn, ax = _new_figure()
        percent = [100 * share for share in shares]
        tips: list[str] = []
        ax.plot(ranks, percent, color=palette.MARKS["accent"], linewidth=2)
        ax.fill_between(ranks, percent, color=palette.MARKS["accent"], alpha=0.12, linewidth=0)
        for rank, value in zip(ranks, percent):
            point = ax.plot([rank], [value], color=palette.MARKS["accent"], marker="o")[0]
            point.set_markersize(4)
            _tip(point, tips=tips, text=f"the largest {rank:,}: {value:.1f} %")
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.xaxis.set_major_formatter(_short_number)
        ax.set_ylim(0, 104)
        _label(ax, words)
        return _finish(drawn, words=words, tips=tips)
