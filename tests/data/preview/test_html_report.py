from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from code_t5.data.preview import html_report

_VOID = {"meta", "rect", "br"}


class _Tags(HTMLParser):
    """Collects elements and checks that each is closed."""

    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag


def _page(sample):
    return html_report.render(sample, num_examples=9).decode("utf-8")


def _tags(page):
    parser = _Tags()
    parser.feed(page)
    assert parser.open == []
    return parser.found


def test_the_page_loads_and_runs_nothing(sample):
    page = _page(sample)
    for tag, attributes in _tags(page):
        assert tag not in ("script", "link", "iframe", "img", "object")
        assert not {"src", "href", "style"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}';" in page
    assert "url(" not in style and "@import" not in style


def test_names_and_texts_are_escaped(sample):
    hostile = "</pre><script>alert(1)</script>&amp;\x1b"
    reader = sample.readers["inputs"]
    object.__setattr__(reader, "decode", lambda ids: hostile)
    page = _page(sample)
    assert "<script" not in page
    assert "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)
    assert "small␛]0;evil␇_task" in page


def test_tokens_have_classes_of_their_own(sample):
    page = _page(sample)
    assert '<span class="sentinel">⟦extra_id_0⟧</span> beta<span class="end">⟦end⟧</span>' in page
    assert '<span class="unknown">⟦unknown 2⟧</span>' in page
    assert '<span class="padding">⟦padding × 3⟧</span>' in page
    assert '<span class="mark">␛</span>[31m' in page


def test_a_line_feed_at_the_beginning_stays(sample):
    reader = sample.readers["inputs"]
    object.__setattr__(reader, "decode", lambda ids: "\nfirst")
    assert '<pre class="text" tabindex="0">\n\nfirst' in _page(sample)


def test_packing_is_drawn_to_scale(sample):
    parts = [a for tag, a in _tags(_page(sample)) if tag == "rect" and "x" in a]
    assert [(one["class"], one["x"], one["width"]) for one in parts[:4]] == [
        ("odd", "0", "3"), ("even", "3", "2"), ("odd", "0", "3"), ("even", "3", "2"),
    ]  # fmt: skip


def test_settings_stand_on_the_page(sample):
    assert "mesh_train_dataset_fn.pack = False" in _page(sample)


def test_the_same_sample_gives_the_same_page(sample):
    assert _page(sample) == _page(sample)
