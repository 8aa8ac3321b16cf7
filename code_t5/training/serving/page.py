"""The page on which a person types code and sees what the model would write next.

One HTML document with its style and its script in it. Its policy (CSP) lets just these two run, by
their hashes, and lets it talk to its own server alone. What the model writes is shown as text,
never as HTML.
"""

from __future__ import annotations

import base64
import hashlib
import pathlib

from code_t5.training.serving.predictions import ServedModel

_FOLDER = pathlib.Path(__file__).resolve().parent


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


class Page:
    """The page of one model.

    Attributes:
      body: The HTML document, in UTF-8.
      policy: The value of its header `Content-Security-Policy`.
    """

    def __init__(self, model: ServedModel) -> None:
        """Makes the page.

        Args:
          model: What it asks.
        """
        import jinja2
        from markupsafe import Markup

        style, script = (
            (_FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
        )
        environment = jinja2.Environment(
            autoescape=True,
            loader=jinja2.FileSystemLoader(_FOLDER),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        text = environment.get_template("page.html.j2").render(
            style=Markup(style),
            script=Markup(script),
            name=model.name,
            version=model.version,
            reads_suffix=model.reads_suffix,
            max_new_tokens=model.max_new_tokens,
            max_prompt_tokens=model.max_prompt_tokens,
        )
        self.body = text.encode("utf-8")
        self.policy = (
            f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
