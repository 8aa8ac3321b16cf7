"""A small Markdown dialect, enough for articles and documentation pages.

Blocks: headings, paragraphs, fenced code, bullet and numbered lists, quotes
and horizontal rules. Inline: emphasis, strong, code, links and images.
Raw HTML is escaped, never passed through.
"""

import html
import re
from typing import Iterator, List

HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
BULLET = re.compile(r"^[-*+]\s+(.*)$")
NUMBERED = re.compile(r"^\d+[.)]\s+(.*)$")
RULE = re.compile(r"^(\*\s*){3,}$|^(-\s*){3,}$")

INLINE_CODE = re.compile(r"`([^`]+)`")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
STRONG = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
EMPHASIS = re.compile(r"\*(?=\S)(.+?)(?<=\S)\*")


def slugify(title: str) -> str:
    """Make an anchor out of a heading: ``What's new?`` becomes ``whats-new``."""
    cleaned = re.sub(r"[^\w\s-]", "", title.lower())
    return re.sub(r"[\s_-]+", "-", cleaned).strip("-") or "section"


def render_inline(text: str) -> str:
    """Render emphasis, code, links and images inside one piece of text."""
    stash: List[str] = []

    def keep(match) -> str:
        # Code must not see any of the later substitutions, so it is parked
        # under a control character that can not occur in the escaped text.
        stash.append("<code>" + match.group(1) + "</code>")
        return "\x02{}\x03".format(len(stash) - 1)

    text = html.escape(text, quote=False)
    text = INLINE_CODE.sub(keep, text)
    text = IMAGE.sub(r'<img src="\2" alt="\1">', text)
    text = LINK.sub(r'<a href="\2">\1</a>', text)
    text = STRONG.sub(r"<strong>\1</strong>", text)
    text = EMPHASIS.sub(r"<em>\1</em>", text)
    return re.sub("\x02(\\d+)\x03", lambda match: stash[int(match.group(1))], text)


class Renderer:
    """Turns lines into HTML blocks; one instance renders one document."""

    def __init__(self, source: str) -> None:
        self.lines = source.expandtabs(4).splitlines()
        self.position = 0
        self.anchors: List[str] = []

    def render(self) -> str:
        return "\n".join(self.blocks())

    def peek(self) -> str:
        return self.lines[self.position]

    def blocks(self) -> Iterator[str]:
        while self.position < len(self.lines):
            line = self.peek()
            if not line.strip():
                self.position += 1
            elif line.startswith("```"):
                yield self.code_block()
            elif HEADING.match(line):
                yield self.heading()
            elif RULE.match(line.strip()):
                self.position += 1
                yield "<hr>"
            elif BULLET.match(line):
                yield self.list_block(BULLET, "ul")
            elif NUMBERED.match(line):
                yield self.list_block(NUMBERED, "ol")
            elif line.startswith(">"):
                yield self.quote()
            else:
                yield self.paragraph()

    def heading(self) -> str:
        marks, title = HEADING.match(self.peek()).groups()
        self.position += 1
        anchor = base = slugify(title)
        suffix = 2
        while anchor in self.anchors:
            anchor = "{}-{}".format(base, suffix)
            suffix += 1
        self.anchors.append(anchor)
        level = len(marks)
        return '<h{0} id="{1}">{2}</h{0}>'.format(level, anchor, render_inline(title))

    def code_block(self) -> str:
        language = self.peek()[3:].strip()
        self.position += 1
        taken = []
        while self.position < len(self.lines) and not self.peek().startswith("```"):
            taken.append(self.peek())
            self.position += 1
        self.position += 1  # the closing fence, or one past the end
        attribute = ' class="language-{}"'.format(html.escape(language)) if language else ""
        return "<pre><code{}>{}</code></pre>".format(attribute, html.escape("\n".join(taken)))

    def list_block(self, pattern, tag: str) -> str:
        items: List[str] = []
        while self.position < len(self.lines):
            line = self.peek()
            match = pattern.match(line)
            if match:
                items.append(match.group(1))
            elif line.startswith("  ") and line.strip() and items:
                items[-1] += " " + line.strip()
            else:
                break
            self.position += 1
        inner = "".join("<li>" + render_inline(item) + "</li>" for item in items)
        return "<{0}>{1}</{0}>".format(tag, inner)

    def quote(self) -> str:
        taken = []
        while self.position < len(self.lines) and self.peek().startswith(">"):
            taken.append(re.sub(r"^>\s?", "", self.peek()))
            self.position += 1
        return "<blockquote>" + Renderer("\n".join(taken)).render() + "</blockquote>"

    def paragraph(self) -> str:
        taken = []
        while self.position < len(self.lines) and self.peek().strip():
            if taken and self.peek().startswith(("```", "#", ">")):
                break
            taken.append(self.peek().strip())
            self.position += 1
        return "<p>" + render_inline(" ".join(taken)) + "</p>"
