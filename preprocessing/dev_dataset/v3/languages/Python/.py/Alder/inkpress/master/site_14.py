"""From a folder of sources to a folder of HTML.

The site is read completely before anything is written, so that a broken page
never leaves a half-updated output folder behind.
"""

import datetime
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterable, List, Optional

from inkpress import front_matter
from inkpress.markdown import Renderer, slugify
from inkpress.template import Block, compile_template

log = logging.getLogger(__name__)

DEFAULT_LAYOUT = "page"
SUMMARY_WORDS = 40


@dataclass
class Article:
    """One page of the site, already rendered."""

    source: Path
    title: str
    html: str
    slug: str
    date: Optional[datetime.date] = None
    tags: List[str] = field(default_factory=list)
    layout: str = DEFAULT_LAYOUT
    draft: bool = False
    summary: str = ""

    @property
    def url(self) -> str:
        if self.slug == "index":
            return "/"
        return "/{}/".format(self.slug)


def summarize(body: str, limit: int = SUMMARY_WORDS) -> str:
    """The first words of the first paragraph that is not a heading."""
    for paragraph in body.split("\n\n"):
        paragraph = paragraph.strip()
        if paragraph and not paragraph.startswith(("#", "```", ">", "- ")):
            words = paragraph.split()
            ending = " …" if len(words) > limit else ""
            return " ".join(words[:limit]) + ending
    return ""


def read_article(path: Path) -> Article:
    page = front_matter.parse(path.read_text(encoding="utf-8"))
    meta = page.meta
    title = str(meta.get("title", path.stem.replace("-", " ").capitalize()))
    return Article(
        source=path,
        title=title,
        html=Renderer(page.body).render(),
        slug=str(meta.get("slug", slugify(path.stem))),
        date=meta.get("date"),
        tags=sorted(str(tag) for tag in meta.get("tags", [])),
        layout=str(meta.get("layout", DEFAULT_LAYOUT)),
        draft=bool(meta.get("draft", False)),
        summary=str(meta.get("summary", summarize(page.body))),
    )


class Site:
    """Everything that is known about the pages, layouts and static files."""

    def __init__(self, root: Path, title: str, include_drafts: bool = False) -> None:
        self.root = root
        self.title = title
        self.include_drafts = include_drafts
        self.articles: List[Article] = []
        self.layouts: Dict[str, Block] = {}

    def load(self) -> None:
        for path in sorted((self.root / "layouts").glob("*.html")):
            self.layouts[path.stem] = compile_template(path.read_text(encoding="utf-8"))
        for path in sorted((self.root / "content").rglob("*.md")):
            article = read_article(path)
            if article.draft and not self.include_drafts:
                log.info("skipping draft %s", path.name)
                continue
            self.articles.append(article)
        self._check_unique_slugs()

    def _check_unique_slugs(self) -> None:
        seen: Dict[str, Path] = {}
        for article in self.articles:
            other = seen.setdefault(article.slug, article.source)
            if other is not article.source:
                raise ValueError(
                    "{} and {} both want {}".format(other, article.source, article.url)
                )

    def by_date(self) -> List[Article]:
        """Dated articles, the newest first."""
        dated = [article for article in self.articles if article.date is not None]
        return sorted(dated, key=lambda article: article.date, reverse=True)

    def tags(self) -> Dict[str, List[Article]]:
        index: Dict[str, List[Article]] = {}
        for article in self.by_date():
            for tag in article.tags:
                index.setdefault(tag, []).append(article)
        return index

    def render(self, article: Article) -> str:
        try:
            layout = self.layouts[article.layout]
        except KeyError:
            raise ValueError("{}: no layout {!r}".format(article.source, article.layout))
        return layout.render(
            {"site": self, "page": article, "recent": self.by_date()[:5], "content": article.html}
        )

    def write(self, target: Path) -> Iterable[Path]:
        """Write every page below ``target`` and copy the static files."""
        rendered = [(article, self.render(article)) for article in self.articles]
        static = self.root / "static"
        if static.is_dir():
            shutil.copytree(str(static), str(target), dirs_exist_ok=True)
        for article, text in rendered:
            folder = target / article.url.strip("/")
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "index.html"
            path.write_text(text, encoding="utf-8")
            yield path
