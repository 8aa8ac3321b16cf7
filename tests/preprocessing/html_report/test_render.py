from __future__ import annotations

import collections
import copy
import html.parser
import re

import pytest
from pyarrow import parquet

from code_t5 import errors
from preprocessing.html_report import charts, drawings, render, samples

_VOID = {"meta", "col", "br", "img", "input", "link", "hr", "path", "use"}


class _Outline(html.parser.HTMLParser):
    """Collects elements, identifiers and text; sees to it that every element is closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.open = collections.Counter(), [], []
        self.attributes, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _outline(page):
    outline = _Outline()
    outline.feed(page.decode("utf-8"))
    assert outline.open == []
    return outline


def _words(page):
    return re.sub(r"\s+", " ", " ".join(_outline(page).text))


def _render(built, report=None, chosen=None):
    chosen = chosen or samples.choose_samples(built.ledger_path, built.texts.get)
    return render.render_report(
        report or built.report, ledger_path=built.ledger_path, samples=chosen
    )


@pytest.fixture(scope="module")
def page(built):
    return _render(built)


_WHY_EMPTY = (
    "a dry run has no vocabulary",
    "there are fewer than two splits",
    "Repositories were not grouped",
    "Near-duplicate removal was off",
    "redaction was off",
    "No licence was looked for",
    "No benchmark was given",
    "A dry run trains and uses no vocabulary",
    "Nothing was kept, or",
    "Records that would be written",
)


def _dry(report):
    dry = copy.deepcopy(report)
    del dry["vocabulary"], dry["lossless"]
    dry.update(dry_run=True, leaks={"pairs": [], "num_dropped": 0, "threshold": 0.7})
    dry.update(near_duplicates={"enabled": False}, redaction={"mode": "off"})
    nothing = {"action": "drop", "benchmarks": [], "matches": [], "num_files": 0}
    dry.update(decontamination=nothing, repository_groups={}, licenses={})
    return dry


def test_the_same_build_gives_the_same_bytes(built, page):
    assert _render(built) == page


def test_settings_of_the_users_matplotlib_have_no_say(built, page):
    import matplotlib as mpl

    with mpl.rc_context({"axes.linewidth": 5, "xtick.direction": "in", "svg.fonttype": "path"}):
        assert _render(built) == page


def test_the_page_is_well_formed_and_small(page):
    outline = _outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.tags["script"] == 1
    assert outline.tags["svg"] == 4
    assert len(page) < 400_000


def test_nothing_outside_of_the_page_is_named(page):
    outline = _outline(page)
    links = [value for _, name, value in outline.attributes if name in ("href", "src", "srcset")]
    assert links and all(value.startswith("#") for value in links)
    assert {value[1:] for value in links} <= set(outline.ids)
    assert b"http:" not in page and b"https:" not in page and b"@import" not in page
    assert not re.search(rb"url\((?!#)", page)


def test_names_and_code_of_the_data_set_stay_text(page):
    outline = _outline(page)
    words = "".join(outline.text)
    assert "evil/<script>alert(1)</script>/a'b\"&<i>.py" in words
    assert 'x = "<script>alert(2)</script></code></pre>"  # &amp; \u27e8U+202E\u27e9 rev' in words
    assert "<img src=x onerror=alert(3)>" in words
    assert b"<script>alert" not in page and b"onerror=alert(3)>" not in page
    assert outline.tags["img"] == 0 and outline.tags["i"] == page.count(b"<i style=") + page.count(
        b"<i class="
    )
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]


def test_numbers_of_ledger_and_report_are_on_the_page(built, page):
    words = _words(page)
    for verdict, files in built.report["files_by_verdict"].items():
        if verdict != "kept":
            assert f"Verdict {verdict} : {files:,} files" in words
    assert f"{built.report['files_by_verdict']['kept']:,} files are left after it." in words
    assert f"Records written {built.report['files_by_verdict']['kept']:,} " in words
    assert "Tokens 1,234,567 4.15 characters per token" in words
    assert "train / validation 0 0 140 1.7 %" in words
    assert "E-mail address 1,144 61" in words
    assert "GPL-3.0-only 30 3.8 %" in words
    assert "humaneval.jsonl 164 160 4 0" in words
    assert "C++ 2.86 2,446 244,567 100" in words


def test_a_leak_is_called_one(built):
    report = copy.deepcopy(built.report)
    report["leaks"]["pairs"][1]["near"] = 3
    words = _words(_render(built, report))
    assert "✗ 3 copies stand in two splits." in words
    assert "✓ No text, and no near copy of one" not in words
    assert "✓ No text, and no near copy of one" in _words(_render(built))


def test_a_dry_run_says_why_sections_are_empty(built):
    words = _words(_render(built, _dry(built.report), samples.Samples()))
    for why in _WHY_EMPTY:
        assert why in words, why


def test_a_ledger_without_files_makes_a_page(built, tmp_path):
    path = tmp_path / "ledger.parquet"
    parquet.write_table(parquet.read_schema(built.ledger_path).empty_table(), path)
    report = {**_dry(built.report), "num_files": 0, "splits": {}}
    page = render.render_report(report, ledger_path=path, samples=samples.Samples())
    for why in ("No sizes", "No language", "No repository", "nothing was kept", "No cluster"):
        assert why in _words(page)


def test_a_ledger_of_another_build_is_refused(built):
    with pytest.raises(errors.ArtifactError, match="wanted those of one build"):
        _render(built, {**built.report, "num_files": 5})


def test_the_largest_samples_keep_the_page_bounded(built):
    side = "\n".join("<" * 5000 for _ in range(3000))
    cluster = samples.ClusterSample(1, 2, "a" * 9000, side, "b" * 9000, side.replace("<", "&"))
    kept = samples.KeptSample("r" * 9000, "p" * 9000, "l" * 9000, side)
    chosen = samples.Samples((cluster,) * samples.MAX_CLUSTERS, (kept,) * samples.MAX_KEPT)
    many = {f"LicenseRef-{number}": number for number in range(5000)}
    report = copy.deepcopy(built.report)
    report["licenses"]["by_expression"] = many
    report["decontamination"]["matches"] *= 5000
    report["decontamination"]["num_files"] = 7000
    page = _render(built, report, chosen)
    assert len(page) < 2_000_000
    assert "and 4,987 more licences" in _words(page)
    assert "and 6,960 more files" in _words(page)


def test_charts_say_their_numbers_and_follow_the_theme(built, page):
    text = page.decode("utf-8")
    assert "<title>512: " in text and "var(--accent)" in text
    assert not re.search(r"#0102[0-9a-f]{2}\b", text)
    assert text.count('role="img"') == 4
    assert "<metadata" not in text and "DOCTYPE svg" not in text


def test_labels_of_a_chart_are_not_read_as_formulas():
    words = charts.Words("odd", "$\\frac{", "<b>", "$x$", "&")
    svg = charts.draw_bars(words, labels=["$\\x$"], series=[charts.Series("$_$", [1], "accent")])
    assert "$x$</text>" in svg and "$\\x$</text>" in svg
    assert "$\\frac{" in svg and "&lt;b&gt;" in svg and "<b>" not in svg


def test_cluster_sizes_are_grouped():
    drawing = drawings.draw_cluster_sizes({2: 10, 3: 5, 5: 2, 7: 1, 30: 1})
    assert drawing.rows == [
        *[("2", "10"), ("3", "5"), ("4–7", "3"), ("8–15", "0"), ("16–31", "1")],
    ]
    assert drawings.draw_cluster_sizes({}) is None


def test_token_lengths_are_shares_of_their_split():
    drawing = drawings.draw_token_lengths({"train": [0, 1, 3], "test": [0, 0, 0, 5], "odd": [1]})
    assert drawing.head == ("tokens", "train", "test")
    assert drawing.rows == [("2–4", "1", "0"), ("4–8", "3", "0"), ("8–16", "0", "5")]
    assert "train, 4: 75.0 %" in drawing.svg
    assert drawings.draw_token_lengths({"train": [0, 0]}) is None


def test_concentration_ends_at_everything(built):
    from preprocessing.html_report import ledger_totals

    drawing = drawings.draw_concentration(ledger_totals.collect_totals(built.ledger_path))
    assert drawing.rows[-1] == ("86", "100.0 %")
    assert [row[0] for row in drawing.rows[:3]] == ["1", "2", "5"]
