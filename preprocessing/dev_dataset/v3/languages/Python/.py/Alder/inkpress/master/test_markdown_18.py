import datetime

import pytest

from inkpress import front_matter
from inkpress.markdown import Renderer, render_inline, slugify
from inkpress.template import TemplateError, compile_template


def html(source):
    return Renderer(source).render()


@pytest.mark.parametrize(
    "title, expected",
    [
        ("Hello World", "hello-world"),
        ("What's new?", "whats-new"),
        ("  many   spaces ", "many-spaces"),
        ("snake_case title", "snake-case-title"),
        ("!!!", "section"),
    ],
)
def test_slugify(title, expected):
    assert slugify(title) == expected


def test_paragraph_joins_lines():
    assert html("one\ntwo\n\nthree") == "<p>one two</p>\n<p>three</p>"


def test_headings_get_unique_anchors():
    assert html("# Notes\n# Notes").splitlines() == [
        '<h1 id="notes">Notes</h1>',
        '<h1 id="notes-2">Notes</h1>',
    ]


def test_code_block_is_escaped_and_not_formatted():
    source = "```python\nif a < b and *args:\n    pass\n```"
    assert html(source) == (
        '<pre><code class="language-python">if a &lt; b and *args:\n    pass</code></pre>'
    )


def test_unclosed_fence_runs_to_the_end():
    assert html("```\nx = 1") == "<pre><code>x = 1</code></pre>"


def test_list_item_continues_on_an_indented_line():
    assert html("- first\n  still first\n- second") == (
        "<ul><li>first still first</li><li>second</li></ul>"
    )


def test_quote_holds_blocks():
    assert html("> # Title\n> text") == (
        '<blockquote><h1 id="title">Title</h1>\n<p>text</p></blockquote>'
    )


def test_inline_code_wins_over_emphasis():
    assert render_inline("`a * b * c` and *this*") == (
        "<code>a * b * c</code> and <em>this</em>"
    )


def test_raw_html_never_passes():
    assert "<script>" not in html("<script>alert(1)</script>")


def test_links_and_images():
    text = "[home](https://example.org/) ![a cat](/cat.png)"
    assert render_inline(text) == (
        '<a href="https://example.org/">home</a> <img src="/cat.png" alt="a cat">'
    )


def test_front_matter_types():
    page = front_matter.parse(
        "---\ntitle: 'On: colons'\ndate: 2018-11-30\ntags: [a, 2]\nweight: 1.5\n---\n\nBody\n"
    )
    assert page.meta["title"] == "On: colons"
    assert page.meta["date"] == datetime.date(2018, 11, 30)
    assert page.meta["tags"] == ["a", 2]
    assert page.meta["weight"] == 1.5
    assert page.body == "Body"


def test_front_matter_reports_the_line():
    with pytest.raises(front_matter.FrontMatterError) as caught:
        front_matter.parse("---\ntitle: x\ndate: 2019-02-30\n---\n")
    assert caught.value.line_number == 3


def test_template_loop_and_condition():
    template = compile_template(
        "{% for item in items %}{% if item.done %}[x]{% endif %}{{ item.name }};{% endfor %}"
    )
    items = [{"name": "tea & cake", "done": True}, {"name": "nap", "done": False}]
    assert template.render({"items": items}) == "[x]tea &amp; cake;nap;"


def test_template_must_be_closed():
    with pytest.raises(TemplateError, match="never closed"):
        compile_template("{% if page %}text")
