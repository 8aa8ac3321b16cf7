"""The ``inkpress`` command: build a site, start a new page, serve a preview."""

import argparse
import datetime
import functools
import http.server
import logging
import sys
import time
from pathlib import Path

from inkpress.front_matter import FrontMatterError, dump
from inkpress.markdown import slugify
from inkpress.site import Site
from inkpress.template import TemplateError

EXIT_OK = 0
EXIT_BAD_INPUT = 2


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="inkpress", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("."), help="folder of the site")
    parser.add_argument("-v", "--verbose", action="count", default=0)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    build = commands.add_parser("build", help="render every page")
    build.add_argument("--output", type=Path, default=Path("public"))
    build.add_argument("--title", default="A new site")
    build.add_argument("--drafts", action="store_true", help="include unfinished pages")
    build.set_defaults(run=run_build)

    new = commands.add_parser("new", help="start a page with today's date")
    new.add_argument("title")
    new.add_argument("--tag", action="append", default=[], dest="tags")
    new.set_defaults(run=run_new)

    serve = commands.add_parser("serve", help="preview what was built")
    serve.add_argument("--output", type=Path, default=Path("public"))
    serve.add_argument("--port", type=int, default=8000)
    serve.set_defaults(run=run_serve)
    return parser


def run_build(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    site = Site(options.root, options.title, include_drafts=options.drafts)
    site.load()
    count = 0
    for path in site.write(options.output):
        logging.debug("wrote %s", path)
        count += 1
    elapsed = time.perf_counter() - started
    print("{} pages in {:.2f} s".format(count, elapsed))
    if count == 0:
        print("nothing found below {}/content".format(options.root), file=sys.stderr)
        return EXIT_BAD_INPUT
    return EXIT_OK


def run_new(options: argparse.Namespace) -> int:
    """Create content/<slug>.md; an existing page is never overwritten."""
    path = options.root / "content" / (slugify(options.title) + ".md")
    header = dump(
        {
            "title": options.title,
            "date": datetime.date.today(),
            "tags": options.tags,
            "draft": True,
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(header + "\nWrite something here.\n")
    except FileExistsError:
        print("{} is already there".format(path), file=sys.stderr)
        return EXIT_BAD_INPUT
    print(path)
    return EXIT_OK


def run_serve(options: argparse.Namespace) -> int:
    if not options.output.is_dir():
        print("no folder {}; run 'inkpress build' first".format(options.output), file=sys.stderr)
        return EXIT_BAD_INPUT
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(options.output)
    )
    with http.server.ThreadingHTTPServer(("localhost", options.port), handler) as server:
        print("listening on port {}, stop with Ctrl-C".format(options.port))
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return EXIT_OK


def main(arguments=None) -> int:
    parser = build_parser()
    options = parser.parse_args(arguments)
    level = logging.WARNING - 10 * min(options.verbose, 2)
    logging.basicConfig(level=level, format="%(levelname)s %(message)s")
    if options.command is None:
        parser.print_help()
        return EXIT_BAD_INPUT
    try:
        return options.run(options)
    except (FrontMatterError, TemplateError, ValueError) as error:
        print("inkpress: {}".format(error), file=sys.stderr)
        return EXIT_BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
